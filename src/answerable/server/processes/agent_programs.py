"""Programs of agent clients, by which a process is recognised as one.

The clients are those of the inventory (connectors/formats/clients.py), and a few more.
An editor in which an agent may open terminals counts as one, since processes of the
agent and of its user cannot be distinguished.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Programs:
    """Names and paths of a client's programs.

    Attributes:
        names: Names of its programs and scripts, in lower case.
        paths: Folders of its scripts, as `/`-separated parts of a path.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...] = ()


# None: the client has no program of its own.
CLIENTS: Mapping[str, Programs | None] = {
    "aider": Programs(("aider",), ("aider-chat",)),
    "amazon-q": Programs(("q", "qchat", "amazon-q")),
    "amp": Programs(("amp",), ("@sourcegraph/amp",)),
    "antigravity": Programs(("antigravity",), (".antigravity-server",)),
    "claude-code": Programs(("claude", "claude-code"), ("@anthropic-ai/claude-code",)),
    "claude-desktop": Programs(("claude-desktop",)),
    "cline": Programs(("cline",), ("saoudrizwan.claude-dev",)),
    "codex": Programs(("codex",), ("@openai/codex",)),
    "continue": Programs(("cn",), ("@continuedev/cli",)),
    "copilot": Programs(("copilot",), ("@github/copilot",)),
    "crush": Programs(("crush",), ("@charmland/crush",)),
    "cursor": Programs(("cursor", "cursor-agent"), (".cursor-server",)),
    "docker-mcp": None,
    "droid": Programs(("droid",), ("@factory/cli",)),
    "gemini-cli": Programs(("gemini", "gemini-cli"), ("@google/gemini-cli",)),
    "goose": Programs(("goose", "goosed")),
    "jetbrains": Programs(
        ("idea", "pycharm", "webstorm", "goland", "clion", "rider", "phpstorm")
    ),
    "junie": Programs(("junie",)),
    "kiro": Programs(("kiro", "kiro-cli")),
    "mcp-client": None,
    "opencode": Programs(("opencode",), ("opencode-ai",)),
    "openclaw": Programs(("openclaw",)),
    "qwen": Programs(("qwen",), ("@qwen-code/qwen-code",)),
    "roo": Programs(("roo",), ("rooveterinaryinc.roo-cline",)),
    "tabnine": Programs(("tabnine",)),
    "vscode": Programs(
        ("code", "code-insiders", "codium", "code-server", "code-tunnel"),
        (".vscode-server", ".vscode-server-insiders"),
    ),
    "windsurf": Programs(("windsurf",), (".windsurf-server",)),
    "zed": Programs(("zed", "zed-editor", "zeditor"), (".zed_server",)),
}

_INTERPRETERS = frozenset(
    [
        *("bash", "bun", "dash", "deno", "electron", "env", "fish", "ksh", "node"),
        *("nodejs", "npm", "npx", "perl", "pnpm", "pypy", "python", "ruby", "sh"),
        *("uv", "uvx", "zsh"),
    ]
)
_ENDINGS = (".exe", ".js", ".mjs", ".cjs", ".py", ".sh", ".appimage")
_LOOKED_AT = 8  # arguments of an interpreter, in which its script stands
_BY_NAME = {
    name: client
    for client, programs in CLIENTS.items()
    if programs
    for name in programs.names
}
_BY_PATH = {
    tuple(path.split("/")): client
    for client, programs in CLIENTS.items()
    if programs
    for path in programs.paths
}


def client_of(name: str, program: str, argv: Sequence[str]) -> str:
    """Return the agent client of a process, empty for none.

    Args:
        name: Name in the kernel, at most 15 characters.
        program: Path of its executable, or empty.
        argv: Arguments of the process.
    """
    called = argv[0] if argv else ""
    for each in (name, program, called):
        found = _BY_NAME.get(_bare(each)) or _by_path(each)
        if found:
            return found
    if _interpreter(program) or _interpreter(called):
        return _of_script(argv[1 : 1 + _LOOKED_AT])
    return ""


def _of_script(arguments: Sequence[str]) -> str:
    for each in arguments:
        found = _by_path(each)
        if found:
            return found
    plain = [each for each in arguments if not each.startswith("-")]
    return _BY_NAME.get(_bare(plain[0]), "") if plain else ""


def _bare(path: str) -> str:
    """Return the name of a program without folder and extension."""
    name = path.rpartition("/")[2].lower()
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def _interpreter(path: str) -> bool:
    return _bare(path).lstrip("-").rstrip("0123456789.") in _INTERPRETERS


def _by_path(path: str) -> str:
    parts = tuple(path.lower().split("/"))
    if len(parts) < 2:
        return ""
    for folder, client in _BY_PATH.items():
        size = len(folder)
        if any(parts[at : at + size] == folder for at in range(len(parts) - size + 1)):
            return client
    return ""

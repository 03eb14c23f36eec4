"""Recognise the programs of agent clients by name, path and arguments.

The clients are those of the inventory (connectors/formats/clients.py), and a few more.
An editor in which an agent may open terminals counts as one, since processes of the
agent and of its user cannot be distinguished.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientPrograms:
    """Names and paths of a client's programs.

    Attributes:
        names: Names of its programs and scripts, in lower case.
        paths: Folders of its scripts, as `/`-separated parts of a path.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...] = ()


# None: the client has no program of its own.
CLIENTS: Mapping[str, ClientPrograms | None] = {
    "aider": ClientPrograms(("aider",), ("aider-chat",)),
    "amazon-q": ClientPrograms(("q", "qchat", "amazon-q")),
    "amp": ClientPrograms(("amp",), ("@sourcegraph/amp",)),
    "antigravity": ClientPrograms(("antigravity",), (".antigravity-server",)),
    "claude-code": ClientPrograms(
        ("claude", "claude-code"), ("@anthropic-ai/claude-code",)
    ),
    "claude-desktop": ClientPrograms(("claude-desktop",)),
    "cline": ClientPrograms(("cline",), ("saoudrizwan.claude-dev",)),
    "codex": ClientPrograms(("codex",), ("@openai/codex",)),
    "continue": ClientPrograms(("cn",), ("@continuedev/cli",)),
    "copilot": ClientPrograms(("copilot",), ("@github/copilot",)),
    "crush": ClientPrograms(("crush",), ("@charmland/crush",)),
    "cursor": ClientPrograms(("cursor", "cursor-agent"), (".cursor-server",)),
    "docker-mcp": None,
    "droid": ClientPrograms(("droid",), ("@factory/cli",)),
    "gemini-cli": ClientPrograms(("gemini", "gemini-cli"), ("@google/gemini-cli",)),
    "goose": ClientPrograms(("goose", "goosed")),
    "jetbrains": ClientPrograms(
        ("idea", "pycharm", "webstorm", "goland", "clion", "rider", "phpstorm")
    ),
    "junie": ClientPrograms(("junie",)),
    "kiro": ClientPrograms(("kiro", "kiro-cli")),
    "mcp-client": None,
    "opencode": ClientPrograms(("opencode",), ("opencode-ai",)),
    "openclaw": ClientPrograms(("openclaw",)),
    "qwen": ClientPrograms(("qwen",), ("@qwen-code/qwen-code",)),
    "roo": ClientPrograms(("roo",), ("rooveterinaryinc.roo-cline",)),
    "tabnine": ClientPrograms(("tabnine",)),
    "vscode": ClientPrograms(
        ("code", "code-insiders", "codium", "code-server", "code-tunnel"),
        (".vscode-server", ".vscode-server-insiders"),
    ),
    "windsurf": ClientPrograms(("windsurf",), (".windsurf-server",)),
    "zed": ClientPrograms(("zed", "zed-editor", "zeditor"), (".zed_server",)),
}

_INTERPRETERS = frozenset(
    [
        "bash",
        "bun",
        "dash",
        "deno",
        "electron",
        "env",
        "fish",
        "ksh",
        "node",
        "nodejs",
        "npm",
        "npx",
        "perl",
        "pnpm",
        "pypy",
        "python",
        "ruby",
        "sh",
        "uv",
        "uvx",
        "zsh",
    ]
)
_ENDINGS = (".exe", ".js", ".mjs", ".cjs", ".py", ".sh", ".appimage")
_MAX_ARGUMENTS = 8  # arguments of an interpreter, in which its script stands
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


def find_agent_client(process_name: str, program: str, argv: Sequence[str]) -> str:
    """Return the agent client that a process is, empty for none.

    Args:
        process_name: Name in the kernel, at most 15 characters.
        program: Path of its executable, or empty.
        argv: Arguments of the process.
    """
    called = argv[0] if argv else ""
    for each in (process_name, program, called):
        found = _BY_NAME.get(_program_base_name(each)) or _find_client_by_path(each)
        if found:
            return found
    if _is_interpreter(program) or _is_interpreter(called):
        return _find_script_client(argv[1 : 1 + _MAX_ARGUMENTS])
    return ""


def _find_script_client(arguments: Sequence[str]) -> str:
    """Return the agent client that an interpreter runs, empty for none."""
    for each in arguments:
        found = _find_client_by_path(each)
        if found:
            return found
    plain = [each for each in arguments if not each.startswith("-")]
    return _BY_NAME.get(_program_base_name(plain[0]), "") if plain else ""


def _program_base_name(path: str) -> str:
    """Return the name of a program without folder and extension."""
    name = path.rpartition("/")[2].lower()
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def _is_interpreter(path: str) -> bool:
    """Return whether a program runs scripts, such as node or python."""
    return _program_base_name(path).lstrip("-").rstrip("0123456789.") in _INTERPRETERS


def _find_client_by_path(path: str) -> str:
    """Return the agent client whose folders are part of a path, else empty."""
    parts = tuple(path.lower().split("/"))
    if len(parts) < 2:
        return ""
    for folder, client in _BY_PATH.items():
        size = len(folder)
        if any(parts[at : at + size] == folder for at in range(len(parts) - size + 1)):
            return client
    return ""

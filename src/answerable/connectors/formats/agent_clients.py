"""List known agent clients (Claude Code, Cursor, ...) with their configuration files.

`HOME_FILES` are paths under a home directory, `PROJECT_FILES` patterns that hold at any
depth of a project, `MANAGED_FILES` are set by a machine's administrator. In a pattern
`*` matches any part of one name and `**` any number of folders.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.connectors.formats.document_parser import DocumentFormat

KeyPath = tuple[str, ...]


class FileRole(StrEnum):
    """Role of a configuration file."""

    SERVERS = "servers"  # a server map must be there
    SETTINGS = "settings"  # one may be
    AGENT = "agent"  # one sub-agent or custom agent
    LOGIN = "login"  # the client's own login


@dataclass(frozen=True, slots=True)
class ClientConfigFile:
    """Kind of configuration file.

    Attributes:
        client: Agent kind.
        maps: Keys that lead to a map (or list) of servers; `*` is any key, an empty
            tuple the root itself if there is no other.
    """

    client: str
    path: str
    form: DocumentFormat = DocumentFormat.JSON
    role: FileRole = FileRole.SERVERS
    maps: tuple[KeyPath, ...] = (("mcpServers",),)


_VSCODE: tuple[KeyPath, ...] = (("servers",), ("mcpServers",))
_VSCODE_SETTINGS: tuple[KeyPath, ...] = (("mcp", "servers"), ("mcp.servers",))
_CLAUDE: tuple[KeyPath, ...] = (("mcpServers",), ("projects", "*", "mcpServers"))
_CONTINUE: tuple[KeyPath, ...] = (
    ("mcpServers",),
    ("experimental", "modelContextProtocolServers"),
)
_PLUGIN: tuple[KeyPath, ...] = (("mcpServers",), ())
_CODEX: tuple[KeyPath, ...] = (("mcp_servers",),)
_OPENCODE: tuple[KeyPath, ...] = (("mcp",),)
_ZED: tuple[KeyPath, ...] = (("context_servers",),)
_ANY: tuple[KeyPath, ...] = (("mcpServers",), ("servers",), ("mcp", "servers"))
_DEVCONTAINER: tuple[KeyPath, ...] = (
    ("customizations", "vscode", "mcp", "servers"),
    ("customizations", "vscode", "settings", "mcp", "servers"),
)
_AMP: tuple[KeyPath, ...] = (("amp.mcpServers",),)
_OPENCLAW: tuple[KeyPath, ...] = (("mcp", "servers"),)
_REGISTRY: tuple[KeyPath, ...] = (("registry",),)
_NO_MAP: tuple[KeyPath, ...] = ()

_J, _T, _Y, _M = (
    DocumentFormat.JSON,
    DocumentFormat.TOML,
    DocumentFormat.YAML,
    DocumentFormat.FRONT_MATTER,
)
_SERVERS, _SETTINGS = FileRole.SERVERS, FileRole.SETTINGS
_AGENT, _LOGIN = FileRole.AGENT, FileRole.LOGIN
_APPLE = "/Library/Application Support"
_CLINE = "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"
_ROO = "globalStorage/rooveterinaryinc.roo-cline/settings"

HOME_FILES: tuple[ClientConfigFile, ...] = tuple(
    ClientConfigFile(*row)
    for row in (
        ("claude-desktop", ".config/Claude/claude_desktop_config.json", _J, _SETTINGS),
        ("claude-code", ".claude.json", _J, _SETTINGS, _CLAUDE),
        ("claude-code", ".claude/settings.json", _J, _SETTINGS),
        ("claude-code", ".claude/settings.local.json", _J, _SETTINGS),
        ("claude-code", ".claude/.mcp.json", _J, _SERVERS, _PLUGIN),
        ("claude-code", ".claude/plugins/**/.mcp.json", _J, _SERVERS, _PLUGIN),
        (
            "claude-code",
            ".claude/plugins/**/.claude-plugin/plugin.json",
            _J,
            _SETTINGS,
        ),
        ("claude-code", ".claude/agents/**/*.md", _M, _AGENT),
        ("claude-code", ".claude/plugins/**/agents/*.md", _M, _AGENT),
        ("claude-code", ".claude/.credentials.json", _J, _LOGIN, _NO_MAP),
        ("cursor", ".cursor/mcp.json"),
        ("cursor", ".cursor/cli-config.json", _J, _SETTINGS),
        ("cursor", ".cursor/hooks.json", _J, _SETTINGS, _NO_MAP),
        ("cursor", ".cursor/sandbox.json", _J, _SETTINGS, _NO_MAP),
        ("cursor", ".cursor/agents/*.md", _M, _AGENT),
        ("vscode", ".config/Code/User/mcp.json", _J, _SERVERS, _VSCODE),
        ("vscode", ".config/Code/User/profiles/*/mcp.json", _J, _SERVERS, _VSCODE),
        ("vscode", ".config/Code/User/settings.json", _J, _SETTINGS, _VSCODE_SETTINGS),
        ("vscode", ".config/Code - Insiders/User/mcp.json", _J, _SERVERS, _VSCODE),
        ("vscode", ".vscode-server/data/User/mcp.json", _J, _SERVERS, _VSCODE),
        ("copilot", ".copilot/mcp-config.json"),
        ("copilot", ".copilot/config.json", _J, _SETTINGS, _NO_MAP),
        ("copilot", ".copilot/agents/*.md", _M, _AGENT),
        ("windsurf", ".codeium/windsurf/mcp_config.json"),
        ("codex", ".codex/config.toml", _T, _SETTINGS, _CODEX),
        ("codex", ".codex/auth.json", _J, _LOGIN, _NO_MAP),
        ("gemini-cli", ".gemini/settings.json", _J, _SETTINGS),
        ("gemini-cli", ".gemini/extensions/*/gemini-extension.json", _J, _SETTINGS),
        ("gemini-cli", ".gemini/agents/*.md", _M, _AGENT),
        ("gemini-cli", ".gemini/oauth_creds.json", _J, _LOGIN, _NO_MAP),
        ("gemini-cli", ".gemini/google_accounts.json", _J, _LOGIN, _NO_MAP),
        ("antigravity", ".gemini/antigravity/mcp_config.json"),
        ("cline", f".config/Code/User/{_CLINE}"),
        ("cline", f".vscode-server/data/User/{_CLINE}"),
        ("cline", f".config/Cursor/User/{_CLINE}"),
        ("roo", f".config/Code/User/{_ROO}/mcp_settings.json"),
        ("roo", f".config/Code/User/{_ROO}/cline_mcp_settings.json"),
        ("roo", f".vscode-server/data/User/{_ROO}/mcp_settings.json"),
        ("continue", ".continue/config.json", _J, _SETTINGS, _CONTINUE),
        ("continue", ".continue/config.yaml", _Y, _SETTINGS, _CONTINUE),
        ("continue", ".continue/mcpServers/*.yaml", _Y, _SERVERS, _CONTINUE),
        ("continue", ".continue/mcpServers/*.json", _J, _SERVERS, _PLUGIN),
        ("goose", ".config/goose/config.yaml", _Y, _SETTINGS, (("extensions",),)),
        ("goose", ".config/goose/secrets.yaml", _Y, _SETTINGS, _NO_MAP),
        ("opencode", ".config/opencode/opencode.json", _J, _SETTINGS, _OPENCODE),
        ("opencode", ".config/opencode/opencode.jsonc", _J, _SETTINGS, _OPENCODE),
        ("opencode", ".config/opencode/agent/*.md", _M, _AGENT),
        ("opencode", ".config/opencode/agents/*.md", _M, _AGENT),
        ("opencode", ".local/share/opencode/auth.json", _J, _LOGIN, _NO_MAP),
        ("zed", ".config/zed/settings.json", _J, _SETTINGS, _ZED),
        ("jetbrains", ".config/JetBrains/*/mcp.json"),
        (
            "jetbrains",
            ".config/github-copilot/intellij/mcp.json",
            _J,
            _SERVERS,
            _VSCODE,
        ),
        ("junie", ".junie/mcp/mcp.json"),
        ("amazon-q", ".aws/amazonq/mcp.json"),
        ("amazon-q", ".aws/amazonq/agents/*.json", _J, _AGENT),
        ("amazon-q", ".aws/amazonq/cli-agents/*.json", _J, _AGENT),
        ("kiro", ".kiro/settings/mcp.json"),
        ("kiro", ".kiro/agents/*.json", _J, _AGENT),
        # https://aider.chat/docs/config/aider_conf.html
        ("aider", ".aider.conf.yml", _Y, _SETTINGS, _NO_MAP),
        # https://ampcode.com/manual
        ("amp", ".config/amp/settings.json", _J, _SETTINGS, _AMP),
        ("amp", ".config/amp/settings.jsonc", _J, _SETTINGS, _AMP),
        # https://qwenlm.github.io/qwen-code-docs/en/users/configuration/settings
        ("qwen", ".qwen/settings.json", _J, _SETTINGS),
        ("qwen", ".qwen/agents/*.md", _M, _AGENT),
        ("qwen", ".qwen/oauth_creds.json", _J, _LOGIN, _NO_MAP),
        # https://docs.openclaw.ai/cli/mcp
        ("openclaw", ".openclaw/openclaw.json", _J, _SETTINGS, _OPENCLAW),
        # https://docs.tabnine.com/main/getting-started/tabnine-agent
        ("tabnine", ".tabnine/agent/settings.json", _J, _SETTINGS),
        ("tabnine", ".tabnine/mcp_servers.json"),
        # https://docs.docker.com/ai/mcp-catalog-and-toolkit
        ("docker-mcp", ".docker/mcp/registry.yaml", _Y, _SERVERS, _REGISTRY),
        ("docker-mcp", ".docker/mcp/config.yaml", _Y, _SETTINGS, _NO_MAP),
    )
)

MANAGED_FILES: tuple[ClientConfigFile, ...] = (
    ClientConfigFile("claude-code", "/etc/claude-code/managed-mcp.json"),
    ClientConfigFile(
        "claude-code", "/etc/claude-code/managed-settings.json", _J, _SETTINGS
    ),
    ClientConfigFile("codex", "/etc/codex/config.toml", _T, _SETTINGS, _CODEX),
    ClientConfigFile("codex", "/etc/codex/managed_config.toml", _T, _SETTINGS, _CODEX),
    ClientConfigFile("gemini-cli", "/etc/gemini-cli/settings.json", _J, _SETTINGS),
    ClientConfigFile("amp", "/etc/ampcode/managed-settings.json", _J, _SETTINGS, _AMP),
    ClientConfigFile("qwen", "/etc/qwen-code/settings.json", _J, _SETTINGS),
    ClientConfigFile("tabnine", "/etc/tabnine-cli/settings.json", _J, _SETTINGS),
    ClientConfigFile("claude-code", f"{_APPLE}/ClaudeCode/managed-mcp.json"),
    ClientConfigFile(
        "claude-code", f"{_APPLE}/ClaudeCode/managed-settings.json", _J, _SETTINGS
    ),
    ClientConfigFile("gemini-cli", f"{_APPLE}/GeminiCli/settings.json", _J, _SETTINGS),
    ClientConfigFile(
        "amp", f"{_APPLE}/ampcode/managed-settings.json", _J, _SETTINGS, _AMP
    ),
    ClientConfigFile("qwen", f"{_APPLE}/QwenCode/settings.json", _J, _SETTINGS),
    ClientConfigFile("tabnine", f"{_APPLE}/TabnineCli/settings.json", _J, _SETTINGS),
)

# The first pattern that fits a path names it, so narrow ones stand before wide ones.
PROJECT_FILES: tuple[ClientConfigFile, ...] = tuple(
    ClientConfigFile(*row)
    for row in (
        ("claude-code", ".claude/settings.json", _J, _SETTINGS),
        ("claude-code", ".claude/settings.*.json", _J, _SETTINGS),
        ("claude-code", ".claude/agents/**/*.md", _M, _AGENT),
        ("claude-code", ".claude-plugin/plugin.json", _J, _SETTINGS),
        ("cursor", ".cursor/mcp.json"),
        ("cursor", ".cursor/cli.json", _J, _SETTINGS),
        ("cursor", ".cursor/hooks.json", _J, _SETTINGS, _NO_MAP),
        ("cursor", ".cursor/sandbox.json", _J, _SETTINGS, _NO_MAP),
        ("cursor", ".cursor/agents/*.md", _M, _AGENT),
        ("vscode", ".vscode/mcp.json", _J, _SERVERS, _VSCODE),
        ("vscode", ".vscode/settings.json", _J, _SETTINGS, _VSCODE_SETTINGS),
        ("vscode", ".devcontainer/**/devcontainer.json", _J, _SETTINGS, _DEVCONTAINER),
        ("vscode", ".devcontainer.json", _J, _SETTINGS, _DEVCONTAINER),
        (
            "vscode",
            "*.code-workspace",
            _J,
            _SETTINGS,
            (("settings", "mcp", "servers"), ("mcp", "servers")),
        ),
        ("copilot", ".github/agents/*.md", _M, _AGENT),
        ("copilot", ".copilot/mcp-config.json"),
        ("windsurf", ".windsurf/mcp_config.json"),
        ("windsurf", ".windsurf/mcp.json"),
        ("codex", ".codex/config.toml", _T, _SETTINGS, _CODEX),
        ("gemini-cli", ".gemini/settings.json", _J, _SETTINGS),
        ("gemini-cli", ".gemini/agents/*.md", _M, _AGENT),
        ("gemini-cli", "gemini-extension.json", _J, _SETTINGS),
        ("roo", ".roo/mcp.json"),
        ("continue", ".continue/config.json", _J, _SETTINGS, _CONTINUE),
        ("continue", ".continue/config.yaml", _Y, _SETTINGS, _CONTINUE),
        ("continue", ".continue/mcpServers/*.yaml", _Y, _SERVERS, _CONTINUE),
        ("continue", ".continue/mcpServers/*.json", _J, _SERVERS, _PLUGIN),
        ("opencode", "opencode.json", _J, _SETTINGS, _OPENCODE),
        ("opencode", "opencode.jsonc", _J, _SETTINGS, _OPENCODE),
        ("opencode", ".opencode/agent/*.md", _M, _AGENT),
        ("opencode", ".opencode/agents/*.md", _M, _AGENT),
        ("zed", ".zed/settings.json", _J, _SETTINGS, _ZED),
        ("jetbrains", ".idea/mcp.json"),
        ("junie", ".junie/mcp/mcp.json"),
        ("amazon-q", ".amazonq/mcp.json"),
        ("amazon-q", ".amazonq/agents/*.json", _J, _AGENT),
        ("amazon-q", ".amazonq/cli-agents/*.json", _J, _AGENT),
        ("kiro", ".kiro/settings/mcp.json"),
        ("kiro", ".kiro/agents/*.json", _J, _AGENT),
        ("aider", ".aider.conf.yml", _Y, _SETTINGS, _NO_MAP),
        ("amp", ".amp/settings.json", _J, _SETTINGS, _AMP),
        ("amp", ".amp/settings.jsonc", _J, _SETTINGS, _AMP),
        ("qwen", ".qwen/settings.json", _J, _SETTINGS),
        ("qwen", ".qwen/agents/*.md", _M, _AGENT),
        ("tabnine", ".tabnine/agent/settings.json", _J, _SETTINGS),
        ("tabnine", ".tabnine/mcp_servers.json"),
        ("claude-code", ".mcp.json", _J, _SERVERS, _PLUGIN),
        ("claude-desktop", "claude_desktop_config*.json"),
        ("mcp-client", "mcp.json", _J, _SERVERS, _ANY),
        ("mcp-client", "mcp_config*.json", _J, _SERVERS, _ANY),
        ("mcp-client", "mcp_settings.json", _J, _SERVERS, _ANY),
        ("mcp-client", "mcp-config.json", _J, _SERVERS, _ANY),
        ("cline", "cline_mcp_settings.json"),
    )
)


def rank_settings_precedence(entry: ClientConfigFile) -> int:
    """Rank a settings file; of several files that set a key the highest rank wins.

    Managed files come before all others, then local ones, project ones, and the user's
    settings for all projects
    (https://code.claude.com/docs/en/settings). Codex alone reads defaults of its
    machine (https://developers.openai.com/codex/config-basic/).
    """
    if entry in MANAGED_FILES:
        return -2 if entry.path.endswith("/codex/config.toml") else 2
    name = entry.path.rpartition("/")[2]
    return 1 if name in ("settings.local.json", "settings.*.json") else 0


def find_project_file_kind(path: str) -> ClientConfigFile | None:
    """Find the known agent-client file that a project path is; None for others.

    Args:
        path: Relative path with forward slashes.
    """
    name = path.rpartition("/")[2]
    numbers = list(_BY_NAME.get(name, ()))
    for pattern, wild in _BY_PATTERN:
        if matches_wildcard_name(name, pattern):
            numbers += wild
    parts = path.split("/") if numbers else []
    for number in sorted(numbers):
        if matches_path_end(parts, PROJECT_FILES[number].path.split("/")):
            return PROJECT_FILES[number]
    return None


def matches_path_end(parts: list[str], pattern: list[str]) -> bool:
    """Return whether a pattern matches the last parts of a path; at most one `**`."""
    if "**" not in pattern:
        tail = parts[-len(pattern) :]
        return len(tail) == len(pattern) and all(
            map(matches_wildcard_name, tail, pattern)
        )
    cut = pattern.index("**")
    head, tail = pattern[:cut], pattern[cut + 1 :]
    if not all(map(matches_wildcard_name, parts[-len(tail) :], tail)):
        return False
    rest = parts[: -len(tail)]
    return any(
        all(map(matches_wildcard_name, rest[start : start + len(head)], head))
        for start in range(len(rest) - len(head) + 1)
    )


def matches_wildcard_name(name: str, pattern: str) -> bool:
    """Return whether a pattern with at most one `*` matches a name."""
    head, star, tail = pattern.partition("*")
    if not star:
        return name == pattern
    return (
        len(name) >= len(head) + len(tail)
        and name.startswith(head)
        and name.endswith(tail)
    )


def _index_project_files_by_name() -> tuple[
    dict[str, list[int]], list[tuple[str, list[int]]]
]:
    """Index the project files by their last path part, for fast lookups."""
    plain: dict[str, list[int]] = {}
    wild: dict[str, list[int]] = {}
    for number, entry in enumerate(PROJECT_FILES):
        name = entry.path.rpartition("/")[2]
        (wild if "*" in name else plain).setdefault(name, []).append(number)
    return plain, list(wild.items())


_BY_NAME, _BY_PATTERN = _index_project_files_by_name()

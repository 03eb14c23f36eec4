"""Project name, and the folder that a configuration applies to."""

from answerable.connectors.formats.agent_clients import ConfigFile
from answerable.connectors.formats.credential_detection import (
    Found,
    Position,
    in_header,
    in_url,
)
from answerable.connectors.formats.ini_parser import parse_ini
from answerable.connectors.formats.redaction import show_name
from answerable.connectors.formats.url_secrets import is_url, split_url

_CLIENT_FOLDERS = frozenset(
    (
        ".claude",
        ".claude-plugin",
        ".cursor",
        ".vscode",
        ".devcontainer",
        ".github",
        ".copilot",
        ".windsurf",
        ".codex",
        ".gemini",
        ".roo",
        ".continue",
        ".opencode",
        ".zed",
        ".idea",
        ".junie",
        ".amazonq",
        ".kiro",
    )
)


def project_slug(git_config: str) -> str:
    """Return `OWNER/NAME` of the `origin` remote, or empty for none."""
    for setting in parse_ini(git_config):
        if setting.section == 'remote "origin"' and setting.name == "url":
            return _slug(setting.value)
    return ""


def remote_credentials(git_config: str) -> tuple[Found, ...]:
    """Find credentials in the URLs of remotes."""
    found: list[Found] = []
    for setting in parse_ini(git_config):
        if setting.name in ("url", "pushurl") and setting.section.startswith("remote"):
            pointer = f"/{setting.line}"
            found += in_url(Position(setting.name, pointer, setting.value))
        elif setting.name == "extraheader":
            _, _, value = setting.value.partition(":")
            header = Position("Authorization", f"/{setting.line}", value.strip())
            found += in_header(header)
    return tuple(found)


def _slug(url: str) -> str:
    path = split_url(url)[2] if is_url(url) else url.rpartition(":")[2]
    parts = [part for part in path.removesuffix("/").split("/") if part]
    if is_url(url):
        parts = parts[1:]
    if not parts:
        return ""
    parts[-1] = parts[-1].removesuffix(".git")
    return "/".join(show_name(part) for part in parts[-2:] if part)


def home_of(path: str, entry: ConfigFile) -> str:
    """Return the folder that a configuration applies to, relative to the project.

    `services/api/.cursor/mcp.json` applies to `services/api`; so does
    `services/api/.mcp.json`.
    """
    parts = path.split("/")[:-1]
    for index, part in enumerate(parts):
        if part in _CLIENT_FOLDERS and entry.path.startswith(part):
            return "/".join(parts[:index])
    return "/".join(parts)

"""Determine a project's name, and the folder that a configuration applies to."""

from answerable.connectors.formats.agent_clients import ClientConfigFile
from answerable.connectors.formats.credential_locations import (
    FoundCredential,
    NamedText,
    find_in_header,
    find_in_url,
)
from answerable.connectors.formats.ini_parser import parse_ini
from answerable.connectors.formats.redaction import redact_name
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


def parse_owner_and_name(git_config: str) -> str:
    """Return `OWNER/NAME` of the `origin` remote, or empty for none."""
    for setting in parse_ini(git_config):
        if setting.section == 'remote "origin"' and setting.name == "url":
            return _owner_and_name_of_url(setting.value)
    return ""


def find_remote_credentials(git_config: str) -> tuple[FoundCredential, ...]:
    """Find credentials in the URLs of remotes."""
    found: list[FoundCredential] = []
    for setting in parse_ini(git_config):
        if setting.name in ("url", "pushurl") and setting.section.startswith("remote"):
            pointer = f"/{setting.line}"
            found += find_in_url(NamedText(setting.name, pointer, setting.value))
        elif setting.name == "extraheader":
            _, _, value = setting.value.partition(":")
            header = NamedText("Authorization", f"/{setting.line}", value.strip())
            found += find_in_header(header)
    return tuple(found)


def _owner_and_name_of_url(url: str) -> str:
    """Return `OWNER/NAME` of a git URL, redacted."""
    path = split_url(url)[2] if is_url(url) else url.rpartition(":")[2]
    parts = [part for part in path.removesuffix("/").split("/") if part]
    if is_url(url):
        parts = parts[1:]
    if not parts:
        return ""
    parts[-1] = parts[-1].removesuffix(".git")
    return "/".join(redact_name(part) for part in parts[-2:] if part)


def config_base_folder(path: str, entry: ClientConfigFile) -> str:
    """Return the folder that a configuration applies to, relative to the project.

    `services/api/.cursor/mcp.json` applies to `services/api`; so does
    `services/api/.mcp.json`.
    """
    parts = path.split("/")[:-1]
    for index, part in enumerate(parts):
        if part in _CLIENT_FOLDERS and entry.path.startswith(part):
            return "/".join(parts[:index])
    return "/".join(parts)

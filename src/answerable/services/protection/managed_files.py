"""Build the files of Claude Code that an administrator distributes to a fleet.

Claude Code reads `managed-mcp.json` and `managed-settings.json` in `/etc/claude-code` on
Linux and in `/Library/Application Support/ClaudeCode` on macOS, and lets no user change
them (code.claude.com/docs/en/managed-mcp, code.claude.com/docs/en/settings).
"""

import json
from pathlib import Path

from answerable.connectors.formats.document_edits import edit_document
from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.services.protection.protection_plan import FileChange, ProtectionPlan
from answerable.services.protection.tool_hooks import build_hook_edits

_CLIENT = "claude-code"
_USER_SERVERS = ".claude.json"


def build_managed_files(
    plan: ProtectionPlan, folder: Path, *, enforces: bool
) -> tuple[FileChange, ...]:
    """Build the configuration and the managed files of a fleet, in a new folder.

    Args:
        plan: Plan for Claude Code of one home, with the fleet's paths.
        folder: Folder of the new files.
        enforces: Whether a hook that cannot be started blocks the call.
    """
    config = [each for each in plan.changes if not each.client]
    users = [each for each in plan.changes if each.path.name == _USER_SERVERS]
    if not config:
        return ()
    made: list[tuple[str, bytes, str]] = [
        ("answerable.yaml", config[0].after, "goes to /etc/answerable")
    ]
    if users:
        raw = parse_document(users[0].after, DocumentFormat.JSON, "").root.raw
        servers = raw.get("mcpServers", {}) if isinstance(raw, dict) else {}
        content = _render({"mcpServers": servers})
        made.append(("managed-mcp.json", content, "goes to /etc/claude-code"))
    words = ("answerable", "hook", _CLIENT, "--config", str(config[0].path))
    root = parse_document(b"{}", DocumentFormat.JSON, "").root
    edits = build_hook_edits(root, _CLIENT, words, enforces=enforces)
    hooks = json.loads(edit_document(b"{}", DocumentFormat.JSON, edits))
    settings = _render({"allowManagedHooksOnly": True, **hooks})
    made.append(("managed-settings.json", settings, "goes to /etc/claude-code"))
    return tuple(
        FileChange(folder / name, "", b"", content, (what,), exists=False)
        for name, content, what in made
    )


def _render(value: RawValue) -> bytes:
    """Render a new JSON file."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()

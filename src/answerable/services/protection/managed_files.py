"""Build the files of Claude Code that an administrator distributes to a fleet.

Claude Code reads `managed-mcp.json` and `managed-settings.json` in `/etc/claude-code` on
Linux and in `/Library/Application Support/ClaudeCode` on macOS, and lets no user change
them (code.claude.com/docs/en/managed-mcp, code.claude.com/docs/en/settings).
"""

import json
from pathlib import Path
from urllib.parse import urlsplit

from answerable.connectors.formats.document_edits import edit_document
from answerable.connectors.formats.document_node import DocumentNode, RawValue
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.connectors.formats.mcp_server_entry import parse_server_entry
from answerable.connectors.formats.value_reference import split_references
from answerable.model.credential import CredentialClass
from answerable.services.protection.protection_plan import FileChange, ProtectionPlan
from answerable.services.protection.server_rewrite import HEADER_KEYS, URL_KEYS
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
        servers, left_out = _select_servers(users[0].after)
        content = _render_json({"mcpServers": servers})
        what = "goes to /etc/claude-code"
        if left_out:
            names = ", ".join(left_out)
            what += f"; leaves out {names}: a literal key or header stays in the entry"
        made.append(("managed-mcp.json", content, what))
    words = ("answerable", "hook", _CLIENT, "--config", str(config[0].path))
    root = parse_document(b"{}", DocumentFormat.JSON, "").root
    edits = build_hook_edits(root, _CLIENT, words, enforces=enforces)
    hooks = json.loads(edit_document(b"{}", DocumentFormat.JSON, edits))
    settings = _render_json({"allowManagedHooksOnly": True, **hooks})
    made.append(("managed-settings.json", settings, "goes to /etc/claude-code"))
    return tuple(
        FileChange(folder / name, "", b"", content, (what,), exists=False)
        for name, content, what in made
    )


def _select_servers(data: bytes) -> tuple[dict[str, RawValue], list[str]]:
    """Select the user's servers without a literal key; return them, and other names."""
    section = parse_document(data, DocumentFormat.JSON, "").root.get("mcpServers")
    selected: dict[str, RawValue] = {}
    left_out: list[str] = []
    for name, entry in section.members() if section is not None else ():
        if _has_literal(name, entry):
            left_out.append(name)
        else:
            selected[name] = entry.raw
    return selected, left_out


def _has_literal(name: str, entry: DocumentNode) -> bool:
    """Return whether an entry has a literal key, or a part of a request that may be one."""
    parsed = parse_server_entry(name, entry)
    if any(each.cls is CredentialClass.LITERAL for each in parsed.found):
        return True
    headers, url = entry.get(*HEADER_KEYS), entry.get(*URL_KEYS)
    for _, value in headers.members() if headers is not None else ():
        if not split_references(value.text()).dynamic:
            return True
    parts = urlsplit(url.text() if url is not None else "")
    return bool(parts.query or parts.username or parts.fragment)


def _render_json(value: RawValue) -> bytes:
    """Render a new JSON file."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()

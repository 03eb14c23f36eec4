"""Change the installed hooks of an agent's clients: fail closed, or open again."""

from collections.abc import Collection
from pathlib import Path

from answerable.connectors.formats.document_edits import edit_document
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.model.config import Config, DeclaredAgent, StdioCallerRule
from answerable.model.decision import EnforcementMode
from answerable.model.errors import ParseError
from answerable.services.protection.client_files import (
    find_link_target,
    find_obstacle,
)
from answerable.services.protection.protection_plan import FileChange, Refusal
from answerable.services.protection.protection_state import read_present
from answerable.services.protection.tool_hooks import HOOKS, build_fail_closed_edits


def plan_hook_changes(
    config: Config,
    agent: DeclaredAgent,
    mode: EnforcementMode,
    home: Path,
    protected: Collection[Path],
) -> tuple[tuple[FileChange, ...], tuple[Refusal, ...]]:
    """Plan the changes of hooks when enforcement of an agent begins or ends.

    Args:
        config: The configuration.
        agent: The agent, in its present mode.
        mode: Its new mode.
        home: Home of the clients.
        protected: Files that `protect` has changed; hooks in others stay.

    Returns:
        The changes, and the hooks that cannot be changed.
    """
    enforces = mode is EnforcementMode.ENFORCE
    if enforces == (agent.mode is EnforcementMode.ENFORCE):
        return (), ()
    called = {c.server for c in agent.callers if isinstance(c, StdioCallerRule)}
    clients = {s.hook for s in config.servers if s.hook and s.name in called}
    changes: list[FileChange] = []
    refused: list[Refusal] = []
    for client in sorted(clients & HOOKS.keys()):
        path = home / HOOKS[client].path
        if path not in protected:
            continue
        reason = find_obstacle(path, home, is_home=True)
        data = None if reason else read_present(path)
        if data is None:
            reason = reason or "it was removed"
            refused.append(Refusal(path, client, "", f"hook as before: {reason}"))
            continue
        try:
            root = parse_document(data, DocumentFormat.JSON, "").root
            edits = build_fail_closed_edits(
                root, client, config.place, enforces=enforces
            )
            after = edit_document(data, DocumentFormat.JSON, edits)
        except ParseError as error:
            reason = f"hook as before: {error.reason}"
            refused.append(Refusal(path, client, "", reason))
            continue
        if after != data:
            what = "blocks" if enforces else "allows"
            said = f"the hook {what} a call if it cannot be started"
            target = find_link_target(path, home)
            changes.append(
                FileChange(path, client, data, after, (said,), target=target)
            )
    return tuple(changes), tuple(refused)

"""Install the pre-tool hook in the settings of clients that have one."""

import shlex
from dataclasses import dataclass

from answerable.connectors.formats.document_edits import AddMember, AppendItem, Edit
from answerable.connectors.formats.document_node import (
    DocumentNode,
    RawValue,
    walk_scalars,
)


@dataclass(frozen=True, slots=True)
class HookSettings:
    """Settings file and events of a client's hooks.

    Attributes:
        path: File under a home.
        events: Keys of the events.
        source: Documentation page.
    """

    path: str
    events: tuple[str, ...]
    source: str


HOOKS: dict[str, HookSettings] = {
    "claude-code": HookSettings(
        ".claude/settings.json",
        ("PreToolUse",),
        "https://code.claude.com/docs/en/hooks",
    ),
    "cursor": HookSettings(
        ".cursor/hooks.json",
        ("beforeShellExecution", "beforeMCPExecution", "beforeReadFile"),
        "https://cursor.com/docs/agent/hooks",
    ),
}


def has_hook(root: DocumentNode, client: str) -> bool:
    """Tell whether the settings already start the hook."""
    hooks = root.get("hooks")
    mark = f" hook {client} --config "
    return hooks is not None and any(mark in n.text() for n in walk_scalars(hooks))


def build_hook_edits(
    root: DocumentNode, client: str, words: tuple[str, ...], *, enforces: bool
) -> tuple[Edit, ...]:
    """Return the edits that add the hook to the settings of a client.

    Args:
        root: Settings; an empty object for a new file.
        client: Agent client.
        words: Words that start the hook.
        enforces: Whether a hook that cannot be started blocks the call.
    """
    command: dict[str, RawValue] = {"command": shlex.join(words)}
    if client == "claude-code":
        command = {"type": "command", **command}
        if enforces:
            command["onFailure"] = "block"
        command = {"matcher": "*", "hooks": [command]}
    elif enforces:
        command["failClosed"] = True
    edits: list[Edit] = []
    if client == "cursor" and root.get("version") is None:
        edits.append(AddMember((), "version", 1))
    hooks = root.get("hooks")
    events = HOOKS[client].events
    if hooks is None:
        added: dict[str, RawValue] = {event: [command] for event in events}
        return (*edits, AddMember((), "hooks", added))
    for event in events:
        if hooks.get(event) is None:
            edits.append(AddMember(("hooks",), event, [command]))
        else:
            edits.append(AppendItem(("hooks", event), command))
    return tuple(edits)

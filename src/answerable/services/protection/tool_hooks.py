"""Install the pre-tool hook in the settings of clients that have one."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from answerable.connectors.formats.document_edits import (
    AddMember,
    AppendItem,
    Edit,
    RemoveChild,
    ReplaceMember,
    edit_document,
)
from answerable.connectors.formats.document_node import (
    DocumentNode,
    RawValue,
    walk_scalars,
)
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.services.protection.server_rewrite import split_pointer


@dataclass(frozen=True, slots=True)
class HookSettings:
    """Settings file and events of a client's hooks.

    Attributes:
        path: File under a home.
        events: Keys of the events.
        fail_closed: Key and value with which the client blocks a call if the hook
            cannot be started.
        source: Documentation page.
    """

    path: str
    events: tuple[str, ...]
    fail_closed: tuple[str, RawValue]
    source: str


HOOKS: dict[str, HookSettings] = {
    "claude-code": HookSettings(
        ".claude/settings.json",
        ("PreToolUse",),
        ("onFailure", "block"),
        "https://code.claude.com/docs/en/hooks",
    ),
    "cursor": HookSettings(
        ".cursor/hooks.json",
        ("beforeShellExecution", "beforeMCPExecution", "beforeReadFile"),
        ("failClosed", True),
        "https://cursor.com/docs/agent/hooks",
    ),
}


def has_hook(root: DocumentNode, client: str) -> bool:
    """Return whether the settings already start the hook."""
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
        key, value = HOOKS[client].fail_closed
        command[key] = value
    if client == "claude-code":
        command = {"matcher": "*", "hooks": [command]}
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


def build_fail_closed_edits(
    root: DocumentNode, client: str, config: str, *, enforces: bool
) -> tuple[Edit, ...]:
    """Return the edits that let the installed hooks fail closed, or open again.

    Args:
        root: Settings.
        client: Agent client.
        config: Configuration that the hooks name; hooks of another one stay.
        enforces: Whether a hook that cannot be started blocks the call.
    """
    key, value = HOOKS[client].fail_closed
    mark = f" hook {client} --config {shlex.quote(config)}"
    edits: list[Edit] = []
    for entry in _iter_commands(root.get("hooks")):
        if not f"{entry.text_at('command')} ".count(f"{mark} "):
            continue
        path, node = split_pointer(entry.pointer), entry.get(key)
        if not enforces and node is not None:
            edits.append(RemoveChild((*path, key)))
        elif enforces and node is None:
            edits.append(AddMember(path, key, value))
        elif enforces and node is not None and node.raw != value:
            edits.append(ReplaceMember((*path, key), ((key, value),)))
    return tuple(edits)


def remove_hooks(original: bytes, ours: bytes, present: bytes, client: str) -> bytes:
    """Remove the hook entries that `protect` installed, and objects left empty by it.

    Settings and hooks that the client added stay.

    Args:
        original: Settings before `protect`; an empty object for no file.
        ours: Settings as `protect` left them.
        present: Settings now.
        client: Agent client.

    Raises:
        ParseError: One of them is invalid, or an entry cannot be removed.
    """
    before, after = (_parse_settings(data) for data in (original, ours))
    mark = f" hook {client} --config "
    commands = _list_commands(after) - _list_commands(before)
    commands = {each for each in commands if mark in each}
    now = _parse_settings(present)
    hooks = now.get("hooks")
    removals = () if hooks is None else _list_removals(hooks.raw, ("hooks",), commands)
    edits = [RemoveChild(path) for path in removals]
    version = now.get("version")
    if (
        removals == (("hooks",),)
        and version is not None
        and before.get("version") is None
    ):
        edits.append(RemoveChild(("version",)))
    return edit_document(present, DocumentFormat.JSON, tuple(edits))


def _parse_settings(data: bytes) -> DocumentNode:
    """Parse the settings of a client."""
    return parse_document(data, DocumentFormat.JSON, "").root


def _list_commands(root: DocumentNode) -> set[str]:
    """List the commands of all hooks."""
    return {entry.text_at("command") for entry in _iter_commands(root.get("hooks"))}


def _list_removals(
    raw: RawValue, path: tuple[str, ...], commands: set[str]
) -> tuple[tuple[str, ...], ...]:
    """List the paths to remove for some commands, the last first.

    A value of which only scalars would remain, such as a matcher, is removed whole.
    """
    if isinstance(raw, dict):
        command = raw.get("command")
        if isinstance(command, str) and command in commands:
            return (path,)
        children = list(raw.items())
    elif isinstance(raw, list):
        children = [(str(at), item) for at, item in enumerate(raw)]
    else:
        return ()
    paths: list[tuple[str, ...]] = []
    stays = False
    for key, child in reversed(children):
        below = _list_removals(child, (*path, key), commands)
        paths += below
        is_nested = isinstance(child, dict | list)
        stays = stays or (is_nested and below != ((*path, key),))
    return (path,) if paths and not stays else tuple(paths)


def _iter_commands(node: DocumentNode | None) -> Iterator[DocumentNode]:
    """Yield the objects with a command below a node."""
    if node is None:
        return
    if node.is_object and node.get("command") is not None:
        yield node
    elif node.is_object:
        for _, child in node.members():
            yield from _iter_commands(child)
    elif node.is_array:
        for item in node.items():
            yield from _iter_commands(item)

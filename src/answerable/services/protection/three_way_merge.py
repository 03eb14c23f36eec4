"""Undo our change of a file that its client changed later: three-way merge.

The base is the file as `protect` left it; one side is the original, the other the
present file. Lines are merged first, which keeps every byte; where lines of both sides
overlap, values are merged by their place in the document.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from answerable.connectors.formats.document_edits import (
    Edit,
    RemoveChild,
    ReplaceMember,
    edit_document,
)
from answerable.connectors.formats.document_node import RawValue
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.connectors.formats.span_tree import SpanNode, scan_spans
from answerable.model.errors import ParseError

_LINES_LIMIT = 20_000
_Hunk = tuple[int, int, list[bytes]]


def merge_undo(
    original: bytes, ours: bytes, present: bytes, form: DocumentFormat | None
) -> bytes | None:
    """Return the present file without our change; None where both overlap."""
    merged = merge_lines(ours, original, present)
    if form is None:
        return merged
    if merged is not None:
        try:
            parse_document(merged, form, "")
        except ParseError:
            merged = None
    if merged is None:
        try:
            merged = _merge_values(original, ours, present, form)
        except (ParseError, ValueError):
            return None
    return merged


def merge_lines(base: bytes, one: bytes, other: bytes) -> bytes | None:
    """Merge the lines of two sides of a base; None where they overlap (diff3)."""
    lines = base.splitlines(keepends=True)
    if len(lines) > _LINES_LIMIT:
        return None
    hunks = sorted((*_list_hunks(lines, one), *_list_hunks(lines, other)))
    merged: list[bytes] = []
    at = 0
    previous: _Hunk | None = None
    for hunk in hunks:
        start, end, new = hunk
        if hunk == previous:
            continue
        if start < at or (previous is not None and start == previous[1] == at and at):
            return None
        merged += lines[at:start]
        merged += new
        at, previous = end, hunk
    return b"".join((*merged, *lines[at:]))


def _list_hunks(lines: list[bytes], side: bytes) -> list[_Hunk]:
    """Return the changed lines of a side: start, end and new lines."""
    changed = side.splitlines(keepends=True)
    matcher = SequenceMatcher(None, lines, changed, autojunk=False)
    return [
        (start, end, changed[first:last])
        for tag, start, end, first, last in matcher.get_opcodes()
        if tag != "equal"
    ]


@dataclass(frozen=True, slots=True)
class _ValueChange:
    """Value that we changed: its path, the original and ours."""

    path: tuple[str, ...]
    original: RawValue
    ours: RawValue


class _Missing:
    """Mark of a value that is not there."""


def _merge_values(
    original: bytes, ours: bytes, present: bytes, form: DocumentFormat
) -> bytes:
    """Undo our changes of values, by their place in the document."""
    before = parse_document(original, form, "").root.raw
    after = parse_document(ours, form, "").root.raw
    for change in tuple(_list_changes(before, after, ())):
        now = _look_up(parse_document(present, form, "").root.raw, change.path)
        if isinstance(now, _Missing):
            continue  # the client removed the entry
        for edit in _undo_change(change, now, original, form):
            present = edit_document(present, form, (edit,))
    return present


def _list_changes(
    before: RawValue, after: RawValue, path: tuple[str, ...]
) -> Iterator[_ValueChange]:
    """Yield the values that we changed, the deepest that have their place."""
    if before == after:
        return
    if (
        isinstance(before, dict)
        and isinstance(after, dict)
        and before.keys() <= after.keys()
    ):
        for key in before:
            yield from _list_changes(before[key], after[key], (*path, key))
        if after.keys() - before.keys():
            kept = {key: after[key] for key in before}
            yield _ValueChange(path, kept, after)
        return
    yield _ValueChange(path, before, after)


def _undo_change(
    change: _ValueChange, now: RawValue, original: bytes, form: DocumentFormat
) -> Iterator[Edit]:
    """Yield the edits that undo one change.

    Raises:
        ValueError: The client changed the same value.
    """
    before, ours, path = change.original, change.ours, change.path
    removed = _list_added_children(before, ours, now)
    if removed:
        yield from (RemoveChild((*path, key)) for key in removed)
        return
    if isinstance(before, dict) and isinstance(ours, dict) and isinstance(now, dict):
        merged = _merge_object(before, ours, now)
    elif now != ours:
        raise ValueError
    else:
        merged = before
    if not path:
        raise ValueError
    text = _text_of_member(original, path, form) if merged == before else ""
    yield ReplaceMember(path, ((path[-1], merged),), text)


def _list_added_children(
    before: RawValue, ours: RawValue, now: RawValue
) -> tuple[str, ...]:
    """Return the keys or numbers of the children that we only added, last first.

    Raises:
        ValueError: The client changed one of them.
    """
    if isinstance(before, list) and isinstance(ours, list) and isinstance(now, list):
        added = ours[len(before) :]
        if ours[: len(before)] != before:
            return ()
        if not all(item in now for item in added):
            raise ValueError
        return tuple(str(at) for at in sorted(map(now.index, added), reverse=True))
    if isinstance(before, dict) and isinstance(ours, dict) and isinstance(now, dict):
        if not before.keys() < ours.keys():
            return ()
        keys = [key for key in ours if key not in before and key in now]
        if any(now[key] != ours[key] for key in keys):
            raise ValueError
        return tuple(keys)
    return ()


def _merge_object(
    before: dict[str, RawValue], ours: dict[str, RawValue], now: dict[str, RawValue]
) -> RawValue:
    """Merge the members of an object; keys that only the client set are kept."""
    for key, value in ours.items():
        if before.get(key) != value and now.get(key) != value:
            raise ValueError
    added = {k: v for k, v in now.items() if k not in ours and k not in before}
    merged: dict[str, RawValue] = {}
    for key, value in before.items():
        if key not in ours or ours[key] != value:
            merged[key] = value
        elif key in now:
            merged[key] = now[key]
    return {**merged, **added}


def _look_up(raw: RawValue, path: tuple[str, ...]) -> RawValue | _Missing:
    """Return the value at a path of keys."""
    for key in path:
        if not isinstance(raw, dict) or key not in raw:
            return _Missing()
        raw = raw[key]
    return raw


def _text_of_member(data: bytes, path: tuple[str, ...], form: DocumentFormat) -> str:
    """Return the text of a member in a file; empty where it has no span."""
    text = data.decode("utf-8-sig")
    node: SpanNode = scan_spans(text, form)
    for key in path[:-1]:
        if key not in node.members:
            return ""
        node = node.members[key].value
    member = node.members.get(path[-1])
    return text[member.start : member.end] if member is not None else ""

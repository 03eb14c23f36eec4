"""Write the edit of a repair as a unified diff of the file that it changes.

A line that has more than the changed member is not shown, because it could have a
secret; the repair then has its general form.
"""

import difflib
from collections.abc import Iterator

from answerable.connectors.formats.span_tree import MemberSpan, SpanNode
from answerable.posture.rule import ValueEdit
from answerable.services.posture.evidence_lines import LineIndex

_ENDS = ("", ",", "}", "},")


def build_fix_diff(index: LineIndex, place: str, path: str, edit: ValueEdit) -> str:
    """Build the unified diff of an edit at a place; empty if it cannot be shown.

    Args:
        path: Path of the file in its source, for the head of the diff.
    """
    file, _, pointer = place.partition("#")
    text = index.read_small_file(file) if file.startswith("/") else ""
    root = index.parse_spans(file, text) if text else None
    if root is None:
        return ""
    holder = root
    for token in filter(None, pointer.split("/")):
        member = holder.members.get(token.replace("~1", "/").replace("~0", "~"))
        if member is None:
            return ""
        holder = member.value
    found = holder.members.get(edit.member) or root.members.get(edit.member)
    if found is None:
        changed = _insert_member(text, holder, edit)
    else:
        changed = _replace_values(text, found, edit)
    lines = text.splitlines(keepends=True), changed.splitlines(keepends=True)
    hunks = difflib.unified_diff(*lines, f"a/{path}", f"b/{path}", n=0)
    return "".join(each if each.endswith("\n") else f"{each}\n" for each in hunks)


def _insert_member(text: str, holder: SpanNode, edit: ValueEdit) -> str:
    """Insert a member before the first one of an object in lines of their own."""
    first = min((each.start for each in holder.members.values()), default=-1)
    begin = text.rfind("\n", 0, first) + 1
    indent = text[begin:first]
    if first < 0 or indent.strip():
        return text
    added = f"{indent}{edit.member}: {edit.missing}\n"
    return text[:begin] + added + text[begin:]


def _replace_values(text: str, found: MemberSpan, edit: ValueEdit) -> str:
    """Replace the values of a member; unchanged if its lines have anything else."""
    begin = text.rfind("\n", 0, found.start) + 1
    end = text.find("\n", found.end)
    rest = text[found.end : end if end >= 0 else len(text)]
    alone = not text[begin : found.start].strip() and rest.strip() in _ENDS
    if not alone or "#" in text[found.start : found.end]:
        return text
    spans = list(_iterate_values(found, edit))
    for value in sorted(spans, key=lambda each: -each.start):
        old = text[value.start : value.end]
        new = edit.replaced.get(old.strip("\"'"), old)
        text = text[: value.start] + new + text[value.end :]
    return text


def _iterate_values(found: MemberSpan, edit: ValueEdit) -> Iterator[SpanNode]:
    """Yield the scalar values of a member that may be replaced."""
    members = found.value.members
    if not members:
        yield found.value
    yield from (each.value for key, each in members.items() if key not in edit.kept)

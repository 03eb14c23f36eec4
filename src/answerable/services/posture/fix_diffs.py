"""Write the edit of a repair as a unified diff of the file that it changes.

A line that has more than the changed member is not shown, because it could have a
secret; the repair then has its general form. The line after the edit is shown as
context, without which `git apply` takes the edit for the end of the file, if it has a
name alone or the kind of a runner.
"""

import difflib
import re
from collections.abc import Iterator

from answerable.connectors.formats.span_tree import MemberSpan, SpanNode
from answerable.posture.rule import ValueEdit
from answerable.services.posture.evidence_lines import LineIndex

_ENDS = ("", ",", "}", "},")
_HARMLESS = re.compile(
    r"\s*(?:[a-z-]{1,40}:|runs-on: (?:ubuntu|windows|macos)-[a-z0-9.-]{1,20}|)\s*",
    re.ASCII,
)


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
    return "".join(_build_hunks(text.split("\n"), changed.split("\n"), path))


def _build_hunks(old: list[str], new: list[str], path: str) -> Iterator[str]:
    """Yield the lines of a unified diff: each hunk with at most one line of context."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    edits = [each for each in matcher.get_opcodes() if each[0] != "equal"]
    if edits:
        yield f"--- a/{path}\n+++ b/{path}\n"
    for at, (_, start, end, new_start, new_end) in enumerate(edits):
        following = edits[at + 1][1] if at + 1 < len(edits) else len(old) - 1
        shown = end < following and _HARMLESS.fullmatch(old[end])
        context = old[end : end + 1] if shown else []
        before = _format_range(start, end - start + len(context))
        after = _format_range(new_start, new_end - new_start + len(context))
        yield f"@@ -{before} +{after} @@\n"
        yield from (f"-{each}\n" for each in old[start:end])
        yield from (f"+{each}\n" for each in new[new_start:new_end])
        yield from (f" {each}\n" for each in context)


def _format_range(start: int, count: int) -> str:
    """Format the first line and the number of lines; an empty range has the line before."""
    return f"{start + 1 if count else start},{count}"


def _insert_member(text: str, holder: SpanNode, edit: ValueEdit) -> str:
    """Insert a member before another one of an object, whose line can be shown."""
    for each in sorted(holder.members.values(), key=lambda member: member.start):
        begin = text.rfind("\n", 0, each.start) + 1
        line = text[begin:].partition("\n")[0]
        indent = text[begin : each.start]
        if not indent.strip() and _HARMLESS.fullmatch(line):
            end = "\r\n" if line.endswith("\r") else "\n"
            added = f"{indent}{edit.member}: {edit.missing}{end}"
            return text[:begin] + added + text[begin:]
    return text


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

"""Format a comparison as Markdown for a comment on a pull request."""

from collections.abc import Mapping

from answerable.export.report import escape_markdown
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.text import sanitize

MARKER = "<!-- answerable diff -->"  # lets a workflow update its earlier comment
_MOST = 50


def format_difference_comment(document: Document, before: str, after: str) -> str:
    """Format the changes as a Markdown table, most severe first, with what is missing."""
    changes = [e for e in document.items if e["change"] != "not-comparable"]
    rest = [e for e in document.items if e["change"] == "not-comparable"]
    grave = [each for each in changes if each["severity"] != "none"]
    title = (
        f"{len(grave)} changes add access"
        if len(grave) != 1
        else "1 change adds access"
    )
    none = "no compared change adds access" if rest else "no change adds access"
    lines = [MARKER, f"### Access: {title if grave else none}", ""]
    lines.append(
        f"{_quote_as_code(before)} compared with {_quote_as_code(after)}; {document.searched}."
    )
    if changes:
        lines += ["", "| severity | change | where |", "|---|---|---|"]
        lines += [_format_row(each) for each in changes[:_MOST]]
    if len(changes) > _MOST:
        lines += ["", f"{len(changes) - _MOST:,} more changes are not shown."]
    if rest:
        lines += ["", "**Not comparable**", ""]
        lines += [f"- {_escape_markdown(str(each['text']))}" for each in rest[:_MOST]]
    return "\n".join(lines)


def _format_row(item: Mapping[str, object]) -> str:
    """Format one change as a row of the table."""
    cells = (item["severity"], item["text"], item["place"])
    return "| " + " | ".join(_escape_markdown(str(cell)) for cell in cells) + " |"


def _quote_as_code(text: str) -> str:
    """Quote a side as code."""
    return f"`{sanitize(text).replace('`', '')}`"


def _escape_markdown(text: str) -> str:
    """Escape text from files, so that it adds no markup, link or mention."""
    return escape_markdown(sanitize(text))

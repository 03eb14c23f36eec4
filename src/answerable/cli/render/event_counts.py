"""Render event counts by field, with the times of the first and the last event."""

from collections import Counter
from collections.abc import Iterator, Mapping

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.cell_text import format_value
from answerable.presentation.relative_time import format_ago
from answerable.presentation.text import sanitize

_MOST_REASONS = 12

# Fields of an item that are not fields of `--by`.
COUNT_FIELDS = ("events", "denied", "outcome_unknown", "first", "last")
_CHANGE_FIELDS = (*COUNT_FIELDS, "state", "events_before", "why")


def render_counts(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render event counts as a table, grouped by the asked fields."""
    names = [name for name in document.items[0] if name not in COUNT_FIELDS]
    columns = [
        TableColumn("events", 0, right=True),
        TableColumn("denied", 0, right=True),
        TableColumn("first", len(names) + 1),
        TableColumn("last", len(names) + 2),
    ]
    columns += [TableColumn(name, at, floor=11) for at, name in enumerate(names, 1)]
    gap = screen.marks.hop["missing"].strip()
    rows = [
        (
            f"{item['events']:,}",
            _format_denied(item),
            format_ago(item["first"], now),
            format_ago(item["last"], now),
            *(
                format_value(item[name]) if item[name] is not None else gap
                for name in names
            ),
        )
        for item in document.items
    ]
    yield from render_table(columns, rows, screen, keep_together=True)
    if document.total >= 0:
        yield ""
        yield f"the largest {len(rows):,} of {document.total:,} counts"
    if any(item["outcome_unknown"] for item in document.items):
        yield ""
        yield "? the log does not contain the outcome of some events"
    if any(None in item.values() for item in document.items):
        yield ""
        yield f"{gap} missing: no source supplies it; --score names a source that would"


def _format_denied(item: Mapping[str, object]) -> str:
    """Format the number of denied events; a question mark if outcomes are unknown."""
    return f"{item['denied']:,}{'?' if item['outcome_unknown'] else ''}"


def render_window_changes(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render groups of events that are new, gone or changed since another window."""
    names = [name for name in document.items[0] if name not in _CHANGE_FIELDS]
    columns = [
        TableColumn("change", 0),
        TableColumn("before", 0, right=True),
        TableColumn("events", 0, right=True),
        *(TableColumn(name, at, floor=11) for at, name in enumerate(names, 1)),
    ]
    gap = screen.marks.hop["missing"].strip()
    rows = [
        (
            str(item["state"]),
            f"{item['events_before']:,}",
            f"{item['events']:,}",
            *(
                format_value(item[name]) if item[name] is not None else gap
                for name in names
            ),
        )
        for item in document.items
    ]
    yield from render_table(columns, rows, screen, keep_together=True)
    yield from render_unknown_changes(document, screen, now)


def render_unknown_changes(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render why some changes are not known."""
    if document.total >= 0:
        yield ""
        yield f"the first {len(document.items):,} of {document.total:,} changes"
    reasons = Counter(str(item["why"]) for item in document.items if item["why"])
    if reasons:
        yield ""
    for why, count in reasons.most_common(_MOST_REASONS):
        yield from screen.wrap(f"{count:,} not known: {sanitize(why)}", "    ")
    if len(reasons) > _MOST_REASONS:
        yield f"and {len(reasons) - _MOST_REASONS} more reasons; -o json lists them"

"""Render event counts by field, with the times of the first and the last event."""

from collections.abc import Iterator, Mapping

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.cell_text import format_value
from answerable.presentation.relative_time import format_ago

# Fields of an item that are not fields of `--by`.
COUNT_FIELDS = ("events", "denied", "outcome_unknown", "first", "last")


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
        yield f"{gap} missing: no source supplies it; --score names one that would"


def _format_denied(item: Mapping[str, object]) -> str:
    """Format the number of denied events; a question mark if outcomes are unknown."""
    return f"{item['denied']:,}{'?' if item['outcome_unknown'] else ''}"

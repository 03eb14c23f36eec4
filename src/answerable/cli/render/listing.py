"""Render the items of any document as a table, with the columns that its kind declares."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.columns import DocumentColumn, list_item_columns
from answerable.model.documents.registry import list_default_table_columns
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.cell_text import (
    CellContext,
    build_cell_context,
    format_cell,
    is_read_only_tool,
    list_accounts,
)
from answerable.presentation.column_selection import USUAL_COLUMNS, ColumnSelection
from answerable.presentation.text import cell_width, pad, sanitize

# Kinds whose columns are all narrowed before one is left out.
_NARROWED_KINDS = {
    "credentials",
    "scan",
    "show",
    "ingest",
    "trace",
    "trace-first-seen",
    "trace-unmediated",
    "asks",
    "amendments",
    "sts-rules",
}


def render_listing(
    document: Document,
    screen: Screen,
    now: int,
    selection: ColumnSelection = USUAL_COLUMNS,
) -> Iterator[str]:
    """Render a row per item; one item of a kind without a table as name-value lines."""
    columns = selection.list_table_columns(document)
    context = build_cell_context(document, now, screen.marks.ellipsis, screen.marks.hop)
    items: Iterable[Mapping[str, Any]] = document.items
    if document.kind == "tools":
        items = group_read_only_tools(document.items)
    rows = [[format_cell(each, item, context) for each in columns] for item in items]
    tabular = selection.names or list_default_table_columns(document)
    if len(rows) == 1 and len(columns) > 1 and not tabular:
        longest = max(cell_width(sanitize(each.name)) for each in columns)
        for column, cell in zip(columns, rows[0], strict=True):
            yield from render_field(column.name, cell, longest + 2, screen)
        return
    heads = [to_table_column(each) for each in columns]
    rows = [[cell.replace("\n", " ") for cell in row] for row in rows]
    yield from render_table(heads, rows, screen, document.kind in _NARROWED_KINDS)


def render_items(
    item_type: type, items: Sequence[Mapping[str, Any]], screen: Screen, now: int
) -> Iterator[str]:
    """Render the usual columns of items that are a part of a document."""
    columns = [each for each in list_item_columns(item_type) if each.is_visible]
    context = CellContext(now, screen.marks.ellipsis, list_accounts(columns, items))
    rows = [[format_cell(each, item, context) for each in columns] for item in items]
    yield from render_table([to_table_column(each) for each in columns], rows, screen)


def render_field(name: str, value: str, cells: int, screen: Screen) -> Iterator[str]:
    """Render a name-value line; further lines of the value are indented."""
    for at, line in enumerate(value.splitlines() or [""]):
        head = pad("" if at else sanitize(name), cells)
        yield from screen.wrap(head + sanitize(line), " " * cells)


def to_table_column(column: DocumentColumn) -> TableColumn:
    """Convert a document column to a column of a table."""
    declared = column.declared
    return TableColumn(
        sanitize(column.label), declared.importance, declared.floor, declared.right
    )


def group_read_only_tools(
    items: Iterable[Mapping[str, Any]],
) -> Iterator[Mapping[str, Any]]:
    """Join the built-in tools of an agent that read files or pages into one row.

    They are many and similar: those of one agent with the same rule and state.
    """
    groups: dict[tuple[object, ...], list[Mapping[str, Any]]] = {}
    for number, item in enumerate(items):
        rule = item["rule"].replace(item["server"], "")
        state = (item["enabled"], item["unattended"], rule)
        key: tuple[object, ...] = (number,)
        if is_read_only_tool(item):
            key = (item["agent"], item["target"], *state, *item["identities"])
        groups.setdefault(key, []).append(item)
    for found in groups.values():
        first, rest = found[0], "".join(f", {item['server']}" for item in found[1:])
        rule = first["rule"].replace(first["server"], first["server"] + rest)
        yield {**first, "id": first["id"] + rest, "rule": rule}

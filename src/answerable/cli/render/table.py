"""Lay out a table in the terminal width; unimportant columns are dropped."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.cli.render.screen import Screen
from answerable.presentation.text import cell_width, pad

_GAP = 2


@dataclass(frozen=True, slots=True)
class TableColumn:
    """Table column.

    Attributes:
        importance: 0 is kept longest; the highest number is dropped first.
        floor: Minimum width in cells; 0 if the column is never cut.
        right: Align numbers to the right.
    """

    head: str
    importance: int
    floor: int = 0
    right: bool = False


def render_table(
    columns: Sequence[TableColumn],
    rows: Sequence[Sequence[str]],
    screen: Screen,
    keep_together: bool = False,
) -> list[str]:
    """Lay out rows under their heads within the terminal width.

    Args:
        columns: One per cell of a row.
        rows: Cells of untrusted text; sanitized here.
        screen: Terminal.
        keep_together: Narrow all columns evenly; one is dropped if that is not enough.
    """
    cells = [[screen.sanitize_to_width(cell, 1_000) for cell in row] for row in rows]
    natural = [
        max(cell_width(column.head), *(cell_width(row[at]) for row in cells), 0)
        for at, column in enumerate(columns)
    ]
    # An empty column carries no information.
    kept = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    if keep_together:
        kept = _drop_columns_to_fit(columns, natural, kept, screen.width)
        natural = _narrow_widest(columns, natural, kept or [0], screen.width)
    kept, widths = _fit_columns(columns, natural, kept or [0], screen.width)
    lines = [_format_row([columns[at].head for at in kept], kept, columns, widths)]
    for row in cells:
        shown = [screen.sanitize_to_width(row[at], widths[at]) for at in kept]
        lines.append(_format_row(shown, kept, columns, widths))
    dropped = [
        column.head
        for at, column in enumerate(columns)
        if at not in kept and any(row[at] for row in cells)
    ]
    if dropped:
        lines += screen.wrap(f"not shown: {', '.join(dropped)} (--wide shows all)")
    return lines


def _drop_columns_to_fit(
    columns: Sequence[TableColumn],
    natural_widths: list[int],
    kept_columns: list[int],
    available: int,
) -> list[int]:
    """Drop the least important columns until the others fit at their minimum width."""
    kept = sorted(kept_columns, key=lambda at: (columns[at].importance, at))
    least = [
        min(width, _get_min_width(column, width))
        for column, width in zip(columns, natural_widths, strict=True)
    ]
    while len(kept) > 1 and _sum_widths(least, kept) > available:
        kept.pop()
    return sorted(kept)


def _fit_columns(
    columns: Sequence[TableColumn],
    natural_widths: list[int],
    kept_columns: list[int],
    available: int,
) -> tuple[list[int], list[int]]:
    """Choose columns and widths: the least important is narrowed, then dropped.

    A column is narrowed only when no less important one is left. Before one is dropped,
    all of its importance are narrowed.
    """
    kept_columns = [*kept_columns]
    while True:
        widths = [*natural_widths]
        over = _sum_widths(widths, kept_columns) - available
        if over <= 0:
            return kept_columns, widths
        if len(kept_columns) == 1:
            widths[kept_columns[0]] = available
            return kept_columns, widths
        least = max(columns[at].importance for at in kept_columns)
        group = [at for at in kept_columns if columns[at].importance == least]
        for at in reversed(group):
            room = widths[at] - _get_min_width(columns[at], natural_widths[at])
            narrowed = max(0, min(over, room))
            widths[at] -= narrowed
            over -= narrowed
        if not over:
            return kept_columns, widths
        kept_columns.remove(group[-1])


def _narrow_widest(
    columns: Sequence[TableColumn],
    natural_widths: list[int],
    kept_columns: list[int],
    available: int,
) -> list[int]:
    """Narrow the widest columns first, down to their minimum."""
    widths = [*natural_widths]
    while _sum_widths(widths, kept_columns) > available:
        loose = [
            at
            for at in kept_columns
            if widths[at] > _get_min_width(columns[at], natural_widths[at])
        ]
        if not loose:
            break
        widths[max(loose, key=lambda at: widths[at])] -= 1
    return widths


def _get_min_width(column: TableColumn, natural: int) -> int:
    """Return the minimum width of a column; a column without one is never cut."""
    return max(column.floor, cell_width(column.head)) if column.floor else natural


def _sum_widths(widths: list[int], kept_columns: list[int]) -> int:
    """Return the total width of the kept columns with the gaps between them."""
    return sum(widths[at] for at in kept_columns) + _GAP * (len(kept_columns) - 1)


def _format_row(
    cells: list[str],
    kept_columns: list[int],
    columns: Sequence[TableColumn],
    widths: list[int],
) -> str:
    """Pad the cells of a row to the column widths and join them."""
    padded = [
        pad(cell, widths[at], columns[at].right)
        for cell, at in zip(cells, kept_columns, strict=True)
    ]
    return (" " * _GAP).join(padded).rstrip()

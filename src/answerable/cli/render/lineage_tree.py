"""Draw lineage chains in six columns, from person to resource."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.lineage import format_legend, render_trace_notes
from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import TraceItem
from answerable.presentation.cell_text import format_hop
from answerable.presentation.chain_groups import (
    COLUMNS,
    ChainGroup,
    MissingHopNotes,
    get_hops_by_name,
    group_by_chain,
    is_hop_missing,
    number_missing_hops,
    shorten_hop_path,
)
from answerable.presentation.relative_time import format_ago
from answerable.presentation.text import cell_width, pad, sanitize, shorten, shorten_end

_STROKE_WIDTH = 4
# Below this width six columns show little but ellipses: one hop per line then.
_MIN_WIDTH = 100
_MIN_COLUMN_WIDTHS = (8, 8, 5, 12, 14, 14)

# Cell of the drawing: status of its hop (empty for no stroke) and text.
_Cell = tuple[str, str]
_EMPTY_CELL: _Cell = ("", "")


def render_tree(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Draw each chain once, with all of its acts."""
    chains = group_by_chain(cast("Sequence[TraceItem]", document.items))
    notes = number_missing_hops(document.items)
    grids = [_build_grid(chain, notes, screen) for chain in chains]
    wide = screen.width >= _MIN_WIDTH
    widths = _distribute_width([row for grid in grids for row in grid], screen)
    if wide:
        yield _draw_row([("", name) for name in COLUMNS], widths, screen)
    for number, (chain, grid) in enumerate(zip(chains, grids, strict=True)):
        if number:
            yield ""
        yield _format_times(chain, now)
        for row in grid if wide else ():
            yield _draw_row(row, widths, screen)
        if not wide:
            yield from _draw_vertically(grid, screen)
    yield from render_trace_notes(document, screen, now)
    yield from screen.wrap(format_legend(screen.marks.hops, screen))


def _format_times(chain: ChainGroup, now: int) -> str:
    """Format the number of events and the ages of the first and the last."""
    times = [item["event_time"] for item in chain.items]
    first, last = format_ago(min(times), now), format_ago(max(times), now)
    count = "1 event" if len(times) == 1 else f"{len(times):,} events"
    return f"{count}, {last}" if first == last else f"{count}, {first} to {last}"


def _build_grid(
    chain: ChainGroup, notes: MissingHopNotes, screen: Screen
) -> list[list[_Cell]]:
    """Build the grid of a chain: a column of cells per hop."""
    hops = get_hops_by_name(chain.item)
    columns: list[list[_Cell]] = []
    for name, path in (
        ("person", []),
        ("agent", chain.item["agent_path"]),
        ("tool", []),
        ("identity", chain.item["identity_path"]),
    ):
        names = [format_hop(name, hops[name], chain.item, notes)]
        if len(path) > 1 and not is_hop_missing(hops[name]):
            names = _indent_path(shorten_hop_path(name, path), screen)
        columns.append([(hops[name]["status"], text) for text in names])
    columns.append(
        [_build_action_cell(items, notes, screen) for items in chain.acts.values()]
    )
    columns.append(
        [
            (found["status"], format_hop("resource", found, items[0], notes))
            for items in chain.acts.values()
            for found in [get_hops_by_name(items[0])["resource"]]
        ]
    )
    height = max(map(len, columns))
    for column in columns:
        column += [_EMPTY_CELL] * (height - len(column))
    return [list(row) for row in zip(*columns, strict=True)]


def _build_action_cell(
    items: Sequence[TraceItem], notes: MissingHopNotes, screen: Screen
) -> _Cell:
    """Build the cell of an action: outcome unless a success, number of events."""
    hop = get_hops_by_name(items[0])["action"]
    text = format_hop("action", hop, items[0], notes)
    if items[0]["outcome"] not in ("success", ""):
        text += f" ({sanitize(items[0]['outcome'])})"
    if len(items) > 1:
        text += f" {screen.marks.times}{len(items):,}"
    return hop["status"], text


def _indent_path(names: Sequence[str], screen: Screen) -> list[str]:
    """Indent each name of a path under its predecessor."""
    return [
        ("  " * (depth - 1) + screen.marks.branch if depth else "") + name
        for depth, name in enumerate(names)
    ]


def _distribute_width(grid: list[list[_Cell]], screen: Screen) -> list[int]:
    """Distribute the terminal width over the columns; the widest are narrowed first."""
    widths = [
        max(len(name), *(cell_width(row[at][1]) for row in grid))
        for at, name in enumerate(COLUMNS)
    ]
    room = screen.width - (_STROKE_WIDTH + 1) * len(COLUMNS) + 1
    while sum(widths) > room:
        loose = [
            at for at, floor in enumerate(_MIN_COLUMN_WIDTHS) if widths[at] > floor
        ]
        if not loose:
            break
        widths[max(loose, key=lambda at: widths[at])] -= 1
    return widths


def _draw_row(row: Sequence[_Cell], widths: Sequence[int], screen: Screen) -> str:
    """Draw a row of cells, each with the mark of its hop status before it."""
    line = ""
    for at, ((status, text), cells) in enumerate(zip(row, widths, strict=True)):
        cut = shorten_end if at == 0 else shorten
        line += _format_hop_line(status, screen)
        line += pad(cut(text, cells, screen.marks.ellipsis), cells) + " "
    return line.rstrip()


def _format_hop_line(status: str, screen: Screen) -> str:
    """Return the line that connects to a hop, drawn by the hop's status."""
    return pad(screen.marks.hops.get(status, "?") if status else "", _STROKE_WIDTH)


def _draw_vertically(grid: list[list[_Cell]], screen: Screen) -> Iterator[str]:
    """Draw a chain vertically, one hop per line, for a narrow terminal."""
    room = screen.width - 10 - _STROKE_WIDTH
    for at, name in enumerate(COLUMNS[:4]):
        head = name
        for status, text in (row[at] for row in grid if row[at] != _EMPTY_CELL):
            shown = shorten(text, room, screen.marks.ellipsis)
            yield f"{pad(head, 9)} {_format_hop_line(status, screen)}{shown}"
            head = ""
    for row in grid:
        if row[4] != _EMPTY_CELL:
            what = f"{row[4][1]} {row[5][1]}"
            yield "  " + shorten(what, screen.width - 2, screen.marks.ellipsis)

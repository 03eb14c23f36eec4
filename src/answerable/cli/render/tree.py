"""Chains in six columns: person | agent | tool | identity | action | resource."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.lineage import Notes, action_of, legend, part_of, role_owners
from answerable.cli.render.screen import Screen
from answerable.model.documents.core import Document
from answerable.model.documents.trace import TraceItem
from answerable.presentation.chain_groups import (
    COLUMNS,
    Grouped,
    grouped,
    hops_of,
    is_missing,
    relative,
)
from answerable.presentation.relative_time import ago
from answerable.presentation.text import pad, shorten, shorten_end, width

_STROKE = 4
# Below this width six columns show little but ellipses: one hop per line then.
_NARROWEST = 100
_FLOORS = (8, 8, 5, 12, 14, 14)

# Cell of the drawing: status of its hop (empty for no stroke) and text.
_Cell = tuple[str, str]
_NOTHING: _Cell = ("", "")


def tree(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Draw each chain once, with all of its acts."""
    chains = grouped(cast("Sequence[TraceItem]", document.items))
    notes = Notes()
    grids = [_grid(chain, notes, screen) for chain in chains]
    wide = screen.width >= _NARROWEST
    widths = _widths([row for grid in grids for row in grid], screen)
    if wide:
        yield _draw([("", name) for name in COLUMNS], widths, screen)
    for number, (chain, grid) in enumerate(zip(chains, grids, strict=True)):
        if number:
            yield ""
        yield _when(chain, now)
        for row in grid if wide else ():
            yield _draw(row, widths, screen)
        if not wide:
            yield from _tall(grid, screen)
    yield ""
    yield from part_of(document)
    yield from notes.lines(screen)
    yield from role_owners(cast("Sequence[TraceItem]", document.items), screen)
    yield from screen.wrap(legend(screen.marks.hops, screen))


def _when(chain: Grouped, now: int) -> str:
    times = [item["event_time"] for item in chain.items]
    first, last = ago(min(times), now), ago(max(times), now)
    count = "1 event" if len(times) == 1 else f"{len(times):,} events"
    return f"{count}, {last}" if first == last else f"{count}, {first} to {last}"


def _grid(chain: Grouped, notes: Notes, screen: Screen) -> list[list[_Cell]]:
    """Build the grid of a chain: a column of cells per hop."""
    hops = hops_of(chain.item)
    columns: list[list[_Cell]] = []
    for name, path in (
        ("person", []),
        ("agent", chain.item["agent_path"]),
        ("tool", []),
        ("identity", chain.item["identity_path"]),
    ):
        names = [notes.node(name, hops[name])]
        if len(path) > 1 and not is_missing(hops[name]):
            names = _indented(relative(name, path), screen)
        columns.append([(hops[name]["status"], text) for text in names])
    columns.append([_action(items, notes, screen) for items in chain.acts.values()])
    columns.append(
        [
            (found["status"], notes.node("resource", found))
            for items in chain.acts.values()
            for found in [hops_of(items[0])["resource"]]
        ]
    )
    height = max(map(len, columns))
    for column in columns:
        column += [_NOTHING] * (height - len(column))
    return [list(row) for row in zip(*columns, strict=True)]


def _action(items: Sequence[TraceItem], notes: Notes, screen: Screen) -> _Cell:
    text = action_of(items[0], notes)
    if len(items) > 1:
        text += f" {screen.marks.times}{len(items):,}"
    return hops_of(items[0])["action"]["status"], text


def _indented(names: Sequence[str], screen: Screen) -> list[str]:
    """Indent each name of a path under its predecessor."""
    return [
        ("  " * (depth - 1) + screen.marks.branch if depth else "") + name
        for depth, name in enumerate(names)
    ]


def _widths(grid: list[list[_Cell]], screen: Screen) -> list[int]:
    """Share the width between columns; the widest are narrowed first."""
    widths = [
        max(len(name), *(width(row[at][1]) for row in grid))
        for at, name in enumerate(COLUMNS)
    ]
    room = screen.width - (_STROKE + 1) * len(COLUMNS) + 1
    while sum(widths) > room:
        loose = [at for at, floor in enumerate(_FLOORS) if widths[at] > floor]
        if not loose:
            break
        widths[max(loose, key=lambda at: widths[at])] -= 1
    return widths


def _draw(row: Sequence[_Cell], widths: Sequence[int], screen: Screen) -> str:
    line = ""
    for at, ((status, text), cells) in enumerate(zip(row, widths, strict=True)):
        cut = shorten_end if at == 0 else shorten
        line += _stroke(status, screen)
        line += pad(cut(text, cells, screen.marks.ellipsis), cells) + " "
    return line.rstrip()


def _stroke(status: str, screen: Screen) -> str:
    return pad(screen.marks.hops.get(status, "?") if status else "", _STROKE)


def _tall(grid: list[list[_Cell]], screen: Screen) -> Iterator[str]:
    """Draw a chain vertically, one hop per line, for a narrow terminal."""
    room = screen.width - 10 - _STROKE
    for at, name in enumerate(COLUMNS[:4]):
        head = name
        for status, text in (row[at] for row in grid if row[at] != _NOTHING):
            shown = shorten(text, room, screen.marks.ellipsis)
            yield f"{pad(head, 9)} {_stroke(status, screen)}{shown}"
            head = ""
    for row in grid:
        if row[4] != _NOTHING:
            what = f"{row[4][1]} {row[5][1]}"
            yield "  " + shorten(what, screen.width - 2, screen.marks.ellipsis)

"""Lineage in six columns: person | agent | tool | identity | action | resource."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from answerable.cli.look.ages import ago
from answerable.cli.look.screen import Screen
from answerable.cli.look.table import Column, table
from answerable.cli.look.text import pad, safe, shorten, width
from answerable.model.document import Document, HopItem, TraceItem

COLUMNS = ("person", "agent", "tool", "identity", "action", "resource")
_STROKE = 4
_NARROWEST_CELL = 9
# Below this the six columns would show nothing but ellipses: one hop a line then.
_NARROWEST = 6 * (_NARROWEST_CELL + _STROKE)
_PREFIXES = {"person": "person:", "agent": "agent:", "tool": "tool:mcp/"}
# Who did it and on what tells most; how is known by fewer columns.
_IMPORTANCE = {
    "person": 3,
    "agent": 4,
    "tool": 5,
    "identity": 1,
    "action": 0,
    "resource": 2,
}


def _hops(item: TraceItem) -> dict[str, HopItem]:
    return cast("dict[str, HopItem]", item["hops"])


def _node(name: str, hop: HopItem) -> str:
    """Show what stands at a hop; a missing one names the source that would say."""
    if hop["status"] == "missing" or not hop["value"]:
        return f"({safe(hop['source'] or 'unknown')})"
    value = hop["value"].removeprefix(_PREFIXES.get(name, ""))
    if name == "identity":
        value = _brief_identity(value)
    return safe(value)


def _brief_identity(value: str) -> str:
    """Leave out of an ARN what does not tell identities of one account apart."""
    parts = value.split(":", 5)
    return parts[5] if len(parts) == 6 and parts[0] == "arn" else value


def rows(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """One row per event; the mark before a value says how it is known."""
    items = cast("Sequence[TraceItem]", document.items)
    columns = (
        Column("when", 6),
        *(Column(name, _IMPORTANCE[name], floor=12) for name in COLUMNS),
        Column("outcome", 7),
    )
    cells = []
    for item in items:
        hops = _hops(item)
        cells.append(
            (
                ago(item["event_time"], now),
                *(
                    f"{screen.marks.hop.get(hops[name]['status'], '?')} "
                    f"{_node(name, hops[name])}"
                    for name in COLUMNS
                ),
                "" if item["outcome"] == "success" else item["outcome"],
            )
        )
    yield from table(columns, cells, screen)
    yield legend(screen)


def legend(screen: Screen) -> str:
    """Explain the strokes, in the order of how much they tell."""
    return "hops: " + screen.marks.dot.join(
        f"{stroke.strip()} {status}" for status, stroke in screen.marks.hops.items()
    )


@dataclass(slots=True)
class _Chain:
    """Events of one chain: the same four hops, and what was done with them."""

    item: TraceItem
    done: dict[tuple[str, str, str], list[TraceItem]] = field(default_factory=dict)


def _chains(items: Sequence[TraceItem]) -> list[_Chain]:
    chains: dict[str, _Chain] = {}
    for item in items:
        hops = _hops(item)
        key = repr([item["agent_path"], *(hops[name] for name in COLUMNS[:4])])
        chain = chains.setdefault(key, _Chain(item))
        act = (hops["action"]["value"], hops["resource"]["value"], item["outcome"])
        chain.done.setdefault(act, []).append(item)
    return list(chains.values())


def tree(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Draw each chain once, and beside it everything it did."""
    chains = _chains(cast("Sequence[TraceItem]", document.items))
    if screen.width < _NARROWEST:
        yield from _tall(chains, screen, now)
        return
    grids = [_grid(chain, screen, now) for chain in chains]
    widths = _widths([row for grid in grids for row in grid], screen)
    yield _draw([("", name) for name in COLUMNS], widths, screen)
    for number, grid in enumerate(grids):
        if number:
            yield ""
        for row in grid:
            yield _draw(row, widths, screen)
    yield ""
    yield legend(screen)


def _fit(text: str, cells: int, screen: Screen) -> tuple[str, int]:
    return shorten(text, cells, screen.marks.ellipsis), cells


# A cell of the drawing: the status of its hop (empty for no stroke) and its text.
_Cell = tuple[str, str]


def _grid(chain: _Chain, screen: Screen, now: int) -> list[list[_Cell]]:
    """Lay one chain out: its hops above, sub-agents below them, acts at the right."""
    hops = _hops(chain.item)
    head = [(hops[name]["status"], _node(name, hops[name])) for name in COLUMNS[:4]]
    agents = _agents(chain.item, screen)
    if agents:
        head[1] = (hops["agent"]["status"], agents[0])
    lines: list[list[_Cell]] = []
    acts = list(chain.done.items())
    for at in range(max(len(acts), len(agents), 1)):
        left: list[_Cell] = [*head] if at == 0 else [("", "")] * 4
        if 0 < at < len(agents):
            left[1] = (hops["agent"]["status"], agents[at])
        right: list[_Cell] = [("", ""), ("", "")]
        if at < len(acts):
            (_, _, outcome), items = acts[at]
            mine = _hops(items[0])
            action = _node("action", mine["action"])
            if outcome != "success":
                action += f" ({safe(outcome)})"
            count = f" {screen.marks.times}{len(items)}" if len(items) > 1 else ""
            right = [
                (mine["action"]["status"], action + count),
                (mine["resource"]["status"], _node("resource", mine["resource"])),
            ]
        lines.append(left + right)
    return lines


def _agents(item: TraceItem, screen: Screen) -> list[str]:
    """List the agents from root to leaf, each sub-agent indented under its parent."""
    names = [safe(name.removeprefix("agent:")) for name in item["agent_path"]]
    if len(names) < 2:
        return []
    return [
        ("  " * (depth - 1) + screen.marks.branch if depth else "") + name
        for depth, name in enumerate(names)
    ]


def _widths(grid: list[list[_Cell]], screen: Screen) -> list[int]:
    """Share the width: every column what it needs, the widest give first."""
    widths = [
        max(len(name), *(width(row[at][1]) for row in grid))
        for at, name in enumerate(COLUMNS)
    ]
    room = screen.width - _STROKE * len(COLUMNS) - len(COLUMNS)
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda at: widths[at])
        if widths[widest] <= _NARROWEST_CELL - 1:
            break
        widths[widest] -= 1
    return widths


def _draw(row: list[_Cell], widths: list[int], screen: Screen) -> str:
    line = ""
    for (status, text), cells in zip(row, widths, strict=True):
        stroke = screen.marks.hops.get(status, "?   ") if status else ""
        line += pad(stroke, _STROKE) + pad(*_fit(text, cells, screen)) + " "
    return line.rstrip()


def _tall(chains: list[_Chain], screen: Screen, now: int) -> Iterator[str]:
    """Draw a chain downwards, one hop a line, for a narrow terminal."""
    for number, chain in enumerate(chains):
        if number:
            yield ""
        hops = _hops(chain.item)
        agents = _agents(chain.item, screen)
        for name in COLUMNS[:4]:
            stroke = screen.marks.hops.get(hops[name]["status"], "?   ")
            texts = agents if name == "agent" and agents else [_node(name, hops[name])]
            for at, text in enumerate(texts):
                head = pad("" if at else name, 8) + pad(stroke, _STROKE) + " "
                yield head + shorten(text, screen.width - 13, screen.marks.ellipsis)
        for (action, resource, outcome), items in chain.done.items():
            said = safe(action) + (
                "" if outcome == "success" else f" ({safe(outcome)})"
            )
            count = f" {screen.marks.times}{len(items)}" if len(items) > 1 else ""
            what = f"{said}{count} {safe(resource)}"
            yield "  " + shorten(what, screen.width - 2, screen.marks.ellipsis)
    yield ""
    yield from screen.wrap(legend(screen))

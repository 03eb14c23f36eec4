"""Chain diagrams: six columns on wide screens, one hop per line on narrow ones.

The line style shows how a hop is known: solid observed, dashed declared, dotted
inferred. A missing hop is a hollow box that names the source that would supply it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from answerable.presentation.chain_groups import (
    COLUMNS,
    ChainGroup,
    MissingHopNotes,
    hops_by_name,
    is_missing,
)
from answerable.web.svg.chain_layout import (
    ChainLinks,
    ChainNode,
    PlacedChain,
    place_chains,
)
from answerable.web.svg.elements import (
    SvgMarkup,
    build_element,
    build_link,
    build_tooltip,
    escape_text,
)

WIDTH, NARROW = 1240, 360
_LEFT = (0, 180, 400, 580, 806, 1020)  # of each column
_WIDE = (156, 196, 156, 202, 190, 220)
_LETTER = 7.0  # of a fixed font of 11.5 px
_ROW, _BOX, _PAD, _STEP = 30, 23, 7, 14
_HEAD, _WHEN = 24, 19
_CELLS = tuple(int((wide - 2 * _PAD) / _LETTER) for wide in _WIDE)
_NARROW_LEFT = 84
_NARROW_CELLS = int((NARROW - _NARROW_LEFT - 2 * _PAD) / _LETTER)
_MAX_DESCRIBED = 30


@dataclass(frozen=True, slots=True)
class ChainDiagram:
    """Diagram of chains.

    Attributes:
        wide: All chains in six columns.
        narrow: Each chain, one hop per line.
        gaps: Source for each missing hop: (number, hop, source).
        left: Number of chains that are not drawn.
    """

    wide: SvgMarkup
    narrow: Sequence[SvgMarkup]
    gaps: Sequence[tuple[int, str, str]]
    left: int


def draw_chains(
    groups: Sequence[ChainGroup], ways: ChainLinks, times: Sequence[str]
) -> ChainDiagram:
    """Draw chains.

    Args:
        times: For each chain its number of events and time range, as text.
    """
    gaps = MissingHopNotes()
    shown = list(place_chains(groups, ways, gaps, _CELLS))
    cells = (_NARROW_CELLS,) * len(COLUMNS)
    tall = [next(place_chains([each.group], ways, gaps, cells)) for each in shown]
    return ChainDiagram(
        _draw_wide(shown, times),
        [_draw_narrow(each, when) for each, when in zip(tall, times, strict=False)],
        [(number, name, why) for (name, why), number in gaps.numbers.items()],
        len(groups) - len(shown),
    )


def describe_chain(group: ChainGroup) -> str:
    """Describe a chain in a sentence."""
    hops = hops_by_name(group.item)
    parts = []
    for name in COLUMNS[:4]:
        hop = hops[name]
        if is_missing(hop):
            parts.append(f"{name} missing ({hop['source'] or 'no source is known'})")
        else:
            parts.append(f"{name} {hop['value']} ({hop['status']})")
    done = [
        f"{hops_by_name(act.item)['action']['value']} on "
        f"{act.resource or 'a resource that is not named'} "
        f"({act.item['outcome'] or 'no outcome recorded'}, {len(act.items)})"
        for act in group.merged_acts()
    ]
    return f"{', '.join(parts)}: {'; '.join(done[:_MAX_DESCRIBED])}"


def _draw_wide(shown: Sequence[PlacedChain], times: Sequence[str]) -> SvgMarkup:
    parts = [
        build_element("text", {"x": left, "y": 14, "class": "head"}, escape_text(name))
        for left, name in zip(_LEFT, COLUMNS, strict=True)
    ]
    y = _HEAD
    for place, when in zip(shown, times, strict=False):
        parts.append(
            build_element(
                "text", {"x": 0, "y": y + 12, "class": "soft"}, escape_text(when)
            )
        )
        parts += _draw_row(place, y + _WHEN)
        y += _WHEN + place.rows * _ROW + 8
    return _svg_element("wide", WIDTH, y, shown, parts)


def _svg_element(
    name: str,
    width: int,
    height: int,
    shown: Sequence[PlacedChain],
    parts: Sequence[str],
) -> SvgMarkup:
    # A group and no image: an image may hold no links.
    said = {
        "class": f"drawn chains {name}",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "group",
        "aria-label": f"{len(shown)} chains: {' | '.join(COLUMNS)}",
    }
    text = "\n".join(describe_chain(place.group) for place in shown)
    return SvgMarkup(
        build_element("svg", said, build_element("desc", {}, escape_text(text)), *parts)
    )


def _draw_row(place: PlacedChain, top: int) -> list[str]:
    columns = place.columns
    lines: list[str] = []
    for nodes in columns[:4]:
        lines += [_draw_nesting(one, two, top) for one, two in pairwise(nodes)]
    for before, after in pairwise(columns[:4]):
        lines.append(_draw_edge(before[-1], after[0], top))
    lines += [_draw_edge(columns[3][-1], act, top) for act in columns[4]]
    lines += [
        _draw_edge(act, what, top)
        for act, what in zip(columns[4], columns[5], strict=True)
    ]
    return [*lines, *(_draw_node(node, top) for nodes in columns for node in nodes)]


def _node_edges(node: ChainNode) -> tuple[float, float]:
    indent = min(node.depth * _STEP, _WIDE[node.column] // 2)
    left = _LEFT[node.column] + indent
    return left, _LEFT[node.column] + _WIDE[node.column]


def _node_center(node: ChainNode, top: int) -> float:
    return top + node.row * _ROW + _BOX / 2


def _draw_edge(one: ChainNode, two: ChainNode, top: int) -> str:
    x, y = _node_edges(one)[1], _node_center(one, top)
    to_x, to_y = _node_edges(two)[0], _node_center(two, top)
    way = f"M{x:g} {y:g}"
    half = (x + to_x) / 2
    way += (
        f"H{to_x:g}"
        if y == to_y
        else f"C{half:g} {y:g} {half:g} {to_y:g} {to_x:g} {to_y:g}"
    )
    return build_element("path", {"d": way, "class": f"line {two.status}"})


def _draw_nesting(one: ChainNode, two: ChainNode, top: int) -> str:
    x = _node_edges(one)[0] + _STEP / 2
    y = top + one.row * _ROW + _BOX
    way = f"M{x:g} {y:g}V{_node_center(two, top):g}H{_node_edges(two)[0]:g}"
    return build_element("path", {"d": way, "class": f"line {two.status}"})


def _draw_node(node: ChainNode, top: int) -> str:
    left, right = _node_edges(node)
    return _draw_box(node, left, top + node.row * _ROW, right - left)


def _draw_box(node: ChainNode, x: float, y: float, width: float) -> str:
    frame = "gap" if node.status == "missing" else "box"
    ended = f" {node.ended}" if node.ended in ("denied", "error") else ""
    place = {"x": x + 0.5, "y": y + 0.5, "width": width - 1, "height": _BOX - 1}
    made = build_element(
        "g",
        {"class": f"node{ended}"},
        build_tooltip(node.whole),
        build_element("rect", {**place, "rx": 3, "class": frame}),
        build_element(
            "text",
            {"x": x + _PAD, "y": y + 15.5, "class": "id"},
            escape_text(node.text),
        ),
    )
    return build_link(node.to, made) if node.to else made


def _draw_narrow(place: PlacedChain, when: str) -> SvgMarkup:
    parts = [
        build_element("text", {"x": 0, "y": 12, "class": "soft"}, escape_text(when))
    ]
    y, number = _WHEN, 0
    for column, nodes in enumerate(place.columns[:4]):
        for at, node in enumerate(nodes):
            label = COLUMNS[column] if at == 0 else ""
            parts += _draw_line(label, node, y, number > 0)
            y, number = y + _ROW, number + 1
    for act, what in zip(place.columns[4], place.columns[5], strict=True):
        for label, node in (("action", act), ("resource", what)):
            parts += _draw_line(label, node, y, True)
            y += _ROW
        y += 4
    return _svg_element("narrow", NARROW, y, [place], parts)


def _draw_line(label: str, node: ChainNode, y: int, led: bool) -> list[str]:
    indent = min(node.depth, 5) * _STEP
    left = _NARROW_LEFT + indent
    stem = _NARROW_LEFT - 14
    parts = [
        build_element(
            "text", {"x": 0, "y": y + 15.5, "class": "soft"}, escape_text(label)
        ),
        _draw_box(node, left, y, NARROW - left),
    ]
    if led:
        way = f"M{stem} {y - _ROW + _BOX / 2:g}V{y + _BOX / 2:g}H{left}"
        parts.append(build_element("path", {"d": way, "class": f"line {node.status}"}))
    return parts

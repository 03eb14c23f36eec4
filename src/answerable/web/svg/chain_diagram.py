"""Chain diagrams: six columns on wide screens, one hop per line on narrow ones.

The line style shows how a hop is known: solid observed, dashed declared, dotted
inferred. A missing hop is a hollow box that names the source that would supply it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from answerable.presentation.chain_groups import (
    COLUMNS,
    Gaps,
    Grouped,
    hops_of,
    is_missing,
)
from answerable.web.svg.chain_layout import Node, Placed, Ways, placed
from answerable.web.svg.elements import Svg, element, link, title, words

WIDTH, NARROW = 1240, 360
_LEFT = (0, 180, 400, 580, 806, 1020)  # of each column
_WIDE = (156, 196, 156, 202, 190, 220)
_LETTER = 7.0  # of a fixed font of 11.5 px
_ROW, _BOX, _PAD, _STEP = 30, 23, 7, 14
_HEAD, _WHEN = 24, 19
_CELLS = tuple(int((wide - 2 * _PAD) / _LETTER) for wide in _WIDE)
_NARROW_LEFT = 84
_NARROW_CELLS = int((NARROW - _NARROW_LEFT - 2 * _PAD) / _LETTER)
_MOST_TOLD = 30


@dataclass(frozen=True, slots=True)
class Picture:
    """Diagram of chains.

    Attributes:
        wide: All chains in six columns.
        narrow: Each chain, one hop per line.
        gaps: Source for each missing hop: (number, hop, source).
        left: Number of chains that are not drawn.
    """

    wide: Svg
    narrow: Sequence[Svg]
    gaps: Sequence[tuple[int, str, str]]
    left: int


def picture(groups: Sequence[Grouped], ways: Ways, times: Sequence[str]) -> Picture:
    """Draw chains.

    Args:
        times: For each chain its number of events and time range, as text.
    """
    gaps = Gaps()
    shown = list(placed(groups, ways, gaps, _CELLS))
    cells = (_NARROW_CELLS,) * len(COLUMNS)
    tall = [next(placed([each.group], ways, gaps, cells)) for each in shown]
    return Picture(
        _wide(shown, times),
        [_narrow(each, when) for each, when in zip(tall, times, strict=False)],
        [(number, name, why) for (name, why), number in gaps.numbers.items()],
        len(groups) - len(shown),
    )


def told(group: Grouped) -> str:
    """Describe a chain in a sentence."""
    hops = hops_of(group.item)
    parts = []
    for name in COLUMNS[:4]:
        hop = hops[name]
        if is_missing(hop):
            parts.append(f"{name} missing ({hop['source'] or 'no source is known'})")
        else:
            parts.append(f"{name} {hop['value']} ({hop['status']})")
    done = [
        f"{hops_of(act.item)['action']['value']} on "
        f"{act.resource or 'a resource that is not named'} "
        f"({act.item['outcome'] or 'no outcome recorded'}, {len(act.items)})"
        for act in group.together()
    ]
    return f"{', '.join(parts)}: {'; '.join(done[:_MOST_TOLD])}"


def _wide(shown: Sequence[Placed], times: Sequence[str]) -> Svg:
    parts = [
        element("text", {"x": left, "y": 14, "class": "head"}, words(name))
        for left, name in zip(_LEFT, COLUMNS, strict=True)
    ]
    y = _HEAD
    for place, when in zip(shown, times, strict=False):
        parts.append(
            element("text", {"x": 0, "y": y + 12, "class": "soft"}, words(when))
        )
        parts += _band(place, y + _WHEN)
        y += _WHEN + place.rows * _ROW + 8
    return _svg("wide", WIDTH, y, shown, parts)


def _svg(
    name: str, width: int, height: int, shown: Sequence[Placed], parts: Sequence[str]
) -> Svg:
    # A group and no image: an image may hold no links.
    said = {
        "class": f"drawn chains {name}",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "group",
        "aria-label": f"{len(shown)} chains: {' | '.join(COLUMNS)}",
    }
    text = "\n".join(told(place.group) for place in shown)
    return Svg(element("svg", said, element("desc", {}, words(text)), *parts))


def _band(place: Placed, top: int) -> list[str]:
    columns = place.columns
    lines: list[str] = []
    for nodes in columns[:4]:
        lines += [_down(one, two, top) for one, two in pairwise(nodes)]
    for before, after in pairwise(columns[:4]):
        lines.append(_across(before[-1], after[0], top))
    lines += [_across(columns[3][-1], act, top) for act in columns[4]]
    lines += [
        _across(act, what, top)
        for act, what in zip(columns[4], columns[5], strict=True)
    ]
    return [*lines, *(_node(node, top) for nodes in columns for node in nodes)]


def _edges(node: Node) -> tuple[float, float]:
    indent = min(node.depth * _STEP, _WIDE[node.column] // 2)
    left = _LEFT[node.column] + indent
    return left, _LEFT[node.column] + _WIDE[node.column]


def _middle(node: Node, top: int) -> float:
    return top + node.row * _ROW + _BOX / 2


def _across(one: Node, two: Node, top: int) -> str:
    x, y = _edges(one)[1], _middle(one, top)
    to_x, to_y = _edges(two)[0], _middle(two, top)
    way = f"M{x:g} {y:g}"
    half = (x + to_x) / 2
    way += (
        f"H{to_x:g}"
        if y == to_y
        else f"C{half:g} {y:g} {half:g} {to_y:g} {to_x:g} {to_y:g}"
    )
    return element("path", {"d": way, "class": f"line {two.status}"})


def _down(one: Node, two: Node, top: int) -> str:
    x = _edges(one)[0] + _STEP / 2
    y = top + one.row * _ROW + _BOX
    way = f"M{x:g} {y:g}V{_middle(two, top):g}H{_edges(two)[0]:g}"
    return element("path", {"d": way, "class": f"line {two.status}"})


def _node(node: Node, top: int) -> str:
    left, right = _edges(node)
    return _box(node, left, top + node.row * _ROW, right - left)


def _box(node: Node, x: float, y: float, width: float) -> str:
    frame = "gap" if node.status == "missing" else "box"
    ended = f" {node.ended}" if node.ended in ("denied", "error") else ""
    place = {"x": x + 0.5, "y": y + 0.5, "width": width - 1, "height": _BOX - 1}
    made = element(
        "g",
        {"class": f"node{ended}"},
        title(node.whole),
        element("rect", {**place, "rx": 3, "class": frame}),
        element(
            "text", {"x": x + _PAD, "y": y + 15.5, "class": "id"}, words(node.text)
        ),
    )
    return link(node.to, made) if node.to else made


def _narrow(place: Placed, when: str) -> Svg:
    parts = [element("text", {"x": 0, "y": 12, "class": "soft"}, words(when))]
    y, number = _WHEN, 0
    for column, nodes in enumerate(place.columns[:4]):
        for at, node in enumerate(nodes):
            label = COLUMNS[column] if at == 0 else ""
            parts += _line(label, node, y, number > 0)
            y, number = y + _ROW, number + 1
    for act, what in zip(place.columns[4], place.columns[5], strict=True):
        for label, node in (("action", act), ("resource", what)):
            parts += _line(label, node, y, True)
            y += _ROW
        y += 4
    return _svg("narrow", NARROW, y, [place], parts)


def _line(label: str, node: Node, y: int, led: bool) -> list[str]:
    indent = min(node.depth, 5) * _STEP
    left = _NARROW_LEFT + indent
    stem = _NARROW_LEFT - 14
    parts = [
        element("text", {"x": 0, "y": y + 15.5, "class": "soft"}, words(label)),
        _box(node, left, y, NARROW - left),
    ]
    if led:
        way = f"M{stem} {y - _ROW + _BOX / 2:g}V{y + _BOX / 2:g}H{left}"
        parts.append(element("path", {"d": way, "class": f"line {node.status}"}))
    return parts

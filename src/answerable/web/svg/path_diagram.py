"""Path diagrams: identities and steps from left to right, a column per step.

A step without conditions is a solid line; a conditional step is dashed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.presentation.text import shorten
from answerable.web.svg.elements import (
    SvgMarkup,
    build_element,
    build_link,
    build_tooltip,
    escape_text,
)

_WIDE, _GAP, _BOX, _ROW, _PAD, _MARGIN = 206, 138, 24, 34, 7, 2
_LETTER = 6.7
_CELLS = int((_WIDE - 2 * _PAD) / _LETTER)
_VIA_CELLS = int((_GAP - 18) / _LETTER)


@dataclass(frozen=True, slots=True)
class DiagramNode:
    """A node of a path diagram.

    Attributes:
        text: Label, shortened in the middle.
        whole: Full text, as a tooltip.
        kind: `subject`, `identity`, `resource` or `group`.
        to: Link, empty for none.
    """

    key: str
    text: str
    whole: str
    column: int
    kind: str
    to: str = ""


@dataclass(frozen=True, slots=True)
class DiagramEdge:
    """An edge of a path diagram.

    Attributes:
        origin: Key of the first node.
        target: Key of the second node.
        via: The call that makes the step.
        open: Whether it has conditions.
    """

    origin: str
    target: str
    via: str
    open: bool


@dataclass(frozen=True, slots=True)
class _NodePosition:
    x: float
    y: float

    @property
    def center_y(self) -> float:
        return self.y + _BOX / 2


def draw_paths(
    spots: Sequence[DiagramNode], steps: Sequence[DiagramEdge], told: str
) -> SvgMarkup:
    """Draw paths.

    Args:
        spots: Nodes in their vertical order.
    """
    places = _place_nodes(spots)
    columns = max((spot.column for spot in spots), default=0) + 1
    rows = max(Counter(spot.column for spot in spots).values(), default=0)
    width = columns * _WIDE + (columns - 1) * _GAP + 2 * _MARGIN
    height = rows * _ROW + 2 * _MARGIN
    said = {
        "class": "drawn paths",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        # A group and no image: an image may hold no links.
        "role": "group",
        "aria-label": f"{len(spots)} nodes, {len(steps)} steps",
    }
    parts = [_draw_edge(step, places) for step in steps]
    parts += [_draw_node(spot, places[spot.key]) for spot in spots]
    return SvgMarkup(
        build_element("svg", said, build_element("desc", {}, escape_text(told)), *parts)
    )


def _place_nodes(spots: Sequence[DiagramNode]) -> Mapping[str, _NodePosition]:
    standing: dict[int, int] = defaultdict(int)
    tallest = max(Counter(spot.column for spot in spots).values(), default=0)
    counts = Counter(spot.column for spot in spots)
    found = {}
    for spot in spots:
        above = (tallest - counts[spot.column]) * _ROW / 2
        x = _MARGIN + spot.column * (_WIDE + _GAP)
        y = _MARGIN + above + standing[spot.column] * _ROW + (_ROW - _BOX) / 2
        found[spot.key] = _NodePosition(x, y)
        standing[spot.column] += 1
    return found


def _draw_edge(step: DiagramEdge, places: Mapping[str, _NodePosition]) -> str:
    one, two = places[step.origin], places[step.target]
    x, to = one.x + _WIDE, two.x
    half = x + _GAP / 3
    way = f"M{x:g} {one.center_y:g}"
    way += (
        f"H{to:g}"
        if one.center_y == two.center_y
        else f"C{half:g} {one.center_y:g} {half:g} {two.center_y:g} "
        f"{x + _GAP * 2 / 3:g} {two.center_y:g}H{to:g}"
    )
    kind = "only-if" if step.open else "always"
    marks = [
        build_element("path", {"d": way, "class": f"line {kind}"}),
        build_element(
            "path",
            {
                "d": f"M{to - 6:g} {two.center_y - 3.5:g}L{to:g} {two.center_y:g}"
                f"L{to - 6:g} {two.center_y + 3.5:g}Z",
                "class": "tip",
            },
        ),
    ]
    via = f"{step.via} (only-if)" if step.open else step.via
    text = {"x": to - 9, "y": two.center_y - 5, "text_anchor": "end", "class": "soft"}
    marks.append(
        build_element("text", text, escape_text(shorten(via, _VIA_CELLS, "…")))
    )
    return build_element("g", {"class": "step"}, build_tooltip(via), *marks)


def _draw_node(spot: DiagramNode, place: _NodePosition) -> str:
    box = {
        "x": place.x + 0.5,
        "y": place.y + 0.5,
        "width": _WIDE - 1,
        "height": _BOX - 1,
        "rx": 0 if spot.kind in ("resource", "group") else 4,
        "class": f"box {spot.kind}",
    }
    text = {"x": place.x + _PAD, "y": place.y + 16, "class": "id"}
    made = build_element(
        "g",
        {"class": "node"},
        build_tooltip(spot.whole),
        build_element("rect", box),
        build_element("text", text, escape_text(shorten(spot.text, _CELLS, "…"))),
    )
    return build_link(spot.to, made) if spot.to else made

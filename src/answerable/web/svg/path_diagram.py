"""Path diagrams: identities and steps from left to right, a column per step.

A step without conditions is a solid line; a conditional step is dashed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.presentation.text import shorten
from answerable.web.svg.elements import Svg, element, link, title, words

_WIDE, _GAP, _BOX, _ROW, _PAD, _MARGIN = 206, 138, 24, 34, 7, 2
_LETTER = 6.7
_CELLS = int((_WIDE - 2 * _PAD) / _LETTER)
_VIA_CELLS = int((_GAP - 18) / _LETTER)


@dataclass(frozen=True, slots=True)
class Spot:
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
class Step:
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
class _Place:
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.y + _BOX / 2


def paths(spots: Sequence[Spot], steps: Sequence[Step], told: str) -> Svg:
    """Draw paths.

    Args:
        spots: Nodes in their vertical order.
    """
    places = _placed(spots)
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
    parts = [_line(step, places) for step in steps]
    parts += [_node(spot, places[spot.key]) for spot in spots]
    return Svg(element("svg", said, element("desc", {}, words(told)), *parts))


def _placed(spots: Sequence[Spot]) -> Mapping[str, _Place]:
    standing: dict[int, int] = defaultdict(int)
    tallest = max(Counter(spot.column for spot in spots).values(), default=0)
    counts = Counter(spot.column for spot in spots)
    found = {}
    for spot in spots:
        above = (tallest - counts[spot.column]) * _ROW / 2
        x = _MARGIN + spot.column * (_WIDE + _GAP)
        y = _MARGIN + above + standing[spot.column] * _ROW + (_ROW - _BOX) / 2
        found[spot.key] = _Place(x, y)
        standing[spot.column] += 1
    return found


def _line(step: Step, places: Mapping[str, _Place]) -> str:
    one, two = places[step.origin], places[step.target]
    x, to = one.x + _WIDE, two.x
    half = x + _GAP / 3
    way = f"M{x:g} {one.middle:g}"
    way += (
        f"H{to:g}"
        if one.middle == two.middle
        else f"C{half:g} {one.middle:g} {half:g} {two.middle:g} "
        f"{x + _GAP * 2 / 3:g} {two.middle:g}H{to:g}"
    )
    kind = "only-if" if step.open else "always"
    marks = [
        element("path", {"d": way, "class": f"line {kind}"}),
        element(
            "path",
            {
                "d": f"M{to - 6:g} {two.middle - 3.5:g}L{to:g} {two.middle:g}"
                f"L{to - 6:g} {two.middle + 3.5:g}Z",
                "class": "tip",
            },
        ),
    ]
    via = f"{step.via} (only-if)" if step.open else step.via
    text = {"x": to - 9, "y": two.middle - 5, "text_anchor": "end", "class": "soft"}
    marks.append(element("text", text, words(shorten(via, _VIA_CELLS, "…"))))
    return element("g", {"class": "step"}, title(via), *marks)


def _node(spot: Spot, place: _Place) -> str:
    box = {
        "x": place.x + 0.5,
        "y": place.y + 0.5,
        "width": _WIDE - 1,
        "height": _BOX - 1,
        "rx": 0 if spot.kind in ("resource", "group") else 4,
        "class": f"box {spot.kind}",
    }
    text = {"x": place.x + _PAD, "y": place.y + 16, "class": "id"}
    made = element(
        "g",
        {"class": "node"},
        title(spot.whole),
        element("rect", box),
        element("text", text, words(shorten(spot.text, _CELLS, "…"))),
    )
    return link(spot.to, made) if spot.to else made

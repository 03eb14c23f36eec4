"""Draw permission paths as SVG, from left to right, one column per step.

A step without conditions is a solid line; a conditional step is dashed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.presentation.text import shorten
from answerable.web.svg.svg_elements import (
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
        tooltip: Full text, as a tooltip.
        kind: `subject`, `identity`, `resource` or `group`.
        link: Link, empty for none.
    """

    key: str
    text: str
    tooltip: str
    column: int
    kind: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class DiagramEdge:
    """An edge of a path diagram.

    Attributes:
        origin: Key of the first node.
        target: Key of the second node.
        via: The call that makes the step.
        is_conditional: Whether it has conditions.
    """

    origin: str
    target: str
    via: str
    is_conditional: bool


@dataclass(frozen=True, slots=True)
class _NodePosition:
    x: float
    y: float

    @property
    def center_y(self) -> float:
        """Return the y coordinate of the middle."""
        return self.y + _BOX / 2


def draw_paths(
    nodes: Sequence[DiagramNode], edges: Sequence[DiagramEdge], description: str
) -> SvgMarkup:
    """Draw the nodes and edges of permission paths.

    Args:
        nodes: Nodes in their vertical order.
    """
    places = _place_nodes(nodes)
    columns = max((node.column for node in nodes), default=0) + 1
    rows = max(Counter(node.column for node in nodes).values(), default=0)
    width = columns * _WIDE + (columns - 1) * _GAP + 2 * _MARGIN
    height = rows * _ROW + 2 * _MARGIN
    attributes = {
        "class": "drawn paths",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        # A group and no image: an image may hold no links.
        "role": "group",
        "aria-label": f"{len(nodes)} nodes, {len(edges)} steps",
    }
    parts = [_draw_edge(edge, places) for edge in edges]
    parts += [_draw_node(node, places[node.key]) for node in nodes]
    return SvgMarkup(
        build_element(
            "svg",
            attributes,
            build_element("desc", {}, escape_text(description)),
            *parts,
        )
    )


def _place_nodes(nodes: Sequence[DiagramNode]) -> Mapping[str, _NodePosition]:
    """Return the position of each node; columns are centred."""
    filled: dict[int, int] = defaultdict(int)
    tallest = max(Counter(node.column for node in nodes).values(), default=0)
    counts = Counter(node.column for node in nodes)
    positions = {}
    for node in nodes:
        above = (tallest - counts[node.column]) * _ROW / 2
        x = _MARGIN + node.column * (_WIDE + _GAP)
        y = _MARGIN + above + filled[node.column] * _ROW + (_ROW - _BOX) / 2
        positions[node.key] = _NodePosition(x, y)
        filled[node.column] += 1
    return positions


def _draw_edge(edge: DiagramEdge, positions: Mapping[str, _NodePosition]) -> str:
    """Draw an edge of a path as SVG: line, arrowhead and label."""
    origin, target = positions[edge.origin], positions[edge.target]
    x, to = origin.x + _WIDE, target.x
    half = x + _GAP / 3
    path = f"M{x:g} {origin.center_y:g}"
    path += (
        f"H{to:g}"
        if origin.center_y == target.center_y
        else f"C{half:g} {origin.center_y:g} {half:g} {target.center_y:g} "
        f"{x + _GAP * 2 / 3:g} {target.center_y:g}H{to:g}"
    )
    kind = "only-if" if edge.is_conditional else "always"
    marks = [
        build_element("path", {"d": path, "class": f"line {kind}"}),
        build_element(
            "path",
            {
                "d": f"M{to - 6:g} {target.center_y - 3.5:g}L{to:g} {target.center_y:g}"
                f"L{to - 6:g} {target.center_y + 3.5:g}Z",
                "class": "tip",
            },
        ),
    ]
    via = f"{edge.via} (only-if)" if edge.is_conditional else edge.via
    text = {
        "x": to - 9,
        "y": target.center_y - 5,
        "text_anchor": "end",
        "class": "soft",
    }
    marks.append(
        build_element("text", text, escape_text(shorten(via, _VIA_CELLS, "…")))
    )
    return build_element("g", {"class": "step"}, build_tooltip(via), *marks)


def _draw_node(node: DiagramNode, position: _NodePosition) -> str:
    """Draw the box of a node with label, tooltip and link."""
    box = {
        "x": position.x + 0.5,
        "y": position.y + 0.5,
        "width": _WIDE - 1,
        "height": _BOX - 1,
        "rx": 0 if node.kind in ("resource", "group") else 4,
        "class": f"box {node.kind}",
    }
    text = {"x": position.x + _PAD, "y": position.y + 16, "class": "id"}
    group = build_element(
        "g",
        {"class": "node"},
        build_tooltip(node.tooltip),
        build_element("rect", box),
        build_element("text", text, escape_text(shorten(node.text, _CELLS, "…"))),
    )
    return build_link(node.link, group) if node.link else group

"""Draw lineage chains as SVG: six columns when wide, one hop per line when narrow.

The line style shows how a hop is known: solid observed, dashed declared, dotted
inferred. A missing hop is a hollow box that names the source that would supply it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from answerable.presentation.chain_groups import (
    COLUMNS,
    ActGroup,
    ChainGroup,
    MissingHopNotes,
    get_hops_by_name,
    is_hop_missing,
    is_hop_self_reported,
)
from answerable.web.svg.chain_layout import (
    CHANGE_MARKS,
    KILLED,
    ChainLinks,
    ChainNode,
    PlacedChain,
    place_chains,
)
from answerable.web.svg.svg_elements import (
    SvgMarkup,
    build_element,
    build_link,
    build_tooltip,
    escape_text,
)

WIDTH, NARROW = 1240, 360
_LEFT = (0, 180, 400, 580, 806, 1020)  # x of each column
_WIDE = (156, 196, 156, 202, 190, 220)
_LETTER = 7.0  # width of a letter in a fixed font of 11.5 px
_ROW, _BOX, _PAD, _STEP = 30, 23, 7, 14
_HEAD, _WHEN = 24, 19
_CELLS = tuple(int((wide - 2 * _PAD) / _LETTER) for wide in _WIDE)
_NARROW_LEFT = 84
_NARROW_CELLS = int((NARROW - _NARROW_LEFT - 2 * _PAD) / _LETTER)
_MAX_DESCRIBED = 30
MAX_BYTES = 120_000  # of a diagram, wide and narrow together
_WIDE_SHARE = 0.8  # of a chain's size when narrow


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
    groups: Sequence[ChainGroup],
    links: ChainLinks,
    times: Sequence[str],
    max_bytes: int = MAX_BYTES,
) -> ChainDiagram:
    """Draw chains from person to resource, wide and narrow.

    Args:
        times: For each chain its number of events and time range, as text.
        max_bytes: Size of both drawings; the first chain is drawn in any case.
    """
    gaps = MissingHopNotes()
    shown = list(place_chains(groups, links, gaps, _CELLS))
    cells = (_NARROW_CELLS,) * len(COLUMNS)
    narrow: list[SvgMarkup] = []
    size = 0.0
    for chain, when in zip(shown, times, strict=False):
        (tall,) = place_chains([chain.group], links, gaps, cells)
        drawn = _draw_narrow(tall, when)
        size += len(drawn.text) * (1 + _WIDE_SHARE)
        if narrow and size > max_bytes:
            break
        narrow.append(drawn)
    shown = shown[: len(narrow)]
    return ChainDiagram(
        _draw_wide(shown, times),
        narrow,
        [(number, name, why) for (name, why), number in gaps.numbers.items()],
        len(groups) - len(shown),
    )


def describe_chain(group: ChainGroup) -> str:
    """Describe the hops and actions of a chain in a sentence."""
    hops = get_hops_by_name(group.item)
    parts = []
    for name in COLUMNS[:4]:
        hop = hops[name]
        if is_hop_missing(hop):
            parts.append(f"{name} missing ({hop['source'] or 'no source is known'})")
        else:
            parts.append(f"{name} {hop['value']} ({hop['status']})")
    done = [_describe_act(act) for act in group.merged_acts()]
    return f"{', '.join(parts)}: {'; '.join(done[:_MAX_DESCRIBED])}"


def _describe_act(act: ActGroup) -> str:
    """Describe an action on a resource, with its outcome and number of events."""
    action = get_hops_by_name(act.item)["action"]
    said = act.item["outcome"] or "no outcome recorded"
    if is_hop_self_reported(action):
        said = f"self-reported, {said}"
    resource = act.resource or "an unnamed resource"
    return f"{action['value']} on {resource} ({said}, {len(act.items)})"


def _draw_wide(chains: Sequence[PlacedChain], times: Sequence[str]) -> SvgMarkup:
    """Draw all chains in six columns."""
    parts = [
        build_element("text", {"x": left, "y": 14, "class": "head"}, escape_text(name))
        for left, name in zip(_LEFT, COLUMNS, strict=True)
    ]
    y = _HEAD
    for chain, when in zip(chains, times, strict=False):
        parts.append(
            build_element(
                "text", {"x": 0, "y": y + 12, "class": "soft"}, escape_text(when)
            )
        )
        parts += _draw_wide_chain(chain, y + _WHEN)
        y += _WHEN + chain.rows * _ROW + 8
    return _svg_element("wide", WIDTH, y, chains, parts)


def _svg_element(
    css_class: str,
    width: int,
    height: int,
    chains: Sequence[PlacedChain],
    children: Sequence[str],
) -> SvgMarkup:
    """Build the `svg` element with an accessible description."""
    # A group and no image: an image may hold no links.
    attributes = {
        "class": f"drawn chains {css_class}",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "group",
        "aria-label": f"{len(chains)} chains: {' | '.join(COLUMNS)}",
    }
    text = "\n".join(describe_chain(place.group) for place in chains)
    return SvgMarkup(
        build_element(
            "svg", attributes, build_element("desc", {}, escape_text(text)), *children
        )
    )


def _draw_wide_chain(chain: PlacedChain, top: int) -> list[str]:
    """Draw the nodes and lines of one chain in six columns."""
    columns = chain.columns
    lines: list[str] = []
    for nodes in columns[:4]:
        lines += [
            _draw_parent_line(upper, lower, top) for upper, lower in pairwise(nodes)
        ]
    for before, after in pairwise(columns[:4]):
        lines.append(_draw_edge(before[-1], after[0], top))
    lines += [_draw_edge(columns[3][-1], act, top) for act in columns[4]]
    lines += [
        _draw_edge(act, what, top)
        for act, what in zip(columns[4], columns[5], strict=True)
    ]
    return [*lines, *(_draw_node(node, top) for nodes in columns for node in nodes)]


def _get_node_left_and_right(node: ChainNode) -> tuple[float, float]:
    """Return the left and right x coordinates of a node."""
    indent = min(node.depth * _STEP, _WIDE[node.column] // 2)
    left = _LEFT[node.column] + indent
    return left, _LEFT[node.column] + _WIDE[node.column]


def _get_node_middle(node: ChainNode, top: int) -> float:
    """Return the y coordinate of the middle of a node."""
    return top + node.row * _ROW + _BOX / 2


def _draw_edge(source: ChainNode, target: ChainNode, top: int) -> str:
    """Draw the line between the nodes of two columns."""
    x, y = _get_node_left_and_right(source)[1], _get_node_middle(source, top)
    to_x, to_y = _get_node_left_and_right(target)[0], _get_node_middle(target, top)
    path = f"M{x:g} {y:g}"
    half = (x + to_x) / 2
    path += (
        f"H{to_x:g}"
        if y == to_y
        else f"C{half:g} {y:g} {half:g} {to_y:g} {to_x:g} {to_y:g}"
    )
    return build_element("path", {"d": path, "class": _line_class(target)})


def _line_class(target: ChainNode) -> str:
    """Return the classes of the line to a node: how it is known, and what changes."""
    changed = f" {target.outcome}" if target.outcome in CHANGE_MARKS else ""
    return f"line {target.status}{changed}"


def _draw_parent_line(parent: ChainNode, child: ChainNode, top: int) -> str:
    """Draw the line from a node to the node nested below it."""
    x = _get_node_left_and_right(parent)[0] + _STEP / 2
    y = top + parent.row * _ROW + _BOX
    path = f"M{x:g} {y:g}V{_get_node_middle(child, top):g}H{_get_node_left_and_right(child)[0]:g}"
    return build_element("path", {"d": path, "class": f"line {child.status}"})


def _draw_node(node: ChainNode, top: int) -> str:
    """Draw one node of a delegation chain as SVG."""
    left, right = _get_node_left_and_right(node)
    return _draw_box(node, left, top + node.row * _ROW, right - left)


def _draw_box(node: ChainNode, x: float, y: float, width: float) -> str:
    """Draw the box of a node with label, tooltip and link."""
    frame = "gap" if node.status == "missing" else "box"
    shown = ("denied", "error", KILLED, *CHANGE_MARKS)
    ended = f" {node.outcome}" if node.outcome in shown else ""
    place = {"x": x + 0.5, "y": y + 0.5, "width": width - 1, "height": _BOX - 1}
    group = build_element(
        "g",
        {"class": f"node{ended}"},
        build_tooltip(node.tooltip),
        build_element("rect", {**place, "rx": 3, "class": frame}),
        build_element(
            "text",
            {"x": x + _PAD, "y": y + 15.5, "class": "id"},
            escape_text(node.text),
        ),
    )
    return build_link(node.link, group) if node.link else group


def _draw_narrow(chain: PlacedChain, when: str) -> SvgMarkup:
    """Draw one chain with one hop per line."""
    parts = [
        build_element("text", {"x": 0, "y": 12, "class": "soft"}, escape_text(when))
    ]
    y, number = _WHEN, 0
    for column, nodes in enumerate(chain.columns[:4]):
        for at, node in enumerate(nodes):
            label = COLUMNS[column] if at == 0 else ""
            parts += _draw_narrow_hop(label, node, y, number > 0)
            y, number = y + _ROW, number + 1
    for act, what in zip(chain.columns[4], chain.columns[5], strict=True):
        for label, node in (("action", act), ("resource", what)):
            parts += _draw_narrow_hop(label, node, y, True)
            y += _ROW
        y += 4
    return _svg_element("narrow", NARROW, y, [chain], parts)


def _draw_narrow_hop(label: str, node: ChainNode, y: int, connected: bool) -> list[str]:
    """Draw one line of a narrow chain: label, box and connector."""
    indent = min(node.depth, 5) * _STEP
    left = _NARROW_LEFT + indent
    stem = _NARROW_LEFT - 14
    parts = [
        build_element(
            "text", {"x": 0, "y": y + 15.5, "class": "soft"}, escape_text(label)
        ),
        _draw_box(node, left, y, NARROW - left),
    ]
    if connected:
        path = f"M{stem} {y - _ROW + _BOX / 2:g}V{y + _BOX / 2:g}H{left}"
        parts.append(build_element("path", {"d": path, "class": _line_class(node)}))
    return parts

"""Layout of chain diagrams: nodes of a chain in six columns. No markup."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from answerable.lineage.search_query import SearchQuery
from answerable.model.documents.trace import HopItem, TraceItem
from answerable.presentation.chain_groups import (
    COLUMNS,
    ActGroup,
    ChainGroup,
    MissingHopNotes,
    hops_by_name,
    is_broken_glass,
    is_missing,
    shorten_id,
    shorten_path,
)
from answerable.presentation.text import shorten, shorten_end

# So many nodes are drawn in one picture, and so many acts of one chain.
MAX_NODES = 200
MAX_ACTIONS = 12
_MISSING = "missing"
_SUCCESSFUL = ("success", "")


@dataclass(frozen=True, slots=True)
class ChainNode:
    """One node.

    Attributes:
        column: From 0 to 5.
        row: From the top of its chain.
        text: Label, shortened to fit.
        whole: Full text, with how it is known.
        ended: Outcome of a failed call; else empty.
        to: Link, empty for none.
    """

    column: int
    row: int
    depth: int
    text: str
    whole: str
    status: str
    ended: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class ChainLinks:
    """Link targets of nodes.

    Attributes:
        query: Current query; a group links to a narrower one.
        page: Returns the page of an id.
    """

    query: SearchQuery
    page: Callable[[str], str]

    def narrow_query(self, **said: str) -> str:
        """Link to a narrower query."""
        query = self.query
        for field, value in said.items():
            query = query.with_field(field, value)
        return f"/trace?{urlencode({'q': query.to_text})}"


@dataclass(frozen=True, slots=True)
class PlacedChain:
    """One chain with its nodes.

    Attributes:
        columns: Its nodes by column.
    """

    group: ChainGroup
    columns: Sequence[Sequence[ChainNode]]
    rows: int

    @property
    def node_count(self) -> int:
        """Count the nodes."""
        return sum(map(len, self.columns))


def place_chains(
    groups: Sequence[ChainGroup],
    ways: ChainLinks,
    gaps: MissingHopNotes,
    cells: Sequence[int],
) -> Iterator[PlacedChain]:
    """Lay out chains until the node limit.

    Args:
        cells: Characters that fit into a node, by column.
    """
    drawn = 0
    for group in groups:
        place = _place_chain(group, ways, gaps, cells)
        drawn += place.node_count
        if drawn > MAX_NODES:
            return
        yield place


def _place_chain(
    group: ChainGroup, ways: ChainLinks, gaps: MissingHopNotes, cells: Sequence[int]
) -> PlacedChain:
    item, hops = group.item, hops_by_name(group.item)
    who: list[list[ChainNode]] = []
    row = 0
    for name in COLUMNS[:4]:
        path = {"agent": item["agent_path"], "identity": item["identity_path"]}
        nodes = list(_path_nodes(name, hops[name], path.get(name, []), gaps))
        owner = item["identity_owner"]
        if name == "identity" and owner["value"]:
            whole = f"{nodes[-1].whole}; owned by {owner['value']} ({owner['status']})"
            nodes[-1] = replace(nodes[-1], whole=whole)
        who.append(
            [
                replace(node, row=row + at, to=node.to and ways.page(node.to))
                for at, node in enumerate(nodes)
            ]
        )
        row += len(nodes) - 1
    acts = _action_nodes(group, ways)
    first = max(0, row - len(acts) + 1)
    done = [replace(act, row=first + at) for at, (act, _) in enumerate(acts)]
    what = [replace(node, row=first + at) for at, (_, node) in enumerate(acts)]
    columns = [*who, done, what]
    fitted = [
        [_fit_label(node, cells[at]) for node in nodes]
        for at, nodes in enumerate(columns)
    ]
    return PlacedChain(group, fitted, max(row + 1, len(acts)))


def _path_nodes(
    name: str, hop: HopItem, path: Sequence[str], gaps: MissingHopNotes
) -> Iterator[ChainNode]:
    """Return the nodes of a hop: one, or a path from the root down."""
    column = COLUMNS.index(name)
    if is_missing(hop):
        number = gaps.note_number(name, hop)
        told = hop["source"] or "no source is known"
        whole = f"{name} missing: {told}"
        yield ChainNode(column, 0, 0, f"∅ {number} {told}", whole, _MISSING)
        return
    values = list(path) if len(path) > 1 else [hop["value"]]
    texts = (
        shorten_path(name, values)
        if name == "agent"
        else [shorten_id(name, v) for v in values]
    )
    for depth, (value, text) in enumerate(zip(values, texts, strict=True)):
        last = depth == len(values) - 1
        whole = f"{name} {value}" + (f" ({_describe_status(hop)})" if last else "")
        yield ChainNode(column, 0, depth, text, whole, hop["status"], to=value)


def _describe_status(hop: HopItem) -> str:
    return f"{hop['status']}, {hop['source']}" if hop["source"] else hop["status"]


def _action_nodes(
    group: ChainGroup, ways: ChainLinks
) -> list[tuple[ChainNode, ChainNode]]:
    acts = group.merged_acts()
    shown = acts if len(acts) <= MAX_ACTIONS else acts[: MAX_ACTIONS - 1]
    nodes = [(_action_node(act, ways), _resource_node(act, ways)) for act in shown]
    left = acts[len(shown) :]
    if left:
        events = sum(len(act.items) for act in left)
        to = _narrower_link(group.item, ways)
        text = f"… {len(left)} more acts"
        whole = f"{len(left)} more acts, {events} events: ask for this chain alone"
        more = ChainNode(4, 0, 0, text, whole, "observed", to=to)
        nodes.append(
            (more, ChainNode(5, 0, 0, f"{events} events", whole, "observed", to=to))
        )
    return nodes


def _narrower_link(item: TraceItem, ways: ChainLinks) -> str:
    hops = hops_by_name(item)
    said = {
        name: hops[name]["value"]
        for name in ("agent", "identity")
        if not is_missing(hops[name])
    }
    return ways.narrow_query(**said)


def _action_node(act: ActGroup, ways: ChainLinks) -> ChainNode:
    item, hop = act.item, hops_by_name(act.item)["action"]
    ended = item["outcome"] if item["outcome"] not in _SUCCESSFUL else ""
    text = shorten_id("action", hop["value"])
    if is_broken_glass(item):
        text = f"BREAK-GLASS {text}"
    if ended:
        text += f" ({ended})"
    if len(act.items) > 1:
        text += f" ×{len(act.items):,}"  # noqa: RUF001 - the multiplication sign is meant
    whole = f"{hop['value']}: {item['outcome'] or 'no outcome recorded'}"
    whole += f", {len(act.items):,} events" if len(act.items) > 1 else ""
    to = f"/event?{urlencode({'id': item['event_id']})}"
    if len(act.items) > 1:
        pattern = f"{act.resource}*" if act.resources > 1 else act.resource
        to = ways.narrow_query(action=hop["value"], resource=pattern)
    return ChainNode(
        column=4,
        row=0,
        depth=0,
        text=text,
        whole=whole,
        status=hop["status"],
        ended=ended,
        to=to,
    )


def _resource_node(act: ActGroup, ways: ChainLinks) -> ChainNode:
    hop = hops_by_name(act.item)["resource"]
    if act.resources > 1:
        text = f"{act.resources:,} under {act.resource}"
        to = ways.narrow_query(resource=f"{act.resource}*")
        return ChainNode(5, 0, 0, text, text, hop["status"], to=to)
    if is_missing(hop):
        told = hop["source"] or "no source is known"
        return ChainNode(5, 0, 0, "∅ not named", f"resource missing: {told}", _MISSING)
    whole = f"{hop['value']} ({_describe_status(hop)})"
    to = ways.narrow_query(resource=hop["value"])
    return ChainNode(
        5, 0, 0, shorten_id("resource", hop["value"]), whole, hop["status"], to=to
    )


def _fit_label(node: ChainNode, cells: int) -> ChainNode:
    """Shorten a label: an email at its end, other ids in the middle."""
    room = cells - 2 * node.depth
    head, _, rest = node.text.partition(" under ")
    if rest and node.column == 5:
        room -= len(head) + 7
        return replace(node, text=f"{head} under {shorten(rest, max(4, room), '…')}")
    cut = shorten_end if node.column in (0, 4) or node.status == _MISSING else shorten
    return replace(node, text=cut(node.text, max(4, room), "…"))

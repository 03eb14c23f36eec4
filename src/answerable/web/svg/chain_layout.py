"""Lay out chain diagrams: place the nodes of a chain in six columns. No markup."""

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
    get_hops_by_name,
    is_break_glass_call,
    is_hop_missing,
    is_hop_self_reported,
    shorten_hop_id,
    shorten_hop_path,
)
from answerable.presentation.text import shorten, shorten_end

# Limits of nodes in one diagram and of actions in one chain.
MAX_NODES = 200
MAX_ACTIONS = 12
_MISSING = "missing"
_SELF_REPORTED = "self-reported"
KILLED = "killed"
_SUCCESSFUL = ("success", "")
# Effects of a signature on a call, in place of an outcome.
CHANGE_MARKS = {"added": "+ ", "removed": "\u2212 ", "unchanged": ""}


@dataclass(frozen=True, slots=True)
class ChainNode:
    """One node.

    Attributes:
        column: From 0 to 5.
        row: From the top of its chain.
        text: Label, shortened to fit.
        tooltip: Full text, with how it is known.
        outcome: Outcome of a failed call, `killed`, or the effect of a signature; else
            empty.
        link: Link, empty for none.
    """

    column: int
    row: int
    depth: int
    text: str
    tooltip: str
    status: str
    outcome: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class ChainLinks:
    """Link targets of nodes.

    Attributes:
        query: Current query; a group links to a narrower one.
        page: Returns the page of an id.
        is_killed: Returns whether an id is marked as killed.
    """

    query: SearchQuery
    page: Callable[[str], str]
    is_killed: Callable[[str], bool] = lambda _: False

    def link_to_narrower_query(self, **fields: str) -> str:
        """Return the URL of the same search with further fields."""
        query = self.query
        for field, value in fields.items():
            query = query.with_field(field, value)
        return f"/trace?{urlencode({'q': query.format_as_text})}"


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
    links: ChainLinks,
    gaps: MissingHopNotes,
    max_chars: Sequence[int],
) -> Iterator[PlacedChain]:
    """Lay out chains until 200 nodes are placed.

    Args:
        max_chars: Characters that fit into a node, by column.
    """
    drawn = 0
    for group in groups:
        chain = _place_chain(group, links, gaps, max_chars)
        drawn += chain.node_count
        if drawn > MAX_NODES:
            return
        yield chain


def _place_chain(
    group: ChainGroup,
    links: ChainLinks,
    gaps: MissingHopNotes,
    max_chars: Sequence[int],
) -> PlacedChain:
    """Place the nodes of one chain in columns and rows."""
    item, hops = group.item, get_hops_by_name(group.item)
    who: list[list[ChainNode]] = []
    row = 0
    for name in COLUMNS[:4]:
        path = {"agent": item["agent_path"], "identity": item["identity_path"]}
        nodes = list(_build_hop_nodes(name, hops[name], path.get(name, []), gaps))
        owner = item["identity_owner"]
        if name == "identity" and owner["value"]:
            whole = (
                f"{nodes[-1].tooltip}; owned by {owner['value']} ({owner['status']})"
            )
            nodes[-1] = replace(nodes[-1], tooltip=whole)
        who.append(
            [
                replace(
                    _mark_killed(node) if links.is_killed(node.link) else node,
                    row=row + at,
                    link=node.link and links.page(node.link),
                )
                for at, node in enumerate(nodes)
            ]
        )
        row += len(nodes) - 1
    acts = _build_action_nodes(group, links)
    first = max(0, row - len(acts) + 1)
    done = [replace(act, row=first + at) for at, (act, _) in enumerate(acts)]
    what = [replace(node, row=first + at) for at, (_, node) in enumerate(acts)]
    columns = [*who, done, what]
    fitted = [
        [_shorten_label(node, max_chars[at]) for node in nodes]
        for at, nodes in enumerate(columns)
    ]
    return PlacedChain(group, fitted, max(row + 1, len(acts)))


def _mark_killed(node: ChainNode) -> ChainNode:
    """Mark a node as killed, in its label and its tooltip."""
    return replace(
        node,
        text=f"killed: {node.text}",
        tooltip=f"{node.tooltip}; killed",
        outcome=KILLED,
    )


def _build_hop_nodes(
    name: str, hop: HopItem, path: Sequence[str], gaps: MissingHopNotes
) -> Iterator[ChainNode]:
    """Yield the nodes of a hop: one, or a path from the root down."""
    column = COLUMNS.index(name)
    if is_hop_missing(hop):
        number = gaps.get_note_number(name, hop)
        source = hop["source"] or "no source is known"
        whole = f"{name} missing: {source}"
        yield ChainNode(column, 0, 0, f"∅ {number} {source}", whole, _MISSING)
        return
    values = list(path) if len(path) > 1 else [hop["value"]]
    texts = (
        shorten_hop_path(name, values)
        if name == "agent"
        else [shorten_hop_id(name, v) for v in values]
    )
    for depth, (value, text) in enumerate(zip(values, texts, strict=True)):
        last = depth == len(values) - 1
        whole = f"{name} {value}" + (f" ({_describe_hop_status(hop)})" if last else "")
        yield ChainNode(column, 0, depth, text, whole, hop["status"], link=value)


def _describe_hop_status(hop: HopItem) -> str:
    """Describe status and source of a hop."""
    return f"{hop['status']}, {hop['source']}" if hop["source"] else hop["status"]


def _build_action_nodes(
    group: ChainGroup, links: ChainLinks
) -> list[tuple[ChainNode, ChainNode]]:
    """Return action and resource nodes; more than 12 end in a summary."""
    acts = group.merged_acts()
    shown = acts if len(acts) <= MAX_ACTIONS else acts[: MAX_ACTIONS - 1]
    nodes = [
        (_build_action_node(act, links), _build_resource_node(act, links))
        for act in shown
    ]
    omitted = acts[len(shown) :]
    if omitted:
        events = sum(len(act.items) for act in omitted)
        to = _link_to_same_chain(group.item, links)
        text = f"… {len(omitted)} more actions"
        whole = (
            f"{len(omitted)} more actions, {events} events: narrow the query to this "
            "chain"
        )
        more = ChainNode(4, 0, 0, text, whole, "observed", link=to)
        nodes.append(
            (more, ChainNode(5, 0, 0, f"{events} events", whole, "observed", link=to))
        )
    return nodes


def _link_to_same_chain(item: TraceItem, links: ChainLinks) -> str:
    """Return the link to the events of the same agent and identity."""
    hops = get_hops_by_name(item)
    fields = {
        name: hops[name]["value"]
        for name in ("agent", "identity")
        if not is_hop_missing(hops[name])
    }
    return links.link_to_narrower_query(**fields)


def _build_action_node(act: ActGroup, links: ChainLinks) -> ChainNode:
    """Build the node of an action with its outcome and number of events."""
    item, hop = act.item, get_hops_by_name(act.item)["action"]
    outcome = item["outcome"] if item["outcome"] not in _SUCCESSFUL else ""
    text = shorten_hop_id("action", hop["value"])
    if is_hop_self_reported(hop):
        text = f"{_SELF_REPORTED} {text}"  # the end of a label may not fit
    if is_break_glass_call(item):
        text = f"BREAK-GLASS {text}"
    if outcome in CHANGE_MARKS:
        text = CHANGE_MARKS[outcome] + text
    elif outcome:
        text += f" ({outcome})"
    if len(act.items) > 1:
        text += f" ×{len(act.items):,}"  # noqa: RUF001 - the multiplication sign is meant
    tooltip = f"{hop['value']}: {item['outcome'] or 'no outcome recorded'}"
    tooltip += f", {len(act.items):,} events" if len(act.items) > 1 else ""
    if is_hop_self_reported(hop):
        tooltip += f" (missing: {hop['source']})"
    link = f"/event?{urlencode({'id': item['event_id']})}"
    if not item["event_id"]:  # a call that was not made yet
        link = ""
    elif len(act.items) > 1:
        pattern = f"{act.resource}*" if act.resources > 1 else act.resource
        link = links.link_to_narrower_query(action=hop["value"], resource=pattern)
    return ChainNode(
        column=4,
        row=0,
        depth=0,
        text=text,
        tooltip=tooltip,
        status=hop["status"],
        outcome=outcome,
        link=link,
    )


def _build_resource_node(act: ActGroup, links: ChainLinks) -> ChainNode:
    """Build the node of a resource, or of a group of resources."""
    hop = get_hops_by_name(act.item)["resource"]
    if act.item["outcome"] in CHANGE_MARKS:
        return _build_changed_resource_node(act)
    if act.resources > 1:
        text = f"{act.resources:,} under {act.resource}"
        if is_hop_self_reported(hop):
            text = f"{_SELF_REPORTED} {text}"
        link = links.link_to_narrower_query(resource=f"{act.resource}*")
        return ChainNode(5, 0, 0, text, text, hop["status"], link=link)
    if not hop["value"]:
        source = hop["source"] or "no source is known"
        return ChainNode(
            5, 0, 0, "∅ not named", f"resource missing: {source}", _MISSING
        )
    whole = f"{hop['value']} ({_describe_hop_status(hop)})"
    link = links.link_to_narrower_query(resource=hop["value"])
    text = shorten_hop_id("resource", hop["value"])
    return ChainNode(
        5,
        0,
        0,
        f"{_SELF_REPORTED} {text}" if is_hop_self_reported(hop) else text,
        whole,
        hop["status"],
        link=link,
    )


def _build_changed_resource_node(act: ActGroup) -> ChainNode:
    """Build the node of the resource of a call that a signature changes."""
    hop = get_hops_by_name(act.item)["resource"]
    text = (
        act.resource
        if act.resources == 1
        else f"{act.resources:,} under {act.resource}"
    )
    return ChainNode(
        column=5,
        row=0,
        depth=0,
        text=shorten_hop_id("resource", text),
        tooltip=text,
        status=hop["status"],
        outcome=act.item["outcome"],
    )


def _shorten_label(node: ChainNode, max_chars: int) -> ChainNode:
    """Shorten a node label to a width: an email at the end, other ids in the middle."""
    limit = max_chars - 2 * node.depth
    head, _, rest = node.text.partition(" under ")
    if rest and node.column == 5:
        limit -= len(head) + 7
        return replace(node, text=f"{head} under {shorten(rest, max(4, limit), '…')}")
    cut = shorten_end if node.column in (0, 4) or node.status == _MISSING else shorten
    return replace(node, text=cut(node.text, max(4, limit), "…"))

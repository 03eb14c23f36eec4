"""Edges that other collectors declare about a subject, with our own verdicts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from answerable.model.agent import FactStatus
from answerable.model.errors import UsageError
from answerable.model.foreign_graph import (
    PLATFORM,
    ForeignEdge,
    ForeignEdgeEnd,
    ForeignGraph,
)
from answerable.model.inventory import Inventory
from answerable.model.provenance import FactProvenance
from answerable.presentation.entity_rows import FACT, EntityRows, LinkEvidence
from answerable.reach.platform import Question
from answerable.services.reach.compiled_snapshots import lock_compiled_snapshot

# Edges that a collector computed, by the action that our evaluation would have to allow.
# GitHound and OpenHound's GitHub collector have the same kinds.
# Source: https://github.com/SpecterOps/GitHound (documentation of edges),
# https://github.com/SpecterOps/openhound-github.
ACTIONS_BY_EDGE: Mapping[str, str] = {
    "GH_CanWriteBranch": "push",
    "GH_CanCreateBranch": "create-branch",
    "GH_CanEditProtection": "manage-protection",
    "GH_CanAccess": "read",
}

_MOST_EDGES = 200  # of one subject


@dataclass(frozen=True, slots=True)
class DeclaredEdge:
    """Edge of a foreign graph at a subject.

    Attributes:
        collector: Name of the collector.
        kind: Kind of the edge, as the collector has it.
        other: Our id of the node at the other end, or the value that names it.
        outgoing: Whether the subject is its start.
        action: Action to which the edge amounts; empty for none of ours.
    """

    collector: str
    kind: str
    other: str
    outgoing: bool
    action: str
    seen: FactProvenance


class _NodesByEnd:
    """Nodes of one graph by their ids and by other properties."""

    def __init__(self, graph: ForeignGraph) -> None:
        self._ids = {node.id: node for node in graph.nodes}
        self._nodes = graph.nodes
        self._found: dict[tuple[str, ...], dict[tuple[object, ...], str]] = {}

    def get_key(self, end: ForeignEdgeEnd) -> str:
        """Return our id of an end; its own words for a node outside of the file."""
        if end.matchers:
            if any(each.operator != "equals" for each in end.matchers):
                return str(end)
            pairs = {each.key: each.value for each in end.matchers}
            return self._look_up(end.kind, pairs) or str(end)
        if end.match_by == "name":
            return self._look_up(end.kind, {"name": end.value}) or end.value
        node = self._ids.get(end.value) if end.match_by == "id" else None
        return node.key if node is not None else end.value

    def _look_up(self, kind: str, pairs: Mapping[str, object]) -> str:
        """Return our id of the one node with some properties; empty for none or two."""
        names = tuple(sorted(pairs))
        found = self._found.get(names)
        if found is None:
            found = self._found[names] = self._index_nodes_by_properties(names)
        return found.get((kind, *(pairs[name] for name in names)), "")

    def _index_nodes_by_properties(
        self, names: tuple[str, ...]
    ) -> dict[tuple[object, ...], str]:
        """Index the nodes by the values of some properties, with and without a kind."""
        found: dict[tuple[object, ...], str] = {}
        for node in self._nodes:
            values = tuple(node.properties.get(name) for name in names)
            if any(each is None or isinstance(each, list) for each in values):
                continue
            for kind in (*node.kinds, ""):
                key = (kind, *values)
                found[key] = node.key if found.get(key, node.key) == node.key else ""
        return found


def iterate_foreign_graphs(
    inventory: Inventory,
) -> Iterator[tuple[ForeignGraph, FactProvenance]]:
    """Yield each foreign graph of a snapshot with its provenance."""
    for each in inventory.facts.select_catalogues(PLATFORM):
        yield msgspec.json.decode(each.body, type=ForeignGraph), each.seen


def list_declared_edges(inventory: Inventory, subject: str) -> list[DeclaredEdge]:
    """List the edges of all foreign graphs that start or end at a subject."""
    found = inventory.get_or_compute_value("declared edges", _index_edges)
    return found.get(subject, [])


def add_declared_edges(rows: EntityRows, now: int) -> None:
    """Add a row per declared edge; where we evaluate the same call, with our verdict.

    Args:
        now: UTC nanoseconds.
    """
    edges = list_declared_edges(rows.inventory, rows.subject)
    for edge in edges[:_MOST_EDGES]:
        relation = f"{edge.kind} {'to' if edge.outgoing else 'from'}"
        evidence = LinkEvidence(
            FactStatus.DECLARED.value, edge.seen.place, edge.seen.written_by.value
        )
        detail = f"declared by {edge.collector}"
        if edge.action:
            detail += f"; our verdict on {edge.action}: {_evaluate_edge_call(rows, edge, now)}"
        rows.add(
            _get_kind(rows.inventory, edge.other),
            relation,
            edge.other,
            evidence,
            detail,
        )
    if len(edges) > _MOST_EDGES:
        left = f"{len(edges) - _MOST_EDGES} more, in the file of the collector"
        source = LinkEvidence(FactStatus.DECLARED.value, edges[0].seen.place)
        rows.add(FACT, "further declared edges", left, source)


def _get_kind(inventory: Inventory, key: str) -> str:
    """Return the kind of the other end: an identity that was scanned, or a resource."""
    return "identity" if key in inventory.facts.identities_by_id() else "resource"


def _evaluate_edge_call(rows: EntityRows, edge: DeclaredEdge, now: int) -> str:
    """Return our verdict on the call that an edge declares; `not-known` if none."""
    from answerable.reach.expected_verdict import VerdictExpectation
    from answerable.services.reach import permission_documents

    start, end = rows.subject, edge.other
    if not edge.outgoing:
        start, end = end, start
    question = Question(now=now, subject=start, action=edge.action, resource=end)
    try:
        with lock_compiled_snapshot(rows.inventory):
            answer = permission_documents.check_permission(
                rows.inventory, question, VerdictExpectation("", frozenset())
            )
    except UsageError:
        return "not-known"
    return str(answer.items[0]["verdict"])


def _index_edges(inventory: Inventory) -> Mapping[str, list[DeclaredEdge]]:
    """Index the edges of all foreign graphs by our ids of both ends."""
    found: dict[str, list[DeclaredEdge]] = defaultdict(list)
    for graph, seen in iterate_foreign_graphs(inventory):
        nodes = _NodesByEnd(graph)
        for start, end, edge in _resolve_ends(nodes, graph.edges):
            action = ACTIONS_BY_EDGE.get(edge.kind, "")
            for subject, other, outgoing in ((start, end, True), (end, start, False)):
                found[subject].append(
                    DeclaredEdge(
                        graph.collector, edge.kind, other, outgoing, action, seen
                    )
                )
    return found


def _resolve_ends(
    nodes: _NodesByEnd, edges: Iterable[ForeignEdge]
) -> Iterator[tuple[str, str, ForeignEdge]]:
    """Yield our ids of both ends of each edge, with the edge."""
    for edge in edges:
        yield nodes.get_key(edge.start), nodes.get_key(edge.end), edge

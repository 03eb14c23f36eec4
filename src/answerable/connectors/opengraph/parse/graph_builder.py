"""Build a foreign graph from raw nodes and edges, without secret values."""

from collections.abc import Iterable
from typing import Any

import msgspec

from answerable.connectors.formats.aws_api_responses import DECODE_ERRORS
from answerable.connectors.opengraph.parse.node_keys import build_node_key
from answerable.connectors.opengraph.parse.property_redaction import (
    redact_graph_id,
    redact_graph_property,
    redact_graph_text,
)
from answerable.model.foreign_graph import (
    ForeignEdge,
    ForeignEdgeEnd,
    ForeignGraph,
    ForeignNode,
    ForeignPropertyMatcher,
    PropertyValue,
)


class _Node(msgspec.Struct, frozen=True):
    id: str
    kinds: list[str]
    properties: dict[str, Any] | None = None


class _PropertyMatcher(msgspec.Struct, frozen=True):
    key: str
    value: str | int | float | bool
    operator: str = "equals"


class _EdgeEnd(msgspec.Struct, frozen=True):
    """End of an edge: https://bloodhound.specterops.io/opengraph/schema."""

    value: str = ""
    match_by: str = "id"
    kind: str | None = None
    property_matchers: list[_PropertyMatcher] = []


class _Edge(msgspec.Struct, frozen=True):
    kind: str
    start: _EdgeEnd
    end: _EdgeEnd
    properties: dict[str, Any] | None = None


class GraphBuilder:
    """Foreign graph under construction.

    Attributes:
        faults: Pairs (pointer, reason) of what could not be read.
    """

    def __init__(self, collector: str, place: str) -> None:
        self.faults: list[tuple[str, str]] = []
        self._collector = redact_graph_text(collector)
        self._place = place
        self._nodes: list[ForeignNode] = []
        self._edges: list[ForeignEdge] = []

    def build(self) -> ForeignGraph:
        """Return the graph."""
        return ForeignGraph(self._collector, tuple(self._nodes), tuple(self._edges))

    def read_nodes(self, nodes: Iterable[msgspec.Raw]) -> None:
        """Read the nodes of an OpenGraph file."""
        for number, raw in enumerate(nodes):
            at = f"/graph/nodes/{number}"
            try:
                node = msgspec.json.decode(raw, type=_Node)
            except DECODE_ERRORS:
                self.faults.append((at, "not a node"))
                continue
            self.add_node(at, node.id, tuple(node.kinds), node.properties or {})

    def read_edges(self, edges: Iterable[msgspec.Raw]) -> None:
        """Read the edges of an OpenGraph file."""
        for number, raw in enumerate(edges):
            at = f"/graph/edges/{number}"
            try:
                edge = msgspec.json.decode(raw, type=_Edge)
            except DECODE_ERRORS:
                self.faults.append((at, "not an edge"))
                continue
            if not _is_named(edge.start) or not _is_named(edge.end):
                self.faults.append(
                    (at, "an edge without the id of its start or end node")
                )
                continue
            self.add_edge(
                at,
                edge.kind,
                _build_end(edge.start),
                _build_end(edge.end),
                edge.properties or {},
            )

    def add_node(
        self, at: str, node: str, kinds: tuple[str, ...], properties: dict[str, Any]
    ) -> None:
        """Add a node under its own id and ours."""
        if not node or not kinds:
            self.faults.append((at, "a node without an id or a kind"))
            return
        kept = self._keep_properties(at, properties)
        key = build_node_key(self._collector, node, kinds, kept)
        self._nodes.append(
            ForeignNode(
                redact_graph_id(node),
                redact_graph_id(key),
                tuple(map(redact_graph_text, kinds)),
                kept,
            )
        )

    def add_edge(
        self,
        at: str,
        kind: str,
        start: ForeignEdgeEnd,
        end: ForeignEdgeEnd,
        properties: dict[str, Any],
    ) -> None:
        """Add an edge."""
        kept = self._keep_properties(at, properties)
        self._edges.append(ForeignEdge(redact_graph_text(kind), start, end, kept))

    def _keep_properties(
        self, at: str, properties: dict[str, Any]
    ) -> dict[str, PropertyValue]:
        """Keep texts, numbers, flags and lists of these; others are faults.

        A null stays, as what the schema calls an absent property.
        """
        kept: dict[str, PropertyValue] = {}
        for name, value in properties.items():
            if isinstance(value, str):
                kept[redact_graph_text(name)] = redact_graph_property(name, value)
            elif value is None or isinstance(value, bool | int | float):
                kept[redact_graph_text(name)] = value
            elif isinstance(value, list) and all(
                isinstance(each, str | bool | int | float) for each in value
            ):
                kept[redact_graph_text(name)] = [
                    redact_graph_property(name, each) if isinstance(each, str) else each
                    for each in value
                ]
            else:
                self.faults.append(
                    (at, "a property whose value is an object was ignored")
                )
        return kept


def _build_end(end: _EdgeEnd) -> ForeignEdgeEnd:
    """Build the end of an edge without secret values."""
    matchers = tuple(
        ForeignPropertyMatcher(
            redact_graph_text(each.key),
            redact_graph_property(each.key, each.value)
            if isinstance(each.value, str)
            else each.value,
            redact_graph_text(each.operator),
        )
        for each in end.property_matchers
    )
    value = redact_graph_id(end.value)
    return ForeignEdgeEnd(value, end.match_by, end.kind or "", matchers)


def _is_named(end: _EdgeEnd) -> bool:
    """Return whether the end of an edge names a node."""
    return bool(end.value or end.property_matchers)

"""Nodes and raw edges of a graph export, found by kind and by their ends."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from answerable.connectors.formats.aws_api_responses import parse_timestamp_ns


class GraphNode(msgspec.Struct, frozen=True):
    """Node of an export."""

    id: str
    kinds: tuple[str, ...]
    properties: dict[str, Any]


class EdgeEnd(msgspec.Struct, frozen=True):
    """End of an edge."""

    value: str


class GraphEdge(msgspec.Struct, frozen=True):
    """Edge of an export."""

    kind: str
    start: EdgeEnd
    end: EdgeEnd
    properties: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class NodeProperties:
    """Properties of a node, by type."""

    raw: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a property as text; empty where there is none."""
        value = self.raw.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """Return a property as a number; 0 where there is none."""
        value = self.raw.get(name)
        return value if isinstance(value, int) else 0

    def flag(self, name: str) -> bool:
        """Return a property as a truth value."""
        return self.raw.get(name) is True

    def time(self, name: str) -> int:
        """Return a property as a time, UTC nanoseconds; 0 where there is none."""
        return parse_timestamp_ns(self.text(name))

    def parse_json_object(self, name: str) -> dict[str, Any]:
        """Parse a property with JSON text; empty unless it is an object."""
        try:
            value = json.loads(self.text(name) or "{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(slots=True)
class GraphIndex:
    """Nodes and raw edges of an export.

    Attributes:
        nodes: By id.
        starting: Raw edges by the id of their start.
        ending: Raw edges by the id of their end.
    """

    place: str
    nodes: dict[str, GraphNode] = field(default_factory=dict)
    starting: dict[str, list[GraphEdge]] = field(default_factory=dict)
    ending: dict[str, list[GraphEdge]] = field(default_factory=dict)

    def find_ends(self, start: str, kind: str) -> Iterator[GraphNode]:
        """Yield the nodes at the ends of a node's edges of one kind."""
        for edge in self.starting.get(start, ()):
            if edge.kind == kind and edge.end.value in self.nodes:
                yield self.nodes[edge.end.value]

    def find_starts(self, end: str, kind: str) -> Iterator[GraphNode]:
        """Yield the nodes at the starts of the edges of one kind into a node."""
        for edge in self.ending.get(end, ()):
            if edge.kind == kind and edge.start.value in self.nodes:
                yield self.nodes[edge.start.value]

    def list_nodes(self, kind: str) -> Iterator[tuple[GraphNode, NodeProperties]]:
        """Yield the nodes of one kind with their properties."""
        for node in self.nodes.values():
            if node.kinds[0] == kind:
                yield node, NodeProperties(node.properties)

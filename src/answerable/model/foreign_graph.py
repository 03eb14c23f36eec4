"""Graph that another collector exported: its nodes, its edges, and its name.

Edges are the collector's word. Those that it computed are never an answer of ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PLATFORM = "opengraph"
_ID_PREFIX = "graph:"

# Value of a property: https://bloodhound.specterops.io/opengraph/schema
PropertyValue = str | int | float | bool | None | list[str | int | float | bool]
Properties = Mapping[str, PropertyValue]


@dataclass(frozen=True, slots=True)
class ForeignNode:
    """Node of a foreign graph.

    Attributes:
        id: Id in that graph.
        key: Our id of the same thing: an ARN, `github:...`, else `graph:COLLECTOR/ID`.
        kinds: Kinds, most specific first.
        properties: Texts, numbers, flags and nulls, without secret values.
    """

    id: str
    key: str
    kinds: tuple[str, ...]
    properties: dict[str, PropertyValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForeignPropertyMatcher:
    """Value that a property of the node at the end of an edge has."""

    key: str
    value: str | int | float | bool
    operator: str = "equals"


@dataclass(frozen=True, slots=True)
class ForeignEdgeEnd:
    """End of an edge: a node by id or name, or by properties of a certain kind.

    Attributes:
        value: Id or name; empty for `match_by` `property`.
    """

    value: str
    match_by: str = "id"
    kind: str = ""
    matchers: tuple[ForeignPropertyMatcher, ...] = ()

    def __str__(self) -> str:
        """Name the end for a reader who has no id of it."""
        found = ", ".join(f"{each.key}={each.value}" for each in self.matchers)
        return f"{self.kind} {found}".strip() if found else self.value


@dataclass(frozen=True, slots=True)
class ForeignEdge:
    """Edge of a foreign graph, as the collector has it."""

    kind: str
    start: ForeignEdgeEnd
    end: ForeignEdgeEnd
    properties: dict[str, PropertyValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForeignGraph:
    """Foreign graph.

    Attributes:
        collector: Name of the collector (`GitHub`, `azurehound`), as in the file.
        nodes: Nodes in file order.
        edges: Edges in file order.
    """

    collector: str
    nodes: tuple[ForeignNode, ...]
    edges: tuple[ForeignEdge, ...]


def join_graphs(parts: Sequence[ForeignGraph]) -> ForeignGraph:
    """Join the parts of one collector's graph."""
    return ForeignGraph(
        parts[0].collector,
        tuple(node for part in parts for node in part.nodes),
        tuple(edge for part in parts for edge in part.edges),
    )


def build_foreign_id(collector: str, node: str) -> str:
    """Build `graph:COLLECTOR/ID`, for a thing that we have no own id for."""
    return f"{_ID_PREFIX}{collector.lower()}/{node}"

"""Graph that another collector exported: its nodes, its edges, and its name.

Edges are the collector's word. Those that it computed are never an answer of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

PLATFORM = "opengraph"
_ID_PREFIX = "graph:"

# Value of a property: https://bloodhound.specterops.io/opengraph/schema
PropertyValue = str | int | float | bool | list[str | int | float | bool]
Properties = Mapping[str, PropertyValue]


@dataclass(frozen=True, slots=True)
class ForeignNode:
    """Node of a foreign graph.

    Attributes:
        id: Id in that graph.
        key: Our id of the same thing: an ARN, `github:...`, else `graph:COLLECTOR/ID`.
        kinds: Kinds, most specific first.
        properties: Texts, numbers and flags, without secret values.
    """

    id: str
    key: str
    kinds: tuple[str, ...]
    properties: dict[str, PropertyValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForeignEdgeEnd:
    """End of an edge: a node by id, or by another property of a certain kind."""

    value: str
    match_by: str = "id"
    kind: str = ""


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


def build_foreign_id(collector: str, node: str) -> str:
    """Build `graph:COLLECTOR/ID`, for a thing that we have no own id for."""
    return f"{_ID_PREFIX}{collector.lower()}/{node}"

"""Read the graph of KubeHound, as its graph database writes it: GraphSON 3.0.

The file has one vertex with its outgoing edges a line, as Gremlin's
`g.io("kubehound.json").write()` writes it.

Source: https://tinkerpop.apache.org/docs/current/dev/io/#graphson-3d0,
https://kubehound.io/reference/entities/
"""

from typing import Any

import msgspec

from answerable.connectors.formats.aws_api_responses import DECODE_ERRORS
from answerable.connectors.opengraph.parse.graph_builder import GraphBuilder
from answerable.connectors.opengraph.parse.node_keys import KUBEHOUND_PREFIX
from answerable.model.foreign_graph import ForeignEdgeEnd

COLLECTOR = "kubehound"
_LABELS = frozenset(
    ("Container", "Endpoint", "Identity", "Node", "PermissionSet", "Pod", "Volume")
)


class _VertexProperty(msgspec.Struct, frozen=True):
    value: Any = None


class _OutgoingEdge(msgspec.Struct, frozen=True, rename={"target": "inV"}):
    target: Any
    properties: dict[str, Any] = {}


class _Vertex(msgspec.Struct, frozen=True, rename={"outgoing": "outE"}):
    id: Any
    label: str
    outgoing: dict[str, list[_OutgoingEdge]] = {}
    properties: dict[str, list[_VertexProperty]] = {}


def is_kubehound(data: bytes) -> bool:
    """Return whether a file begins with a vertex of KubeHound."""
    line = data.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
    try:
        return msgspec.json.decode(line, type=_Vertex).label in _LABELS
    except DECODE_ERRORS:
        return False


def read_kubehound(builder: GraphBuilder, data: bytes) -> None:
    """Read the vertices and their outgoing edges, line by line."""
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip():
            _read_vertex(builder, line, f"/{number}")


def _read_vertex(builder: GraphBuilder, line: bytes, at: str) -> None:
    """Read one vertex with its outgoing edges."""
    try:
        vertex = msgspec.json.decode(line, type=_Vertex)
    except DECODE_ERRORS:
        builder.faults.append((at, "not a vertex"))
        return
    own = _plain_id(vertex.id)
    properties = {
        name: _unwrap_single_value(
            [_strip_graphson_types(each.value) for each in values]
        )
        for name, values in vertex.properties.items()
    }
    builder.add_node(at, own, (f"{KUBEHOUND_PREFIX}{vertex.label}",), properties)
    for label, edges in vertex.outgoing.items():
        for edge in edges:
            found = {
                name: _strip_graphson_types(value)
                for name, value in edge.properties.items()
            }
            end = ForeignEdgeEnd(_plain_id(edge.target))
            builder.add_edge(at, label, ForeignEdgeEnd(own), end, found)


def _unwrap_single_value(values: list[Any]) -> Any:
    """Return the value of a property: the only one, or all."""
    return values[0] if len(values) == 1 else values


def _strip_graphson_types(value: Any) -> Any:
    """Return a value without its type: `{"@type": "g:Int64", "@value": 1}` is 1."""
    if isinstance(value, dict) and "@value" in value:
        return _strip_graphson_types(value["@value"])
    if isinstance(value, list):
        return [_strip_graphson_types(each) for each in value]
    return value


def _plain_id(value: Any) -> str:
    """Return an id as text; empty for one that is neither text nor number."""
    found = _strip_graphson_types(value)
    known = isinstance(found, str | int) and not isinstance(found, bool)
    return str(found) if known else ""

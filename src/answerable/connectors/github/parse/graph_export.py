"""Read a GitHound or OpenHound export: raw nodes and edges of one organization.

Edges that the exporter computed are not read: the evaluator computes its own answers.
Source of the kinds: https://github.com/SpecterOps/GitHound (documentation of nodes and
edges).
"""

import msgspec

from answerable.connectors.formats.aws_api_responses import (
    DECODE_ERRORS,
    describe_decode_error,
)
from answerable.connectors.github.endpoints import ENDPOINTS
from answerable.connectors.github.parse import graph_repositories
from answerable.connectors.github.parse.graph_index import (
    GraphEdge,
    GraphIndex,
    GraphNode,
)
from answerable.connectors.github.parse.graph_nodes import COVERED_KINDS, NODE_READERS
from answerable.connectors.github.parse.organization_builder import OrganizationBuilder
from answerable.connectors.github.parse.saved_response import decode_json_text
from answerable.model.errors import ParseError

# Edges that follow from rules and roles: another program's answers.
COMPUTED_EDGES = frozenset(
    [
        "GH_CanWriteBranch",
        "GH_CanCreateBranch",
        "GH_CanEditProtection",
        "GH_CanAccess",
        "GH_CanReadSecretScanningAlert",
        "GH_CanAssumeIdentity",
        "GH_CanPwnRequest",
    ]
)
_HEAD_BYTES = 4_096


class _Graph(msgspec.Struct, frozen=True):
    nodes: list[msgspec.Raw]
    edges: list[msgspec.Raw]


class _Export(msgspec.Struct, frozen=True):
    graph: _Graph


def is_graph_export(data: bytes) -> bool:
    """Return whether a file is an export: an object with the member `graph`."""
    head = data[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"{") and b'"graph"' in head


def read_graph_export(builder: OrganizationBuilder, data: bytes, place: str) -> None:
    """Read an export into the organization; invalid nodes and edges are problems.

    Raises:
        ParseError: It is not JSON, or has no graph.
    """
    index = _build_index(builder, data, place)
    organizations = [p for _, p in index.list_nodes("GH_Organization")]
    if len(organizations) != 1:
        raise ParseError(
            f"the export has {len(organizations)} organizations (expected one)", place
        )
    login = organizations[0].text("login").lower()
    builder.login = builder.login or login
    if login != builder.login:
        raise ParseError(
            f"the export describes organization {login} (expected {builder.login})",
            place,
        )
    for read in (*NODE_READERS, *graph_repositories.NODE_READERS):
        read(builder, index)
    builder.recognised += len(index.nodes)
    if place not in builder.faulty:
        builder.words.update(COVERED_KINDS)
        return
    # An invalid node or edge could belong to any list.
    owners = ("", *builder.repositories)
    builder.incomplete |= {(each.answer, o) for each in ENDPOINTS for o in owners}


def _build_index(builder: OrganizationBuilder, data: bytes, place: str) -> GraphIndex:
    """Decode the nodes and edges of an export, each by itself."""
    text = decode_json_text(data, place).encode()
    try:
        graph = msgspec.json.decode(text, type=_Export).graph
    except DECODE_ERRORS as error:
        why = describe_decode_error(error)
        raise ParseError(f"not a graph export: {why}", place) from None
    index = GraphIndex(place)
    for number, raw in enumerate(graph.nodes):
        node = builder.decode(raw, GraphNode, f"{place}#/graph/nodes/{number}")
        if node is None or not node.kinds:
            builder.faulty.add(place)
        else:
            index.nodes[node.id] = node
    for number, raw in enumerate(graph.edges):
        edge = builder.decode(raw, GraphEdge, f"{place}#/graph/edges/{number}")
        if edge is None:
            builder.faulty.add(place)
        elif edge.kind not in COMPUTED_EDGES:
            index.starting.setdefault(edge.start.value, []).append(edge)
            index.ending.setdefault(edge.end.value, []).append(edge)
    return index

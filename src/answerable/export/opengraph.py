"""Convert an inventory to the OpenGraph format of BloodHound.

Source: https://bloodhound.specterops.io/opengraph/schema. Property values are texts,
numbers, flags, or lists of these; an id is that of this product.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from answerable.export.document_fields import (
    Item,
    get_list,
    get_owner,
    iterate_objects,
)
from answerable.model.foreign_graph import ForeignEdgeEnd, ForeignGraph

SOURCE_KIND = "Answerable"


def build_opengraph(
    agents: Iterable[Item], credentials: Iterable[Item], identities: Iterable[Item]
) -> Mapping[str, object]:
    """Build the graph of agents, tools, credentials, identities and their owners.

    Its lists are built while they are read.

    Args:
        agents: Items of the document `agents`; the others likewise. They are iterated
            twice.
    """

    def iterate_nodes() -> Iterator[Item]:
        persons: set[str] = set()
        for node in _iterate_nodes(agents, credentials, identities):
            yield _build_node(node)
            person = get_owner(node.item)
            if person and person not in persons:
                persons.add(person)
                yield {
                    "id": person,
                    "kinds": [f"{SOURCE_KIND}Person"],
                    "properties": {"displayname": person},
                }

    def iterate_edges() -> Iterator[Item]:
        for node in _iterate_nodes(agents, credentials, identities):
            edges = (("Owns", get_owner(node.item), node.item["id"]), *node.edges)
            for kind, start, end in edges:
                if start and end:
                    yield {
                        "kind": kind,
                        "start": {"value": str(start), "match_by": "id"},
                        "end": {"value": str(end), "match_by": "id"},
                        "properties": {},
                    }

    return {
        "metadata": {"source_kind": SOURCE_KIND},
        "graph": {"nodes": iterate_nodes(), "edges": iterate_edges()},
    }


@dataclass(frozen=True, slots=True)
class _ListedNode:
    """Node of the graph.

    Attributes:
        item: Item of a document.
        kind: Kind of the node.
        names: Fields of the item that are properties.
        edges: Kind, start and end of edges, besides that of the owner.
    """

    item: Item
    kind: str
    names: Sequence[str]
    edges: Sequence[tuple[str, object, object]] = ()


def _iterate_nodes(
    agents: Iterable[Item], credentials: Iterable[Item], identities: Iterable[Item]
) -> Iterator[_ListedNode]:
    """Yield identities, credentials, and agents with their tools."""
    for each in identities:
        yield _ListedNode(each, "Identity", ("kind", "name", "account"))
    for each in credentials:
        proves = (("Proves", each["id"], each["identity"]),)
        names = ("kind", "class", "lifetime", "status")
        yield _ListedNode(each, "Credential", names, proves)
    for each in agents:
        key = each["id"]
        edges: list[tuple[str, object, object]] = [("Starts", each["parent"], key)]
        edges += [("ActsAs", key, one) for one in get_list(each, "identities")]
        yield _ListedNode(each, "Agent", ("kind", "name", "place", "unattended"), edges)
        tools: dict[str, _ListedNode] = {}
        for tool in iterate_objects(each, "tools"):
            name = f"{key} {tool['id']}"
            before = tools[name].edges if name in tools else ()
            held = [
                ("Holds", name, one["id"])
                for one in iterate_objects(tool, "credentials")
            ]
            tools[name] = _ListedNode(
                {**tool, "id": name},
                "Tool",
                ("server", "transport", "target", "unattended"),
                (*before, ("Uses", key, name), *held),
            )
        yield from tools.values()


def _build_node(node: _ListedNode) -> Item:
    """Build the node of an item."""
    item, key = node.item, str(node.item["id"])
    known = ((name, item.get(name)) for name in node.names)
    properties = {name: value for name, value in known if value not in (None, "")}
    return {
        "id": key,
        "kinds": [f"{SOURCE_KIND}{node.kind}"],
        "properties": {"displayname": str(item.get("name") or key), **properties},
    }


def build_collector_opengraph(graph: ForeignGraph) -> Mapping[str, object]:
    """Build the graph of another collector as read, with the name of the collector."""
    return {
        "metadata": {"source_kind": graph.collector},
        "graph": {
            "nodes": [
                {"id": e.id, "kinds": e.kinds, "properties": e.properties}
                for e in graph.nodes
            ],
            "edges": [
                {
                    "kind": each.kind,
                    "start": _build_end(each.start),
                    "end": _build_end(each.end),
                    "properties": each.properties,
                }
                for each in graph.edges
            ],
        },
    }


def _build_end(end: ForeignEdgeEnd) -> Mapping[str, object]:
    """Build the end of an edge; some readers require `match_by`."""
    kind = {"kind": end.kind} if end.kind else {}
    if end.matchers:
        matchers = [
            {"key": each.key, "value": each.value, "operator": each.operator}
            for each in end.matchers
        ]
        return {"match_by": end.match_by, "property_matchers": matchers, **kind}
    return {"value": end.value, "match_by": end.match_by, **kind}

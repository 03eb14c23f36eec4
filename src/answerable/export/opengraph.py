"""Convert an inventory to the OpenGraph format of BloodHound.

Source: https://bloodhound.specterops.io/opengraph/schema. Property values are texts,
numbers, flags, or lists of these; an id is that of this product.
"""

from collections.abc import Iterable, Mapping, Sequence

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

    Args:
        agents: Items of the document `agents`; the others likewise.
    """
    graph = _InventoryGraph()
    for each in identities:
        graph.add_node(each, "Identity", ("kind", "name", "account"))
    for each in credentials:
        graph.add_node(each, "Credential", ("kind", "class", "lifetime", "status"))
        graph.add_edge("Proves", each["id"], each["identity"])
    for each in agents:
        graph.add_node(each, "Agent", ("kind", "name", "place", "unattended"))
        graph.add_edge("Starts", each["parent"], each["id"])
        for identity in get_list(each, "identities"):
            graph.add_edge("ActsAs", each["id"], identity)
        for tool in iterate_objects(each, "tools"):
            node = {**tool, "id": f"{each['id']} {tool['id']}"}
            graph.add_node(
                node, "Tool", ("server", "transport", "target", "unattended")
            )
            graph.add_edge("Uses", each["id"], node["id"])
            for credential in iterate_objects(tool, "credentials"):
                graph.add_edge("Holds", node["id"], credential["id"])
    return {
        "metadata": {"source_kind": SOURCE_KIND},
        "graph": {"nodes": list(graph.nodes.values()), "edges": graph.edges},
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


class _InventoryGraph:
    """Graph under construction."""

    def __init__(self) -> None:
        self.nodes: dict[str, Item] = {}
        self.edges: list[Item] = []

    def add_node(self, item: Item, kind: str, names: Sequence[str]) -> None:
        """Add a node with its owner."""
        key = str(item["id"])
        known = ((name, item.get(name)) for name in names)
        properties = {name: value for name, value in known if value not in (None, "")}
        self.nodes[key] = {
            "id": key,
            "kinds": [f"{SOURCE_KIND}{kind}"],
            "properties": {"displayname": str(item.get("name") or key), **properties},
        }
        person = get_owner(item)
        if person:
            self.nodes.setdefault(
                person,
                {
                    "id": person,
                    "kinds": [f"{SOURCE_KIND}Person"],
                    "properties": {"displayname": person},
                },
            )
            self.add_edge("Owns", person, key)

    def add_edge(self, kind: str, start: object, end: object) -> None:
        """Add an edge between two things, if both are known."""
        if start and end:
            self.edges.append(
                {
                    "kind": kind,
                    "start": {"value": str(start), "match_by": "id"},
                    "end": {"value": str(end), "match_by": "id"},
                    "properties": {},
                }
            )

"""Links from nodes of a path to entity pages, for nodes that have a page."""

from collections.abc import Container
from dataclasses import dataclass, replace

from answerable.web.pages import inventory_list_definitions
from answerable.web.pages.reach.path_graph import PathGraph
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import entity_page

_LISTED = ("agent:", "person:", "cred:", "tool:")


@dataclass(frozen=True, slots=True)
class EntityLinks:
    """Links to the pages of entities of one inventory.

    A path also has nodes without a page: groups, secrets, workflow runs, and
    identities that a principal could create.

    Attributes:
        identities: Ids of the collected identities, and of those that have an owner.
    """

    identities: tuple[Container[str], ...]

    @classmethod
    def of_store(cls, cache: StoreCache) -> "EntityLinks":
        """Build the links of the newest inventory."""
        listed = inventory_list_definitions.identities(cache).by_key
        return cls((listed, cache.current_view().inventory.owners))

    def get_page(self, key: str) -> str:
        """Return the URL of the page of a node; empty if it has none."""
        is_known = key.startswith(_LISTED) or any(
            key in known for known in self.identities
        )
        return entity_page(key) if is_known else ""

    def is_identity(self, key: str) -> bool:
        """Tell whether a node is a collected identity, which a path can lead to."""
        return not key.startswith(_LISTED) and bool(self.get_page(key))

    def remove_dead_links(self, graph: PathGraph) -> PathGraph:
        """Remove the links of nodes that have no page."""
        for key, node in graph.nodes.items():
            if node.kind in ("subject", "identity"):
                graph.nodes[key] = replace(node, link=self.get_page(key))
        return graph

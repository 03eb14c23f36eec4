"""Limit activity queries to the agents and identities that a visitor may see."""

from answerable.services.lineage.lineage_search import SearchScope
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

ACTIVITY_PERMISSIONS = frozenset({WebPermission.INVESTIGATE, WebPermission.OWN})


def get_visible_subjects(visitor: Visitor) -> frozenset[str] | None:
    """Return the ids whose activity the visitor may see; None for every id."""
    return None if WebPermission.INVESTIGATE in visitor.may else visitor.owns


def build_search_scope(cache: StoreCache, visitor: Visitor) -> SearchScope:
    """Build the search scope of activity: inventory, chains, visible subjects."""
    view = cache.current_view()
    return SearchScope(view.inventory, view.chains, get_visible_subjects(visitor))

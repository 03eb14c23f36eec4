"""Scope of activity that a visitor may see."""

from answerable.services.lineage.row_search import SearchScope
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

ACTIVITY_PERMISSIONS = frozenset({WebPermission.INVESTIGATE, WebPermission.OWN})


def visible_subjects(visit: Visitor) -> frozenset[str] | None:
    """Return the agents and identities whose activity is visible; None for all."""
    return None if WebPermission.INVESTIGATE in visit.may else visit.owns


def build_scope(desk: StoreCache, visit: Visitor) -> SearchScope:
    """Build the scope of an activity query for a visitor."""
    standing = desk.current_view()
    return SearchScope(standing.inventory, standing.chains, visible_subjects(visit))

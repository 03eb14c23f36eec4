"""Scope of activity that a visitor may see."""

from answerable.services.lineage.row_search import Scene
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

DEEDS = frozenset({May.INVESTIGATE, May.OWN})


def only(visit: Visit) -> frozenset[str] | None:
    """Return the agents and identities whose activity is visible; None for all."""
    return None if May.INVESTIGATE in visit.may else visit.owns


def scene(desk: Desk, visit: Visit) -> Scene:
    """Build the scope of an activity query for a visitor."""
    standing = desk.standing()
    return Scene(standing.inventory, standing.chains, only(visit))

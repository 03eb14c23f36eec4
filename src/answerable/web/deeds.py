"""Whose deeds a visitor may be told of."""

from answerable.flows.investigate import Scene
from answerable.web.desk import Desk
from answerable.web.visit import May, Visit

DEEDS = frozenset({May.INVESTIGATE, May.OWN})


def only(visit: Visit) -> frozenset[str] | None:
    """Give the agents and identities of which deeds may be told; None for all."""
    return None if May.INVESTIGATE in visit.may else visit.owns


def scene(desk: Desk, visit: Visit) -> Scene:
    """Give what an answer about deeds is made of, for this visitor."""
    standing = desk.standing()
    return Scene(standing.inventory, standing.chains, only(visit))

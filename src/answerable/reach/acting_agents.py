"""Agents that act through an identity, and the severity ("gravity") they add to it."""

from collections import defaultdict
from collections.abc import Mapping

from answerable.model.inventory import Inventory
from answerable.reach.who_can import Gravity

_AgentIds = Mapping[str, list[str]]


def agents_through(inventory: Inventory, identity: str) -> list[str]:
    """List the ids of the agents that act through an identity."""
    return inventory.once("agents by identity", _agents).get(identity, [])


def gravity_of(inventory: Inventory) -> Gravity:
    """Grade identities by the agents that act through them."""
    return inventory.once("gravity of identities", _gravity)


def _agents(inventory: Inventory) -> _AgentIds:
    found: dict[str, list[str]] = defaultdict(list)
    for key, entity in inventory.agents.items():
        for identity in dict.fromkeys(entity.identities):
            found[str(identity)].append(str(key))
    return {identity: sorted(agents) for identity, agents in found.items()}


def _gravity(inventory: Inventory) -> Gravity:
    acting = inventory.once("agents by identity", _agents)
    unattended = {
        str(identity)
        for entity in inventory.agents.values()
        if entity.agent.unattended or any(use.tool.unattended for use in entity.tools)
        for identity in entity.identities
    }
    return Gravity(frozenset(acting), frozenset(unattended))

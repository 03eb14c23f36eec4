"""List the agents that act through an identity, and rank identities by them."""

from collections import defaultdict
from collections.abc import Mapping

from answerable.model.inventory import Inventory
from answerable.reach.caller_ranking import CallerRanking

_AgentIds = Mapping[str, list[str]]


def list_agents_by_identity_used(inventory: Inventory, identity: str) -> list[str]:
    """List the ids of the agents that act through an identity."""
    return inventory.get_or_compute_value(
        "agents by identity", _group_agents_by_identity
    ).get(identity, [])


def rank_by_agents(inventory: Inventory) -> CallerRanking:
    """Rank identities by the agents that act through them."""
    return inventory.get_or_compute_value(
        "gravity of identities", _build_caller_ranking
    )


def _group_agents_by_identity(inventory: Inventory) -> _AgentIds:
    """List the agents by identity that they act through."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, entity in inventory.agents.items():
        for identity in dict.fromkeys(entity.identities):
            found[str(identity)].append(str(key))
    return {identity: sorted(agents) for identity, agents in found.items()}


def _build_caller_ranking(inventory: Inventory) -> CallerRanking:
    """Build the ranking: identities of agents, and of unattended agents."""
    acting = inventory.get_or_compute_value(
        "agents by identity", _group_agents_by_identity
    )
    unattended = {
        str(identity)
        for entity in inventory.agents.values()
        if entity.agent.unattended or any(use.tool.unattended for use in entity.tools)
        for identity in entity.identities
    }
    return CallerRanking(frozenset(acting), frozenset(unattended))

"""Facts that rules read: the inventory, and what reach and logs tell on request."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from answerable.model.inventory import Inventory, ToolUse


@dataclass(frozen=True, slots=True)
class ToolOfAgent:
    """Tool with the agent that has it."""

    agent: str
    use: ToolUse


@dataclass(frozen=True, slots=True)
class PostureFacts:
    """Facts of one snapshot.

    Attributes:
        inventory: Inventory, with owners assessed at `now`.
        now: UTC nanoseconds.
    """

    inventory: Inventory
    now: int

    def list_tools_of_credential(self, credential: str) -> list[ToolOfAgent]:
        """List the tools that use a credential."""
        return list(
            self.inventory.get_or_compute_value(
                "tools of credentials", _group_tools_by_credential
            ).get(credential, ())
        )


def _group_tools_by_credential(
    inventory: Inventory,
) -> Mapping[str, list[ToolOfAgent]]:
    """Group the tools of agents by the credentials that they use."""
    found: dict[str, list[ToolOfAgent]] = defaultdict(list)
    for key, entity in inventory.agents.items():
        for use in entity.tools:
            for credential in dict.fromkeys(use.credentials):
                found[credential].append(ToolOfAgent(key, use))
    return found

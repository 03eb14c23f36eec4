"""Spool quotas by agent, so that one agent cannot fill the spool for all."""

from collections.abc import Mapping


class AgentQuotas:
    """Unshipped bytes by agent.

    Args:
        most: Bytes that any one agent may hold.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}

    def is_exhausted(self, agent: str) -> bool:
        """Tell whether an agent has used up its quota."""
        return self._held.get(agent, 0) >= self._most

    def charge(self, agent: str, size: int) -> None:
        """Count a record."""
        self._held[agent] = self._held.get(agent, 0) + size

    def release(self, shipped: Mapping[str, int]) -> None:
        """Subtract shipped bytes."""
        for agent, size in shipped.items():
            left = self._held.get(agent, 0) - size
            if left > 0:
                self._held[agent] = left
            else:
                self._held.pop(agent, None)

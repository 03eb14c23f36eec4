"""Count spool bytes by agent, so that one agent cannot fill the spool for all."""

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
        """Return whether an agent has used up its quota."""
        return self._held.get(agent, 0) >= self._most

    def charge_bytes(self, agent: str, size: int) -> None:
        """Add the size of a record to an agent's use."""
        self._held[agent] = self._held.get(agent, 0) + size

    def release_bytes(self, shipped_bytes: Mapping[str, int]) -> None:
        """Subtract the bytes that were shipped to the store, by agent."""
        for agent, size in shipped_bytes.items():
            left = self._held.get(agent, 0) - size
            if left > 0:
                self._held[agent] = left
            else:
                self._held.pop(agent, None)

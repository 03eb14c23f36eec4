"""How much of the spool each agent holds: one of them cannot fill it for all."""

from collections.abc import Mapping


class Quotas:
    """Bytes by agent that wait to be shipped.

    Args:
        most: Bytes that any one agent may hold.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}

    def spent(self, agent: str) -> bool:
        """Tell whether an agent may have no further decision recorded."""
        return self._held.get(agent, 0) >= self._most

    def take(self, agent: str, size: int) -> None:
        """Count a record."""
        self._held[agent] = self._held.get(agent, 0) + size

    def release(self, shipped: Mapping[str, int]) -> None:
        """Give back what was shipped."""
        for agent, size in shipped.items():
            left = self._held.get(agent, 0) - size
            if left > 0:
                self._held[agent] = left
            else:
                self._held.pop(agent, None)

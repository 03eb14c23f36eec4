"""Limit notifications: each action once an hour, each agent N times an hour.

An agent chooses its requests and their frequency, so all of this is bounded, and one
agent's requests leave room for the others'.
"""

from collections import OrderedDict, deque

from answerable.model.approval_request import ApprovalScope

HOUR = 3600.0  # seconds in which the same action is notified once
MAX_AGENTS = 1024


class NotificationRate:
    """Rate limit of notifications.

    Args:
        per_agent: Notifications per agent and hour.
    """

    def __init__(self, per_agent: int) -> None:
        self.per_agent = per_agent
        self._agents: OrderedDict[str, _AgentWindow] = OrderedDict()

    def allow_notification(self, action: ApprovalScope, now: float) -> bool:
        """Return whether to notify of an action now; if so, it is counted.

        Args:
            action: The action.
            now: Monotonic seconds.
        """
        agent = self._agents.get(action.agent)
        if agent is None:
            agent = self._agents[action.agent] = _AgentWindow()
            if len(self._agents) > MAX_AGENTS:
                self._agents.popitem(last=False)
        self._agents.move_to_end(action.agent)
        return agent.allow_notification(action, now, self.per_agent)


class _AgentWindow:
    """Notifications about one agent in the last hour."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, ApprovalScope]] = deque()
        self._acts: set[ApprovalScope] = set()

    def allow_notification(
        self, action: ApprovalScope, now: float, max_per_hour: int
    ) -> bool:
        """Return whether the agent's hourly limits allow a notification; count it."""
        while self._told and now - self._told[0][0] >= HOUR:
            self._acts.discard(self._told.popleft()[1])
        if action in self._acts or len(self._told) >= max_per_hour:
            return False
        self._told.append((now, action))
        self._acts.add(action)
        return True

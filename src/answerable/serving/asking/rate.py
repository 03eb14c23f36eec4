"""How often anybody is told: each act once an hour, each agent so often an hour.

An agent chooses what it asks for and how often, so all of this is bounded, and one
agent's asks leave room for the others'.
"""

from collections import OrderedDict, deque

from answerable.model.ask import Wanted

HOUR = 3600.0  # seconds; until then the same act is not told again
MOST_AGENTS = 1024


class Rate:
    """Says what is told, by the clock that it is handed.

    Args:
        per_agent: How often an hour any one agent is told of.
    """

    def __init__(self, per_agent: int) -> None:
        self.per_agent = per_agent
        self._agents: OrderedDict[str, _Agent] = OrderedDict()

    def may(self, wanted: Wanted, now: float) -> bool:
        """Say whether an act is told of now; it counts as told then.

        Args:
            wanted: The act.
            now: Seconds of a clock that does not go back.
        """
        agent = self._agents.get(wanted.agent)
        if agent is None:
            agent = self._agents[wanted.agent] = _Agent()
            if len(self._agents) > MOST_AGENTS:
                self._agents.popitem(last=False)
        self._agents.move_to_end(wanted.agent)
        return agent.may(wanted, now, self.per_agent)


class _Agent:
    """What was told of one agent within the last hour."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, Wanted]] = deque()
        self._acts: set[Wanted] = set()

    def may(self, wanted: Wanted, now: float, most: int) -> bool:
        while self._told and now - self._told[0][0] >= HOUR:
            self._acts.discard(self._told.popleft()[1])
        if wanted in self._acts or len(self._told) >= most:
            return False
        self._told.append((now, wanted))
        self._acts.add(wanted)
        return True

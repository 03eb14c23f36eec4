"""Requests that stand, and which of them are a caller's: those of its own person.

Nothing that an agent sends has a part in this. Who filed a request is known by a key,
and for whom a run is by our own token service; where that names nobody, the agent acts
for its attested owner.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from answerable.model.behaviour import Asked
from answerable.model.caller import Caller
from answerable.model.ids import AgentId
from answerable.model.requested import ANY_RUN, Requested
from answerable.model.written import WrittenBy

OTHER_PERSON = "for-the-run-of-another-person"


def _untold(id: str, why: str) -> None:
    """Tell nobody."""


class Requests:
    """The requests of one worker.

    Args:
        refused: Told of a request that names a run which is not its person's, once.
    """

    def __init__(self, refused: Callable[[str, str], None] = _untold) -> None:
        self._refused = refused
        self._told: set[str] = set()
        self._by_agent: dict[AgentId, list[tuple[Requested, Asked]]] = {}

    def take(self, standing: Iterable[Requested]) -> None:
        """Know these from now on, and no others."""
        found: dict[AgentId, list[tuple[Requested, Asked]]] = defaultdict(list)
        for each in standing:
            asked = Asked(frozenset(each.values), WrittenBy.PERSON, each.id)
            found[each.agent].append((each, asked))
        self._by_agent = dict(found)

    def of(self, caller: Caller, now: int) -> tuple[Asked, ...]:
        """Give what the person whom a caller acts for asked it for.

        Args:
            caller: Who calls.
            now: UTC nanoseconds.
        """
        known = self._by_agent.get(caller.agent)
        if known is None:
            return ()
        return tuple(asked for each, asked in known if self._is_for(each, caller, now))

    def _is_for(self, request: Requested, caller: Caller, now: int) -> bool:
        if now >= request.until or request.run not in (ANY_RUN, caller.run):
            return False
        person = caller.person
        own = person in request.persons if person else request.is_owners
        if not own and request.run != ANY_RUN and request.id not in self._told:
            self._told.add(request.id)
            self._refused(request.id, OTHER_PERSON)
        return own

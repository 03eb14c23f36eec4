"""Requests that persons filed with agents, and which of them apply to a caller.

An agent's own messages have no influence. The filer of a request is known by a signing
key, and the person of a run by our token service; a run without a person acts for the
agent's attested owner.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from answerable.model.behaviour import Asked
from answerable.model.caller import Caller
from answerable.model.ids import AgentId
from answerable.model.person_request import ANY_RUN, Requested
from answerable.model.provenance import WrittenBy

OTHER_PERSON = "for-the-run-of-another-person"


def _untold(id: str, why: str) -> None:
    """Ignore a rejected request."""


class Requests:
    """Valid requests of persons, for one worker.

    Args:
        refused: Called once for a request that names a run of another person.
    """

    def __init__(self, refused: Callable[[str, str], None] = _untold) -> None:
        self._refused = refused
        self._told: set[str] = set()
        self._by_agent: dict[AgentId, list[tuple[Requested, Asked]]] = {}

    def take(self, standing: Iterable[Requested]) -> None:
        """Replace all requests."""
        found: dict[AgentId, list[tuple[Requested, Asked]]] = defaultdict(list)
        for each in standing:
            asked = Asked(frozenset(each.values), WrittenBy.PERSON, each.id)
            found[each.agent].append((each, asked))
        self._by_agent = dict(found)

    def of(self, caller: Caller, now: int) -> tuple[Asked, ...]:
        """Return the requests of the person that a caller acts for.

        Args:
            caller: The verified caller.
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

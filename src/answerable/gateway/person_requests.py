"""Index the requests that persons filed with agents; find those for a caller.

An agent's own messages have no influence. The filer of a request is known by a signing
key, and the person of a run by our token service; a run without a person acts for the
agent's attested owner.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from answerable.model.behaviour import RequestedValues
from answerable.model.caller import VerifiedCaller
from answerable.model.ids import AgentId
from answerable.model.person_request import ANY_RUN, PersonRequest
from answerable.model.provenance import WrittenBy

RUN_OF_ANOTHER_PERSON = "for-the-run-of-another-person"


def ignore_rejected_request(id: str, reason: str) -> None:
    """Do nothing: the default listener for rejected requests."""


class PersonRequestIndex:
    """Valid requests of persons, for one worker.

    Args:
        refused: Called once for a request that names a run of another person.
    """

    def __init__(
        self, refused: Callable[[str, str], None] = ignore_rejected_request
    ) -> None:
        self._refused = refused
        self._told: set[str] = set()
        self._by_agent: dict[AgentId, list[tuple[PersonRequest, RequestedValues]]] = {}

    def replace_all(self, requests: Iterable[PersonRequest]) -> None:
        """Replace the indexed signed requests of people, by agent."""
        found: dict[AgentId, list[tuple[PersonRequest, RequestedValues]]] = defaultdict(
            list
        )
        for each in requests:
            asked = RequestedValues(frozenset(each.values), WrittenBy.PERSON, each.id)
            found[each.agent].append((each, asked))
        self._by_agent = dict(found)

    def find_for_caller(
        self, caller: VerifiedCaller, now: int
    ) -> tuple[RequestedValues, ...]:
        """Find the signed requests of the person that a caller acts for.

        Args:
            caller: The verified caller.
            now: UTC nanoseconds.
        """
        known = self._by_agent.get(caller.agent)
        if known is None:
            return ()
        return tuple(
            asked for each, asked in known if self._applies_to(each, caller, now)
        )

    def _applies_to(
        self, request: PersonRequest, caller: VerifiedCaller, now: int
    ) -> bool:
        """Return whether a request is for this caller's run, by its own person."""
        if now >= request.until or request.run not in (ANY_RUN, caller.run):
            return False
        person = caller.person
        own = person in request.persons if person else request.is_owners
        if not own and request.run != ANY_RUN and request.id not in self._told:
            self._told.add(request.id)
            self._refused(request.id, RUN_OF_ANOTHER_PERSON)
        return own

"""Visitors from sessions and tokens: roles, and ownership at this moment."""

from collections import defaultdict

from answerable.inventory.people import People
from answerable.model.ids import PersonId
from answerable.model.person import OwnerState
from answerable.services.statements.attested_owners import Attesting
from answerable.web.auth.bearer_tokens import Bearer
from answerable.web.auth.sessions import Session
from answerable.web.store_cache import Desk
from answerable.web.store_view import Standing
from answerable.web.visitor import May, Role, Visit, may_of

NOBODY = Visit(None, frozenset())


class Visitors:
    """Builder of visitors; runs in a worker thread, because ownership is in the store.

    Args:
        desk: Where it is looked up.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def visit(self, session: Session, *, fresh: bool) -> Visit:
        """Return the visitor of a session."""
        owns = self._owns(session.person, session.roles)
        return Visit(
            session.person, session.roles, owns, session.token(), fresh, session.by
        )

    def bearing(self, bearer: Bearer) -> Visit:
        """Return the visitor of a token."""
        owns = self._owns(bearer.person, bearer.roles)
        return Visit(bearer.person, bearer.roles, owns, by=bearer.by)

    def _owns(self, person: PersonId | None, roles: frozenset[Role]) -> frozenset[str]:
        if person is None or May.OWN not in may_of(roles):
            return frozenset()
        return owned(self._desk, person)


def owned(desk: Desk, person: PersonId) -> frozenset[str]:
    """Return the subjects that a person owns by a valid attestation.

    In a large store the cached view may lag for new ownership; lost ownership takes
    effect at once.
    """
    same = desk.kept("same person", _people)
    known = desk.kept("attested", _attested).get(same(person), frozenset())
    if not known:
        return known
    with desk.store() as store:
        now = store.beside("attesting", Attesting).now(desk.now)
    own = same(person)
    return frozenset(each for each in known if each in now and same(now[each]) == own)


def _people(standing: Standing) -> People:
    return People(standing.inventory.facts.persons)


def _attested(standing: Standing) -> dict[PersonId, frozenset[str]]:
    found: defaultdict[PersonId, set[str]] = defaultdict(set)
    for subject, owner in standing.inventory.owners.items():
        if owner.state is OwnerState.ATTESTED and owner.person:
            found[owner.person].add(subject)
    return {person: frozenset(subjects) for person, subjects in found.items()}

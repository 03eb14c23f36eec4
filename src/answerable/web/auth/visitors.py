"""Visitors from sessions and tokens: roles, and ownership at this moment."""

from collections import defaultdict

from answerable.inventory.people import PersonDirectory
from answerable.model.ids import PersonId
from answerable.model.person import OwnerState
from answerable.services.statements.attested_owners import AttestationReader
from answerable.web.auth.bearer_tokens import TokenPerson
from answerable.web.auth.sessions import WebSession
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import StoreView
from answerable.web.visitor import Visitor, WebPermission, WebRole, permissions_of

ANONYMOUS = Visitor(None, frozenset())


class VisitorFactory:
    """Builder of visitors; runs in a worker thread, because ownership is in the store.

    Args:
        desk: Where it is looked up.
    """

    def __init__(self, desk: StoreCache) -> None:
        self._desk = desk

    def from_session(self, session: WebSession, *, fresh: bool) -> Visitor:
        """Return the visitor of a session."""
        owns = self._owned_subjects(session.person, session.roles)
        return Visitor(
            session.person, session.roles, owns, session.csrf_token(), fresh, session.by
        )

    def from_token(self, bearer: TokenPerson) -> Visitor:
        """Return the visitor of a token."""
        owns = self._owned_subjects(bearer.person, bearer.roles)
        return Visitor(bearer.person, bearer.roles, owns, by=bearer.by)

    def _owned_subjects(
        self, person: PersonId | None, roles: frozenset[WebRole]
    ) -> frozenset[str]:
        if person is None or WebPermission.OWN not in permissions_of(roles):
            return frozenset()
        return attested_subjects(self._desk, person)


def attested_subjects(desk: StoreCache, person: PersonId) -> frozenset[str]:
    """Return the subjects that a person owns by a valid attestation.

    In a large store the cached view may lag for new ownership; lost ownership takes
    effect at once.
    """
    same = desk.get_derived("same person", _person_index)
    known = desk.get_derived("attested", _index_owners).get(same(person), frozenset())
    if not known:
        return known
    with desk.open_store() as store:
        now = store.get_or_attach("attesting", AttestationReader).read(desk.now)
    own = same(person)
    return frozenset(each for each in known if each in now and same(now[each]) == own)


def _person_index(standing: StoreView) -> PersonDirectory:
    return PersonDirectory(standing.inventory.facts.persons)


def _index_owners(standing: StoreView) -> dict[PersonId, frozenset[str]]:
    found: defaultdict[PersonId, set[str]] = defaultdict(set)
    for subject, owner in standing.inventory.owners.items():
        if owner.state is OwnerState.ATTESTED and owner.person:
            found[owner.person].add(subject)
    return {person: frozenset(subjects) for person, subjects in found.items()}

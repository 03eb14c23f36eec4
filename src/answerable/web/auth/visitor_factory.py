"""Build the visitor of a session or token: roles and currently owned subjects."""

from collections import defaultdict

from answerable.inventory.person_directory import PersonDirectory
from answerable.model.ids import PersonId
from answerable.model.person import OwnerState
from answerable.services.statements.attested_owners import AttestationReader
from answerable.web.auth.bearer_tokens import TokenPerson
from answerable.web.auth.sessions import WebSession
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import StoreView
from answerable.web.visitor import Visitor, WebPermission, WebRole, permissions_of_roles

ANONYMOUS = Visitor(None, frozenset())


class VisitorFactory:
    """Builder of visitors; runs in a worker thread, because ownership is in the store.

    Args:
        cache: Cache over the store with the attestations.
    """

    def __init__(self, cache: StoreCache) -> None:
        self._cache = cache

    def from_session(self, session: WebSession, *, fresh: bool) -> Visitor:
        """Build the visitor of a session, with a CSRF token."""
        owns = self._find_owned_subjects(session.person, session.roles)
        return Visitor(
            session.person, session.roles, owns, session.csrf_token(), fresh, session.by
        )

    def from_token(self, bearer: TokenPerson) -> Visitor:
        """Build the visitor (person, roles, owned agents) of a bearer token."""
        owns = self._find_owned_subjects(bearer.person, bearer.roles)
        return Visitor(bearer.person, bearer.roles, owns, by=bearer.by)

    def _find_owned_subjects(
        self, person: PersonId | None, roles: frozenset[WebRole]
    ) -> frozenset[str]:
        """Return the attested subjects of a person whose roles include OWN."""
        if person is None or WebPermission.OWN not in permissions_of_roles(roles):
            return frozenset()
        return find_attested_subjects(self._cache, person)


def find_attested_subjects(cache: StoreCache, person: PersonId) -> frozenset[str]:
    """Return the subjects that a person owns by a valid attestation.

    In a large store the cached view may lag for new ownership; lost ownership takes
    effect at once.
    """
    canonical_person = cache.get_derived("same person", _build_person_directory)
    known = cache.get_derived("attested", _index_owners).get(
        canonical_person(person), frozenset()
    )
    if not known:
        return known
    with cache.open_store() as store:
        valid = AttestationReader.open(store).read(cache.now).active
    now = {item.subject: item.person for item in valid}
    own = canonical_person(person)
    return frozenset(
        each for each in known if each in now and canonical_person(now[each]) == own
    )


def _build_person_directory(view: StoreView) -> PersonDirectory:
    """Build the lookup from a person's other names to one canonical id."""
    return PersonDirectory(view.inventory.facts.persons)


def _index_owners(view: StoreView) -> dict[PersonId, frozenset[str]]:
    """Index the subjects with an attested owner by that person."""
    found: defaultdict[PersonId, set[str]] = defaultdict(set)
    for subject, owner in view.inventory.owners.items():
        if owner.state is OwnerState.ATTESTED and owner.person:
            found[owner.person].add(subject)
    return {person: frozenset(subjects) for person, subjects in found.items()}

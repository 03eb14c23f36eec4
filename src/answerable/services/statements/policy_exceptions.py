"""Signed policy exceptions in a store, verified on every read."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.authorization.exception_validity import Answerers, Judged, judge
from answerable.evidence import policy_exceptions as room
from answerable.model.ids import AgentId
from answerable.model.owner_key import Verified
from answerable.model.policy_exception import Amendment
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import AttestedOwner, owners_of
from answerable.services.statements.verified_statements import (
    Unheld,
    unheld,
    verify_statements,
)
from answerable.store.store import Store

AMENDMENT = "amendment"  # kind of the objects


@dataclass(frozen=True, slots=True)
class Held:
    """Policy exceptions of a store at one moment.

    Attributes:
        judged: All policy exceptions, in log order.
        said: All statements with a valid signature, in log order.
        unheld: Invalid statements.
        owners: Attested owner of each agent.
        who: The same owners, in the form that validation reads.
    """

    judged: tuple[Judged, ...]
    said: tuple[Verified, ...]
    unheld: tuple[Unheld, ...]
    owners: Mapping[AgentId, AttestedOwner]
    who: Answerers

    @property
    def standing(self) -> tuple[Amendment, ...]:
        """Exceptions in force."""
        return tuple(each.amendment for each in self.judged if each.fallen is None)


class AmendmentsOf:
    """Cached reader of the policy exceptions of one store.

    Args:
        store: Open store, used by this thread only.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._attested = owners_of(store)
        self._stamp = b""
        self._objects: tuple[tuple[int, str], ...] = ()
        self._said: tuple[Verified, ...] = ()
        self._unheld: tuple[Unheld, ...] = ()

    def now(self, now: int) -> Held:
        """Verify and return the policy exceptions.

        Args:
            now: UTC nanoseconds.

        Raises:
            VerificationError: The log or an object in it was changed.
            EnvironmentRefused: The store cannot be read.
        """
        owners = self._attested.now(now)
        self._refresh()
        persons = {agent: owner.person for agent, owner in owners.items()}
        who = Answerers(persons, frozenset(persons.values()), self._attested.same)
        judged = judge(self._said, who, now)
        return Held(judged, self._said, self._unheld, owners, who)

    def _refresh(self) -> None:
        stamp = self._store.log.checkpoint()
        if stamp and stamp == self._stamp:
            return
        # A revoked key changes which statements are valid.
        objects = tuple(
            (logged.index, logged.digest)
            for kind in (AMENDMENT, owner_keys.ENROLMENT, owner_keys.REVOCATION)
            for logged in self._store.objects(kind)
        )
        if objects != self._objects:
            found = verify_statements(self._store, AMENDMENT, room.verify, unheld)
            self._said, self._unheld = found
            self._objects = objects
        self._stamp = stamp


def held(store: Store, now: int) -> Held:
    """Read the policy exceptions of a store; see `AmendmentsOf`."""
    return store.beside("amendments", AmendmentsOf).now(now)

"""Read the signed policy exceptions of a store, verified on every read."""

from collections.abc import Mapping
from dataclasses import dataclass

from answerable.authorization.exception_validity import (
    ExceptionStatus,
    OwnerDirectory,
    evaluate_exceptions,
)
from answerable.evidence import policy_exceptions as room
from answerable.model.ids import AgentId
from answerable.model.owner_signing_key import VerifiedStatement
from answerable.model.policy_exception import PolicyException
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import (
    AttestedOwner,
    open_owner_reader,
)
from answerable.services.statements.verified_statements import (
    RejectedStatement,
    build_rejected_statement,
    verify_statements,
)
from answerable.store.store import EvidenceStore

AMENDMENT = "amendment"  # kind of the objects


@dataclass(frozen=True, slots=True)
class PolicyExceptions:
    """Policy exceptions of a store at one moment.

    Attributes:
        judged: All policy exceptions, in log order.
        said: All statements with a valid signature, in log order.
        unheld: Invalid statements.
        owners: Attested owner of each agent.
        who: The same owners, in the form that validation reads.
    """

    statuses: tuple[ExceptionStatus, ...]
    statements: tuple[VerifiedStatement, ...]
    rejected: tuple[RejectedStatement, ...]
    owners: Mapping[AgentId, AttestedOwner]
    owner_directory: OwnerDirectory

    @property
    def active(self) -> tuple[PolicyException, ...]:
        """Exceptions in force."""
        return tuple(
            each.exception for each in self.statuses if each.invalidity is None
        )


class PolicyExceptionReader:
    """Cached reader of the policy exceptions of one store.

    Args:
        store: Open store, used by this thread only.
    """

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store
        self._attested = open_owner_reader(store)
        self._stamp = b""
        self._objects: tuple[tuple[int, str], ...] = ()
        self._said: tuple[VerifiedStatement, ...] = ()
        self._unheld: tuple[RejectedStatement, ...] = ()

    def read(self, now: int) -> PolicyExceptions:
        """Verify and return the policy exceptions.

        Args:
            now: UTC nanoseconds.

        Raises:
            VerificationError: The log or an object in it was changed.
            EnvironmentFailure: The store cannot be read.
        """
        owners = self._attested.read(now)
        self._reload_if_changed()
        persons = {agent: owner.person for agent, owner in owners.items()}
        who = OwnerDirectory(
            persons, frozenset(persons.values()), self._attested.canonical_person
        )
        judged = evaluate_exceptions(self._said, who, now)
        return PolicyExceptions(judged, self._said, self._unheld, owners, who)

    def _reload_if_changed(self) -> None:
        """Verify the statements again if the log has new ones, or new keys."""
        stamp = self._store.log.checkpoint()
        if stamp and stamp == self._stamp:
            return
        # A revoked key changes which statements are valid.
        objects = tuple(
            (logged.index, logged.digest)
            for kind in (AMENDMENT, owner_keys.ENROLMENT, owner_keys.REVOCATION)
            for logged in self._store.list_objects(kind)
        )
        if objects != self._objects:
            found = verify_statements(
                self._store, AMENDMENT, room.verify_exception, build_rejected_statement
            )
            self._said, self._unheld = found
            self._objects = objects
        self._stamp = stamp


def read_policy_exceptions(store: EvidenceStore, now: int) -> PolicyExceptions:
    """Read and verify the signed policy exceptions of a store."""
    return store.get_or_attach("amendments", PolicyExceptionReader).read(now)

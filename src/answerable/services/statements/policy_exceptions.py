"""Read the signed policy exceptions of a store, verified on every read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from answerable.authorization.exception_validity import (
    ExceptionStatus,
    OwnerDirectory,
    check_exception_validity,
)
from answerable.evidence.policy_exceptions import EXCEPTION_SHAPE
from answerable.model.ids import AgentId
from answerable.model.owner_signing_key import VerifiedStatement
from answerable.model.policy_exception import PolicyException, PolicyExceptionInvalidity
from answerable.services.statements.attested_owners import (
    AttestedOwner,
    open_owner_reader,
)
from answerable.services.statements.signed_statements import (
    SignedStatements,
    StatementReading,
)
from answerable.store.store import EvidenceStore

AMENDMENT = "amendment"  # kind of the objects

# Ordinary ends of policy exceptions, which are not reported.
_EXPECTED_REASONS = (
    None,
    PolicyExceptionInvalidity.ENDED,
    PolicyExceptionInvalidity.REVOKED,
    PolicyExceptionInvalidity.UNCONFIRMED,
)


@dataclass(frozen=True)
class PolicyExceptions(StatementReading[PolicyException]):
    """Policy exceptions of a store at one moment.

    Attributes:
        statuses: All policy exceptions, in log order.
        statements: All statements with a valid signature, in log order.
        owners: Attested owner of each agent.
        owner_directory: The same owners, in the form that validation reads.
    """

    statuses: tuple[ExceptionStatus, ...]
    statements: tuple[VerifiedStatement, ...]
    owners: Mapping[AgentId, AttestedOwner]
    owner_directory: OwnerDirectory

    def list_rejections(self) -> Iterable[tuple[str, str]]:
        """List the rejected exceptions, without those that ended in the usual way."""
        return [
            *super().list_rejections(),
            *(
                (each.exception.id, each.invalidity.value)
                for each in self.statuses
                if each.invalidity not in _EXPECTED_REASONS
            ),
        ]


class PolicyExceptionReader(SignedStatements[PolicyException]):
    """Cached reader of the policy exceptions of one store."""

    kind = AMENDMENT
    shape = EXCEPTION_SHAPE
    item = PolicyException

    def select(self, now: int) -> PolicyExceptions:
        """Evaluate expiry, owners, confirmations and revocations."""
        reader = open_owner_reader(self._store)
        owners = reader.owners_by_agent(now)
        persons = {agent: owner.person for agent, owner in owners.items()}
        directory = OwnerDirectory(
            persons, frozenset(persons.values()), reader.canonical_person
        )
        statuses = check_exception_validity(self._verified, directory, now)
        return PolicyExceptions(
            active=tuple(
                each.exception for each in statuses if each.invalidity is None
            ),
            rejected=self._rejected,
            statuses=statuses,
            statements=self._verified,
            owners=owners,
            owner_directory=directory,
        )


def read_policy_exceptions(store: EvidenceStore, now: int) -> PolicyExceptions:
    """Read and verify the signed policy exceptions of a store."""
    reader = PolicyExceptionReader.open(store)
    reader.refresh(now)
    return reader.select(now)

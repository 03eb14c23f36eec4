"""Check whether signed policy exceptions are valid at a moment, and why if not.

Signatures are verified before. This checks, at every moment, that the person still
answers for the agent and that the exception is neither expired nor revoked.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from answerable.authorization.policy_exceptions import ExceptionIndex, ExceptionKey
from answerable.model.decision import TargetKind
from answerable.model.ids import AgentId, PersonId
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementType,
    VerifiedStatement,
    is_owner_key_valid_at,
)
from answerable.model.policy_exception import (
    ANY_ARGUMENTS,
    CONFIRMATION_WINDOW,
    NO_EXPIRY,
    PolicyException,
    PolicyExceptionInvalidity,
    PolicyExceptionKind,
)
from answerable.model.time_units import SECOND_NS


@dataclass(frozen=True, slots=True)
class OwnerDirectory:
    """Current owners.

    Attributes:
        owners: Attested owner of each agent that has one.
        attested: Persons with at least one attestation in force.
        same: Resolves aliases to one person id.
    """

    owners: Mapping[AgentId, PersonId]
    attested: Collection[PersonId]
    same: Callable[[str], PersonId]

    def is_owner(self, person: PersonId, agent: str) -> bool:
        """Return whether a person is the attested owner of an agent."""
        return self.owners.get(AgentId(agent)) == self.same(person)


@dataclass(frozen=True, slots=True)
class ExceptionStatus:
    """One policy exception and its validity.

    Attributes:
        statement: The verified statement that opened it.
        invalidity: Why it is invalid; None if valid.
    """

    exception: PolicyException
    statement: VerifiedStatement
    invalidity: PolicyExceptionInvalidity | None


def check_exception_validity(
    statements: Sequence[VerifiedStatement], directory: OwnerDirectory, now: int
) -> tuple[ExceptionStatus, ...]:
    """Check signer, scope and time of every signed policy exception.

    Args:
        statements: Verified statements, in log order.
        now: UTC nanoseconds.
    """
    revoked = _group_exception_revokers(statements, directory)
    confirmed: dict[str, list[VerifiedStatement]] = defaultdict(list)
    for each in _filter_by_type(statements, StatementType.BREAK_GLASS_CONFIRMED):
        confirmed[each.statement.get_statement_claim("start")].append(each)
    judged = []
    for each in statements:
        kind = each.statement.type
        persons: tuple[PersonId, ...] = (each.key.person,)
        if kind is StatementType.AMENDMENT:
            fallen = _check_signer_is_owner(each, directory)
        elif kind is StatementType.BREAK_GLASS:
            persons, fallen = _find_second_person(
                each, confirmed[each.digest], directory
            )
        else:
            continue
        if _has_expired(
            each.statement, now, is_open=fallen is PolicyExceptionInvalidity.UNCONFIRMED
        ):
            fallen = PolicyExceptionInvalidity.ENDED
        if _is_revoked(revoked.get(each.digest, ()), persons, each, directory):
            fallen = PolicyExceptionInvalidity.REVOKED
        judged.append(
            ExceptionStatus(_build_policy_exception(each, persons), each, fallen)
        )
    return tuple(judged)


def index_exceptions(exceptions: Iterable[PolicyException]) -> ExceptionIndex:
    """Index exceptions by the key that decisions look up."""
    found: dict[ExceptionKey, list[PolicyException]] = defaultdict(list)
    for each in exceptions:
        found[each.agent, each.server, each.target, each.name].append(each)
    return {key: tuple(listed) for key, listed in found.items()}


def drop_expired(
    exceptions: Iterable[PolicyException], now: float
) -> tuple[PolicyException, ...]:
    """Drop policy exceptions whose end has passed.

    Args:
        now: NumericDate.
    """
    return tuple(each for each in exceptions if not each.until or now < each.until)


def _filter_by_type(
    statements: Sequence[VerifiedStatement], kind: StatementType
) -> Iterable[VerifiedStatement]:
    """Return the statements of one type."""
    return (each for each in statements if each.statement.type is kind)


def _check_signer_is_owner(
    exception: VerifiedStatement, directory: OwnerDirectory
) -> PolicyExceptionInvalidity | None:
    """Return the reason if the signer is not the attested owner; else None."""
    owns = directory.is_owner(exception.key.person, exception.statement.subject)
    return None if owns else PolicyExceptionInvalidity.NOT_OWNER


def _find_second_person(
    initiation: VerifiedStatement,
    confirmations: Sequence[VerifiedStatement],
    directory: OwnerDirectory,
) -> tuple[tuple[PersonId, ...], PolicyExceptionInvalidity | None]:
    """Find the second person who confirmed a break-glass exception, or why none did."""
    first = initiation.key.person
    if directory.same(first) not in directory.attested:
        return (first,), PolicyExceptionInvalidity.NOT_ATTESTED
    fallen = PolicyExceptionInvalidity.UNCONFIRMED
    for each in confirmations:
        why = _check_second_person(initiation, each, directory)
        if why is None:
            return (first, each.key.person), None
        fallen = why
    return (first,), fallen


def _check_second_person(
    initiation: VerifiedStatement,
    confirmation: VerifiedStatement,
    directory: OwnerDirectory,
) -> PolicyExceptionInvalidity | None:
    """Return the reason if a person may not confirm a break-glass; else None."""
    first, second = initiation.key.person, confirmation.key.person
    agent = initiation.statement.subject
    if confirmation.statement.subject != agent:
        return PolicyExceptionInvalidity.OTHER_AGENT
    if directory.same(first) == directory.same(second):
        return PolicyExceptionInvalidity.SAME_PERSON
    if directory.same(second) not in directory.attested:
        return PolicyExceptionInvalidity.NOT_ATTESTED
    if not (directory.is_owner(first, agent) or directory.is_owner(second, agent)):
        return PolicyExceptionInvalidity.NOT_OWNER
    if not is_owner_key_valid_at(initiation.key, confirmation.placed):
        return PolicyExceptionInvalidity.KEY_GONE
    between = confirmation.statement.signed_at - initiation.statement.signed_at
    return None if between <= CONFIRMATION_WINDOW else PolicyExceptionInvalidity.LATE


def _group_exception_revokers(
    statements: Sequence[VerifiedStatement], directory: OwnerDirectory
) -> Mapping[str, Sequence[PersonId]]:
    """Group the persons who revoked an exception, by its digest."""
    found: dict[str, list[PersonId]] = defaultdict(list)
    for each in _filter_by_type(statements, StatementType.AMENDMENT_REVOKED):
        found[each.statement.get_statement_claim("amendment")].append(
            directory.same(each.key.person)
        )
    return found


def _is_revoked(
    revokers: Sequence[PersonId],
    signers: Sequence[PersonId],
    exception: VerifiedStatement,
    directory: OwnerDirectory,
) -> bool:
    """Return whether a signer or the agent's owner revoked the exception."""
    may = {directory.same(person) for person in signers}
    owner = directory.owners.get(AgentId(exception.statement.subject))
    return any(person in may or person == owner for person in revokers)


def _has_expired(statement: OwnerStatement, now: int, *, is_open: bool) -> bool:
    """Return whether an exception or its confirmation period has expired."""
    if is_open and now > statement.signed_at + CONFIRMATION_WINDOW:
        return True
    until = statement.get_statement_claim("until")
    return until != NO_EXPIRY and int(until) <= now


def _build_policy_exception(
    statement: VerifiedStatement, persons: Sequence[PersonId]
) -> PolicyException:
    """Convert a signed statement to the policy exception it grants."""
    said = statement.statement
    is_owners = said.type is StatementType.AMENDMENT
    until, arguments = (
        said.get_statement_claim("until"),
        said.get_statement_claim("arguments"),
    )
    return PolicyException(
        id=statement.digest,
        kind=PolicyExceptionKind.OWNER
        if is_owners
        else PolicyExceptionKind.BREAK_GLASS,
        agent=AgentId(said.subject),
        server=said.get_statement_claim("server"),
        target=TargetKind(said.get_statement_claim("target")),
        name=said.get_statement_claim("name"),
        arguments="" if arguments == ANY_ARGUMENTS else arguments,
        until=0 if until == NO_EXPIRY else int(until) // SECOND_NS,
        persons=tuple(persons),
    )

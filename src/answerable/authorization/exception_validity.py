"""Validity of signed policy exceptions at a moment, with the reason if invalid.

Signatures are verified before. This checks, at every moment, that the person still
answers for the agent and that the exception is neither expired nor revoked.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from answerable.authorization.policy_exceptions import Amendments, Key
from answerable.model.decision import Target
from answerable.model.ids import AgentId, PersonId
from answerable.model.owner_key import Statement, StatementType, Verified, is_in_force
from answerable.model.policy_exception import (
    ANY,
    CONFIRMED_WITHIN,
    FOREVER,
    Amendment,
    AmendmentKind,
    Fallen,
)

_SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Answerers:
    """Current owners.

    Attributes:
        owners: Attested owner of each agent that has one.
        attested: Persons with at least one attestation in force.
        same: Resolves aliases to one person id.
    """

    owners: Mapping[AgentId, PersonId]
    attested: Collection[PersonId]
    same: Callable[[str], PersonId]

    def owns(self, person: PersonId, agent: str) -> bool:
        """Tell whether a person is the attested owner of an agent."""
        return self.owners.get(AgentId(agent)) == self.same(person)


@dataclass(frozen=True, slots=True)
class Judged:
    """One policy exception and its validity.

    Attributes:
        said: The verified statement that opened it.
        fallen: Why it is invalid; None if valid.
    """

    amendment: Amendment
    said: Verified
    fallen: Fallen | None


def judge(said: Sequence[Verified], who: Answerers, now: int) -> tuple[Judged, ...]:
    """Evaluate the validity of every exception.

    Args:
        said: Verified statements, in log order.
        now: UTC nanoseconds.
    """
    revoked = _revoked(said, who)
    confirmed: dict[str, list[Verified]] = defaultdict(list)
    for each in _of(said, StatementType.BREAK_GLASS_CONFIRMED):
        confirmed[each.statement.claim("start")].append(each)
    judged = []
    for each in said:
        kind = each.statement.type
        persons: tuple[PersonId, ...] = (each.key.person,)
        if kind is StatementType.AMENDMENT:
            fallen = _owners(each, who)
        elif kind is StatementType.BREAK_GLASS:
            persons, fallen = _two(each, confirmed[each.digest], who)
        else:
            continue
        if _ended(each.statement, now, is_open=fallen is Fallen.UNCONFIRMED):
            fallen = Fallen.ENDED
        if _takes_back(revoked.get(each.digest, ()), persons, each, who):
            fallen = Fallen.REVOKED
        judged.append(Judged(_amendment(each, persons), each, fallen))
    return tuple(judged)


def standing(amendments: Iterable[Amendment]) -> Amendments:
    """Index exceptions by the key that decisions look up."""
    found: dict[Key, list[Amendment]] = defaultdict(list)
    for each in amendments:
        found[each.agent, each.server, each.target, each.name].append(each)
    return {key: tuple(listed) for key, listed in found.items()}


def unended(amendments: Iterable[Amendment], now: float) -> tuple[Amendment, ...]:
    """Drop expired exceptions.

    Args:
        now: NumericDate.
    """
    return tuple(each for each in amendments if not each.until or now < each.until)


def _of(said: Sequence[Verified], kind: StatementType) -> Iterable[Verified]:
    return (each for each in said if each.statement.type is kind)


def _owners(each: Verified, who: Answerers) -> Fallen | None:
    owns = who.owns(each.key.person, each.statement.subject)
    return None if owns else Fallen.NOT_OWNER


def _two(
    start: Verified, confirmed: Sequence[Verified], who: Answerers
) -> tuple[tuple[PersonId, ...], Fallen | None]:
    """Find the second person of a break-glass."""
    first = start.key.person
    if who.same(first) not in who.attested:
        return (first,), Fallen.NOT_ATTESTED
    fallen = Fallen.UNCONFIRMED
    for each in confirmed:
        why = _second(start, each, who)
        if why is None:
            return (first, each.key.person), None
        fallen = why
    return (first,), fallen


def _second(start: Verified, each: Verified, who: Answerers) -> Fallen | None:
    first, second = start.key.person, each.key.person
    agent = start.statement.subject
    if each.statement.subject != agent:
        return Fallen.OTHER_AGENT
    if who.same(first) == who.same(second):
        return Fallen.SAME_PERSON
    if who.same(second) not in who.attested:
        return Fallen.NOT_ATTESTED
    if not (who.owns(first, agent) or who.owns(second, agent)):
        return Fallen.NOT_OWNER
    if not is_in_force(start.key, each.placed):
        return Fallen.KEY_GONE
    between = each.statement.signed_at - start.statement.signed_at
    return None if between <= CONFIRMED_WITHIN else Fallen.LATE


def _revoked(
    said: Sequence[Verified], who: Answerers
) -> Mapping[str, Sequence[PersonId]]:
    found: dict[str, list[PersonId]] = defaultdict(list)
    for each in _of(said, StatementType.AMENDMENT_REVOKED):
        found[each.statement.claim("amendment")].append(who.same(each.key.person))
    return found


def _takes_back(
    by: Sequence[PersonId],
    persons: Sequence[PersonId],
    each: Verified,
    who: Answerers,
) -> bool:
    """Tell whether its signer or the agent's owner revoked it."""
    may = {who.same(person) for person in persons}
    owner = who.owners.get(AgentId(each.statement.subject))
    return any(person in may or person == owner for person in by)


def _ended(said: Statement, now: int, *, is_open: bool) -> bool:
    """Tell whether it expired, or its confirmation period passed."""
    if is_open and now > said.signed_at + CONFIRMED_WITHIN:
        return True
    until = said.claim("until")
    return until != FOREVER and int(until) <= now


def _amendment(each: Verified, persons: Sequence[PersonId]) -> Amendment:
    said = each.statement
    is_owners = said.type is StatementType.AMENDMENT
    until, arguments = said.claim("until"), said.claim("arguments")
    return Amendment(
        id=each.digest,
        kind=AmendmentKind.OWNER if is_owners else AmendmentKind.BREAK_GLASS,
        agent=AgentId(said.subject),
        server=said.claim("server"),
        target=Target(said.claim("target")),
        name=said.claim("name"),
        arguments="" if arguments == ANY else arguments,
        until=0 if until == FOREVER else int(until) // _SECOND,
        persons=tuple(persons),
    )

"""Owner answers to approval requests: `asks allow`, `refuse`, `break-glass`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from answerable.evidence import policy_exceptions as room
from answerable.model.approval_request import Wanted
from answerable.model.documents.core import Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_key import StatementType, is_in_force, unrecorded
from answerable.model.policy_exception import FOREVER, Fallen, Signing
from answerable.presentation.command_hints import command
from answerable.services.authorization import approval_requests
from answerable.services.authorization.decision_items import coverage_of
from answerable.services.authorization.decision_records import Spooled
from answerable.services.authorization.value_provenance import provenance
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import Signatory
from answerable.services.statements.policy_exceptions import AMENDMENT, Held, held
from answerable.store.store import Store

_NOT_RECORDED = "nothing was recorded"
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Term:
    """Scope and lifetime of a policy exception.

    Attributes:
        life: Nanoseconds from the signature on; 0 for unlimited.
        code: Reason code of a break-glass, e.g. an incident number; may be empty.
    """

    life: int
    any_arguments: bool = False
    code: str = ""


def code_of(text: str, name: str) -> str:
    """Parse the reason code of a break-glass; it may be empty.

    Args:
        name: Name of the option, for the message.

    Raises:
        UsageError: It is not a single word.
    """
    if text and not _CODE.fullmatch(text):
        raise UsageError(
            f"not a word for {name} (got {text[:80]!r}, expected letters, "
            "digits, `.`, `_`, `-`)",
            "name the incident, and write the story elsewhere",
        )
    return text


def allow(
    store: Store,
    waiting: Spooled,
    text: str,
    signer: Signatory,
    term: Term,
    *,
    now: int,
) -> Document:
    """Sign a policy exception that allows the requested act.

    Raises:
        UsageError: The request does not exist; or its arguments may come from untrusted
            content, and the term has no end or covers any arguments.
        VerificationError: The signer is not the attested owner of the agent, or the
            key is not valid now. Nothing is recorded.
    """
    ask = approval_requests.find(store, waiting, text)
    is_wide = term.any_arguments or not term.life
    if is_wide and provenance(store, waiting, ask).is_doubtful:
        raise UsageError(
            "strangers may have written what the agent wants to act with (expected an "
            "end, and these arguments alone)",
            command("asks", "allow", ask.named, "--key", "KEY", "--for", "1h"),
        )
    said = held(store, now)
    until = str(signer.at(now) + term.life) if term.life else FOREVER
    claims = _claims(ask, any_arguments=term.any_arguments) | {"until": until}
    _by_owner(store, said, ask.wanted.agent, signer)
    _sign(store, StatementType.AMENDMENT, ask.wanted.agent, claims, signer, now)
    return _told(store, ask, now)


def refuse(
    store: Store, waiting: Spooled, text: str, signer: Signatory, *, now: int
) -> Document:
    """Sign a refusal of the requested act.

    Raises:
        UsageError: The request does not exist.
        VerificationError: As `allow`.
    """
    ask = approval_requests.find(store, waiting, text)
    _by_owner(store, held(store, now), ask.wanted.agent, signer)
    claims = _claims(ask, any_arguments=False)
    kind = StatementType.AMENDMENT_REFUSED
    _sign(store, kind, ask.wanted.agent, claims, signer, now)
    return _told(store, ask, now)


def revoke(store: Store, text: str, signer: Signatory, *, now: int) -> Document:
    """Sign the revocation of a policy exception, as its signer or as the agent's owner.

    Raises:
        UsageError: The policy exception does not exist.
        VerificationError: The signer may not revoke it, or the key is not valid now.
            Nothing is recorded.
    """
    said = held(store, now)
    found = approval_requests.find_amendment(said.judged, text)
    person, agent = _person(store, signer), found.amendment.agent
    signed = {said.who.same(each) for each in found.amendment.persons}
    if said.who.same(person) not in signed and not said.who.owns(person, agent):
        raise VerificationError(
            f"{person} neither signed this exception nor owns {agent}",
            _NOT_RECORDED,
        )
    claims = {"amendment": found.amendment.id}
    _sign(store, StatementType.AMENDMENT_REVOKED, agent, claims, signer, now)
    return _amendment(store, found.amendment.id, now)


def start(
    store: Store, wanted: Wanted, signer: Signatory, term: Term, *, now: int
) -> Document:
    """Sign the first half of a break-glass, which waits for a second person.

    Raises:
        VerificationError: The signer is no attested owner here, or the key is not
            valid now. Nothing is recorded.
    """
    said = held(store, now)
    _attested(store, said, signer)
    any_arguments = term.any_arguments
    claims = room.act_claims(wanted, decision="", any_arguments=any_arguments)
    claims |= {"until": str(signer.at(now) + term.life), "code": term.code}
    digest = _sign(store, StatementType.BREAK_GLASS, wanted.agent, claims, signer, now)
    following = command("break-glass", "confirm", digest, "--key", "KEY")
    return _amendment(store, digest, now, following)


def confirm(store: Store, text: str, signer: Signatory, *, now: int) -> Document:
    """Sign the second half of a break-glass and put it in force.

    Raises:
        UsageError: The break-glass does not exist, or is not waiting.
        VerificationError: The signer is the first person or no attested owner, or
            neither signer is the owner of the agent. Nothing is recorded.
    """
    said = held(store, now)
    found = approval_requests.find_amendment(said.judged, text)
    if found.fallen is not Fallen.UNCONFIRMED:
        raise UsageError(
            f"the amendment {found.amendment.id[:16]} waits for nobody "
            f"({approval_requests.amendment_item(found)['state']})",
            "see `answerable asks amendments`",
        )
    person = _attested(store, said, signer)
    (first,) = found.amendment.persons
    if not is_in_force(found.said.key, unrecorded(now)):
        raise VerificationError(
            f"the key of {first} is not in force any more (expected both keys to be)",
            "have the first half signed again: answerable break-glass start",
        )
    agent = found.amendment.agent
    if said.who.same(first) == said.who.same(person):
        raise VerificationError(
            f"{person} has signed the first half (expected another person)",
            _NOT_RECORDED,
        )
    if not any(said.who.owns(PersonId(each), agent) for each in (first, person)):
        raise VerificationError(
            f"neither {first} nor {person} answers for {agent} (expected its attested "
            "owner among the two)",
            command("who-owns", agent),
        )
    claims = {"start": found.amendment.id}
    _sign(store, StatementType.BREAK_GLASS_CONFIRMED, agent, claims, signer, now)
    return _amendment(store, found.amendment.id, now)


def _claims(ask: approval_requests.Ask, *, any_arguments: bool) -> dict[str, str]:
    wanted, decision = ask.wanted, ask.named
    return room.act_claims(wanted, decision=decision, any_arguments=any_arguments)


def _person(store: Store, signer: Signatory) -> PersonId:
    """Return the person of a key.

    Raises:
        VerificationError: The key is not enrolled here.
    """
    enrolled = owner_keys.keys(store).get(signer.id)
    if enrolled is None:
        raise VerificationError(
            f"the key {signer.id} is not enrolled here",
            "an administrator enrolls its public half: answerable owner-keys enroll PUB "
            "--person PERSON",
        )
    return enrolled.person


def _by_owner(store: Store, said: Held, agent: str, signer: Signatory) -> None:
    """Refuse a signer who is not the attested owner of the agent."""
    person = _person(store, signer)
    if said.who.owns(person, agent):
        return
    owner = next((o.person for a, o in said.owners.items() if a == agent), None)
    name = person.removeprefix("person:")
    raise VerificationError(
        f"the key {signer.id} is {person}'s (expected the attested owner of {agent}: "
        f"{owner or 'it has none'})",
        command("attest", agent, "--owner", name, "--key", "KEY")
        if owner is None
        else _NOT_RECORDED,
    )


def _attested(store: Store, said: Held, signer: Signatory) -> PersonId:
    """Refuse a signer who is not the attested owner of any agent."""
    person = _person(store, signer)
    if said.who.same(person) not in said.who.attested:
        raise VerificationError(
            f"{person} is no attested owner here (expected one)",
            "answerable attest ID --owner PERSON --key KEY",
        )
    return person


def _sign(
    store: Store,
    kind: StatementType,
    agent: str,
    claims: Mapping[str, str],
    signer: Signatory,
    now: int,
) -> str:
    """Sign a statement, verify it as every later read will, and record it."""
    here = owner_keys.identity(store)
    signing = Signing(_person(store, signer), here, signer.at(now))
    said = room.statement(kind, agent, claims, signing, signer.id)
    envelope = signer.envelope(said)
    found = room.verify(envelope, owner_keys.keys(store), unrecorded(now), here)
    store.put_object(AMENDMENT, envelope, now)
    return found.digest


def _told(store: Store, ask: approval_requests.Ask, now: int) -> Document:
    return Document(
        "asks",
        [approval_requests.item(ask, held(store, now), now)],
        coverage_of(store, Spooled()),
    )


def _amendment(store: Store, digest: str, now: int, following: str = "") -> Document:
    found = approval_requests.find_amendment(held(store, now).judged, digest)
    items = [approval_requests.amendment_item(found)]
    return Document("amendments", items, coverage_of(store, Spooled()), next=following)

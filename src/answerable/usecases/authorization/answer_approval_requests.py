"""Sign the owner's decision on an approval request (`asks allow`, `break-glass`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from answerable.evidence import policy_exceptions as room
from answerable.model.approval_request import ApprovalScope
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError, VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    StatementContent,
    StatementType,
    create_position_before_logging,
    is_owner_key_valid_at,
)
from answerable.model.policy_exception import (
    NO_EXPIRY,
    PolicyExceptionInvalidity,
)
from answerable.presentation.command_hints import format_command
from answerable.services.authorization import approval_requests
from answerable.services.authorization.decision_output import build_decision_coverage
from answerable.services.authorization.decision_records import SpooledDecisions
from answerable.services.authorization.value_provenance import (
    describe_argument_provenance,
)
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import StatementSigner
from answerable.services.statements.policy_exceptions import (
    PolicyExceptionReader,
    PolicyExceptions,
    read_policy_exceptions,
)
from answerable.store.store import EvidenceStore

_NOT_RECORDED = "nothing was recorded"
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class ExceptionTerm:
    """Scope and lifetime of a policy exception.

    Attributes:
        lifetime: Nanoseconds from the signature on; 0 for unlimited.
        reason_code: Reason code of a break-glass, e.g. an incident number; may be empty.
    """

    lifetime: int
    any_arguments: bool = False
    reason_code: str = ""


def parse_reason_code(text: str, name: str) -> str:
    """Parse the reason code of a break-glass; it may be empty.

    Args:
        name: Name of the option, for the message.

    Raises:
        UsageError: It is not a single word.
    """
    if text and not _CODE.fullmatch(text):
        raise UsageError(
            f"invalid {name} (got {text[:80]!r}, expected letters, digits, `.`, "
            "`_`, `-`)",
            "give only the id of the incident; keep its description elsewhere",
        )
    return text


def sign_exception(
    store: EvidenceStore,
    spooled: SpooledDecisions,
    ask_id: str,
    signer: StatementSigner,
    term: ExceptionTerm,
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
    ask = approval_requests.find_approval_request(store, spooled, ask_id)
    is_wide = term.any_arguments or not term.lifetime
    if is_wide and describe_argument_provenance(store, spooled, ask).is_doubtful:
        raise UsageError(
            "the arguments may come from untrusted text (expected an exception "
            "that expires and allows only these arguments)",
            format_command(
                "asks", "allow", ask.decision_id, "--key", "KEY", "--for", "1h"
            ),
        )
    said = read_policy_exceptions(store, now)
    until = (
        str(signer.signing_time(now) + term.lifetime) if term.lifetime else NO_EXPIRY
    )
    claims = _build_act_claims(ask, any_arguments=term.any_arguments) | {"until": until}
    _require_agent_owner(store, said, ask.scope.agent, signer)
    _sign_and_record(
        store, StatementType.AMENDMENT, ask.scope.agent, claims, signer, now
    )
    return _build_approval_request_document(store, ask, now)


def sign_refusal(
    store: EvidenceStore,
    spooled: SpooledDecisions,
    ask_id: str,
    signer: StatementSigner,
    *,
    now: int,
) -> Document:
    """Sign the owner's refusal of a call that awaits approval.

    Raises:
        UsageError: The request does not exist.
        VerificationError: As `sign_exception`; or a policy exception allows the call,
            which a refusal does not end.
    """
    ask = approval_requests.find_approval_request(store, spooled, ask_id)
    require_not_allowed(store, ask, now)
    _require_agent_owner(
        store, read_policy_exceptions(store, now), ask.scope.agent, signer
    )
    claims = _build_act_claims(ask, any_arguments=False)
    kind = StatementType.AMENDMENT_REFUSED
    _sign_and_record(store, kind, ask.scope.agent, claims, signer, now)
    return _build_approval_request_document(store, ask, now)


def require_not_allowed(
    store: EvidenceStore, ask: approval_requests.ApprovalRequest, now: int
) -> None:
    """Refuse an approval request that a policy exception in force allows.

    Raises:
        VerificationError: It is allowed; the hint is the command that revokes this.
    """
    known = approval_requests.build_approval_request_item(
        ask, read_policy_exceptions(store, now), now
    )
    if known["state"] == "allowed":
        raise VerificationError(
            "the request was allowed meanwhile, and a refusal does not end that",
            "revoke the policy exception: "
            + format_command(
                "asks", "revoke", str(known["amendment"])[:16], "--key", "KEY"
            ),
        )


def sign_revocation(
    store: EvidenceStore, exception_id: str, signer: StatementSigner, *, now: int
) -> Document:
    """Sign the revocation of a policy exception, as its signer or as the agent's owner.

    Raises:
        UsageError: The policy exception does not exist.
        VerificationError: The signer may not revoke it, or the key is not valid now.
            Nothing is recorded.
    """
    said = read_policy_exceptions(store, now)
    found = approval_requests.find_policy_exception(said.statuses, exception_id)
    person, agent = _require_person_of_key(store, signer), found.exception.agent
    signed = {said.owner_directory.same(each) for each in found.exception.persons}
    if said.owner_directory.same(
        person
    ) not in signed and not said.owner_directory.is_owner(person, agent):
        raise VerificationError(
            f"{person} is neither the signer of this policy exception nor the "
            f"owner of {agent}",
            _NOT_RECORDED,
        )
    claims = {"amendment": found.exception.id}
    _sign_and_record(store, StatementType.AMENDMENT_REVOKED, agent, claims, signer, now)
    return _build_exception_document(store, found.exception.id, now)


def start_break_glass(
    store: EvidenceStore,
    scope: ApprovalScope,
    signer: StatementSigner,
    term: ExceptionTerm,
    *,
    now: int,
) -> Document:
    """Sign the first half of a break-glass, which waits for a second person.

    Raises:
        VerificationError: The signer is no attested owner here, or the key is not
            valid now. Nothing is recorded.
    """
    said = read_policy_exceptions(store, now)
    _require_attested_owner(store, said, signer)
    any_arguments = term.any_arguments
    claims = room.encode_call_claims(scope, decision="", any_arguments=any_arguments)
    claims |= {
        "until": str(signer.signing_time(now) + term.lifetime),
        "code": term.reason_code,
    }
    digest = _sign_and_record(
        store, StatementType.BREAK_GLASS, scope.agent, claims, signer, now
    )
    following = format_command("break-glass", "confirm", digest, "--key", "KEY")
    return _build_exception_document(store, digest, now, following)


def confirm_break_glass(
    store: EvidenceStore, exception_id: str, signer: StatementSigner, *, now: int
) -> Document:
    """Sign the second half of a break-glass and put it in force.

    Raises:
        UsageError: The break-glass does not exist, or is not waiting.
        VerificationError: The signer is the first person or no attested owner, or
            neither signer is the owner of the agent. Nothing is recorded.
    """
    said = read_policy_exceptions(store, now)
    found = approval_requests.find_policy_exception(said.statuses, exception_id)
    if found.invalidity is not PolicyExceptionInvalidity.UNCONFIRMED:
        raise UsageError(
            f"the policy exception {found.exception.id[:16]} does not await a "
            "confirmation "
            f"({approval_requests.build_exception_item(found)['state']})",
            "list the policy exceptions with `answerable asks amendments`",
        )
    person = _require_attested_owner(store, said, signer)
    (first,) = found.exception.persons
    if not is_owner_key_valid_at(
        found.statement.key, create_position_before_logging(now)
    ):
        raise VerificationError(
            f"the key of {first} is no longer valid (expected valid keys of both signers)",
            "sign the first half again: answerable break-glass start",
        )
    agent = found.exception.agent
    if said.owner_directory.same(first) == said.owner_directory.same(person):
        raise VerificationError(
            f"{person} signed the first half (expected another person)",
            _NOT_RECORDED,
        )
    if not any(
        said.owner_directory.is_owner(PersonId(each), agent) for each in (first, person)
    ):
        raise VerificationError(
            f"neither {first} nor {person} is the attested owner of {agent} "
            "(expected one of them to be)",
            format_command("who-owns", agent),
        )
    claims = {"start": found.exception.id}
    _sign_and_record(
        store, StatementType.BREAK_GLASS_CONFIRMED, agent, claims, signer, now
    )
    return _build_exception_document(store, found.exception.id, now)


def _build_act_claims(
    ask: approval_requests.ApprovalRequest, *, any_arguments: bool
) -> dict[str, str]:
    """Return the signed claims for the act that an approval request is about."""
    wanted, decision = ask.scope, ask.decision_id
    return room.encode_call_claims(
        wanted, decision=decision, any_arguments=any_arguments
    )


def _require_person_of_key(store: EvidenceStore, signer: StatementSigner) -> PersonId:
    """Return the person to whom the signer's key is enrolled.

    Raises:
        VerificationError: The key is not enrolled here.
    """
    return owner_keys.require_enrolled_key(store, signer.id).person


def _require_agent_owner(
    store: EvidenceStore,
    exceptions: PolicyExceptions,
    agent: str,
    signer: StatementSigner,
) -> None:
    """Refuse a signer who is not the attested owner of the agent."""
    person = _require_person_of_key(store, signer)
    if exceptions.owner_directory.is_owner(person, agent):
        return
    owner = next((o.person for a, o in exceptions.owners.items() if a == agent), None)
    name = person.removeprefix("person:")
    raise VerificationError(
        f"the key {signer.id} belongs to {person} (expected the attested owner of "
        f"{agent}: {owner or 'none'})",
        format_command("attest", agent, "--owner", name, "--key", "KEY")
        if owner is None
        else _NOT_RECORDED,
    )


def _require_attested_owner(
    store: EvidenceStore, exceptions: PolicyExceptions, signer: StatementSigner
) -> PersonId:
    """Refuse a signer who is not the attested owner of any agent."""
    person = _require_person_of_key(store, signer)
    if (
        exceptions.owner_directory.same(person)
        not in exceptions.owner_directory.attested
    ):
        raise VerificationError(
            f"{person} is not an attested owner in this store",
            "record one with: answerable attest ID --owner PERSON --key KEY",
        )
    return person


def _sign_and_record(
    store: EvidenceStore,
    kind: StatementType,
    agent: str,
    claims: Mapping[str, str],
    signer: StatementSigner,
    now: int,
) -> str:
    """Sign a statement, verify it as every later read will, and record it."""
    whole = {**claims, "person": _require_person_of_key(store, signer)}
    content = StatementContent(kind, agent, whole)
    return PolicyExceptionReader.sign(store, content, signer, now).digest


def _build_approval_request_document(
    store: EvidenceStore, ask: approval_requests.ApprovalRequest, now: int
) -> Document:
    """Build the document of one approval request, with its state after the answer."""
    return Document(
        "asks",
        [
            approval_requests.build_approval_request_item(
                ask, read_policy_exceptions(store, now), now
            )
        ],
        build_decision_coverage(store, SpooledDecisions()),
    )


def _build_exception_document(
    store: EvidenceStore, digest: str, now: int, next_command: str = ""
) -> Document:
    """Build the document of one policy exception, found by its digest."""
    found = approval_requests.find_policy_exception(
        read_policy_exceptions(store, now).statuses, digest
    )
    items = [approval_requests.build_exception_item(found)]
    return Document(
        "amendments",
        items,
        build_decision_coverage(store, SpooledDecisions()),
        next=next_command,
    )

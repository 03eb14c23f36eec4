"""Build the actions that a person signs on the page: text, use case, command.

Permission is checked twice: for the visitor, so that other agents' data stays hidden,
and for the key, by the use case.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from answerable.authorization.exception_validity import ExceptionStatus
from answerable.model.documents.approval_requests import ApprovalRequestItem
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.person import OwnerState
from answerable.model.time_units import HOUR_NS
from answerable.presentation.command_hints import format_command
from answerable.presentation.signed_act_text import describe_act
from answerable.services.authorization import approval_requests, decision_records
from answerable.services.authorization.approval_requests import ApprovalRequest
from answerable.services.authorization.value_provenance import (
    describe_argument_provenance,
)
from answerable.services.statements import policy_exceptions as signed
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.usecases.authorization import answer_approval_requests
from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm
from answerable.usecases.inventory import ownership
from answerable.web.baseline_signing import build_baseline_action
from answerable.web.break_glass import build_break_glass, build_break_glass_confirmation
from answerable.web.call_changes import (
    CallChange,
    CallEffect,
    build_exception_change,
)
from answerable.web.finding_review import (
    build_finding_acceptance,
    build_finding_assignment,
    build_finding_reopening,
)
from answerable.web.person_merges import build_person_merge, build_person_split
from answerable.web.pin_approval import build_pin_approval
from answerable.web.routing import Forbidden, StateConflict
from answerable.web.signing_action import (
    ActionFields,
    SigningAction,
    is_hex,
    read_choice,
)
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

if TYPE_CHECKING:
    from answerable.web.store_cache import StoreCache

# Form fields of all actions; `id` names the subject of the action.
ACTION_FIELDS = (
    "act",
    "id",
    "for",
    "arguments",
    "stage",
    "item",
    "code",
    "again",
    "reason",
    "assignee",
    "other",
)
EXCEPTION_SPANS: Mapping[str, int] = {
    "1h": HOUR_NS,
    "8h": 8 * HOUR_NS,
    "1d": 24 * HOUR_NS,
    "7d": 7 * 24 * HOUR_NS,
    "30d": 30 * 24 * HOUR_NS,
    "90d": 90 * 24 * HOUR_NS,
    "always": 0,
}
_DECISION_DIGITS, _DIGEST = 32, 64  # hex digits of a whole id


def build_action(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that the form field `act` names.

    Raises:
        Forbidden: The visitor may not sign it, or its subject does not exist.
        UsageError: A field has an unknown value.
    """
    build = _ACTS.get(fields.get("act", ""))
    if build is None:
        raise UsageError(
            f"unknown kind of statement (got {fields.get('act', '')[:80]!r}, "
            f"expected {', '.join(_ACTS)})",
            "start from the page of the item to sign",
        )
    return build(cache, visitor, fields)


def find_approval_request(
    cache: "StoreCache", visitor: Visitor, decision_id: str
) -> ApprovalRequest:
    """Find a visible approval request by the full id of one of its decisions.

    Raises:
        Forbidden: It does not exist, or the visitor may not see it.
    """
    if not is_hex(decision_id, _DECISION_DIGITS):  # prefixes could be enumerated
        raise Forbidden
    with cache.open_store() as store:
        try:
            ask = approval_requests.find_approval_request(
                store, decision_records.read_spool(cache.spools), decision_id
            )
        except UsageError:
            raise Forbidden from None
    if not visitor.can_see_activity_of(ask.scope.agent):
        raise Forbidden
    return ask


def _build_allow_action(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that allows a denied call by a signed exception."""
    ask = _find_own_request(cache, visitor, fields)
    wanted, decision = ask.scope, ask.decision_id
    span = read_choice(fields, "for", "1h", EXCEPTION_SPANS)
    any_arguments = read_choice(fields, "arguments", "these", ("these", "any")) == "any"
    term = ExceptionTerm(EXCEPTION_SPANS[span], any_arguments)
    how = (
        "Any arguments are allowed."
        if any_arguments
        else "Only these arguments are allowed."
    )
    ends = "It does not expire." if span == "always" else f"It ends after {span}."
    options = ("--always",) if span == "always" else ("--for", span)
    more = ("--any-arguments",) if any_arguments else ()
    return SigningAction(
        title=f"You allow {wanted.agent} to do this: {describe_act(wanted)}",
        follows=(
            *_describe_argument_sources(cache, ask),
            how,
            ends,
            "A running gateway applies it within a second. It does not lift a policy that "
            "forbids the call, a kill, a quarantine or an error. You can revoke it.",
        ),
        subject=wanted.agent,
        changes=(_build_allowed_change(cache, ask, any_arguments, ends),),
        execute=lambda store, signer, now: answer_approval_requests.sign_exception(
            store,
            decision_records.read_spool(cache.spools),
            decision,
            signer,
            term,
            now=now,
        ),
        command=format_command(
            "asks", "allow", decision, "--key", "KEY", *options, *more
        ),
        back=build_url("/ask", id=decision),
        confirmation=f"Signed: {wanted.agent} may {describe_act(wanted)}.",
    )


def _build_allowed_change(
    cache: "StoreCache", ask: ApprovalRequest, any_arguments: bool, ends: str
) -> CallChange:
    """Build the change of a call that is allowed; one in force stays possible."""
    known = _read_request_item(cache, ask)
    allowed = known["state"] == "allowed"
    how = "with these arguments" if ask.scope.arguments else "without arguments"
    return build_exception_change(
        ask.scope,
        CallEffect.UNCHANGED if allowed and not any_arguments else CallEffect.ADDED,
        _describe_answer(known),
        f"allowed {'with any arguments' if any_arguments else how}. {ends}",
        ask.newest.decision_id,
    )


def _build_refused_change(cache: "StoreCache", ask: ApprovalRequest) -> CallChange:
    """Build the change of a call that is refused: it stays as it is."""
    now = _describe_answer(_read_request_item(cache, ask))
    return build_exception_change(
        ask.scope, CallEffect.UNCHANGED, now, now, ask.newest.decision_id
    )


def _build_revoked_change(status: ExceptionStatus) -> CallChange:
    """Build the change of a call whose exception is revoked."""
    standing = status.invalidity is None
    return build_exception_change(
        status.exception,
        CallEffect.REMOVED if standing else CallEffect.UNCHANGED,
        "allowed by the exception" if standing else "not allowed by the exception",
        "as the rules decide",
    )


def _read_request_item(
    cache: "StoreCache", ask: ApprovalRequest
) -> ApprovalRequestItem:
    """Read the state of an approval request."""
    with cache.open_store() as store:
        return approval_requests.build_approval_request_item(
            ask, signed.read_policy_exceptions(store, cache.now), cache.now
        )


def _describe_answer(known: ApprovalRequestItem) -> str:
    """Say whether the call of an approval request is possible now."""
    if known["state"] != "allowed":
        return "not allowed"
    return (
        f"allowed until {known['until']}" if known["until"] else "allowed until revoked"
    )


def _describe_argument_sources(
    cache: "StoreCache", ask: ApprovalRequest
) -> tuple[str, ...]:
    """Describe the argument sources of a call, and existing answers."""
    with cache.open_store() as store:
        lines = describe_argument_provenance(
            store, decision_records.read_spool(cache.spools), ask
        ).lines
    known = _read_request_item(cache, ask)
    answered = (f"Already decided: {known['state']} by {', '.join(known['by'])}.",)
    return (*lines, *(answered if known["by"] else ()))


def _build_refuse_action(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that refuses an approval request.

    Raises:
        StateConflict: A policy exception allows the call, which a refusal does not end.
    """
    ask = _find_own_request(cache, visitor, fields)
    wanted, decision = ask.scope, ask.decision_id
    known = _read_request_item(cache, ask)
    if known["state"] == "allowed":
        raise StateConflict(
            "the request was allowed meanwhile, and a refusal does not end that",
            "revoke the policy exception",
            build_url("/sign", act="take-back", id=known["amendment"]),
        )
    return SigningAction(
        title=f"You refuse {wanted.agent} this call: {describe_act(wanted)}",
        follows=(
            *_describe_argument_sources(cache, ask),
            "The request is closed and the call stays denied.",
        ),
        subject=wanted.agent,
        changes=(_build_refused_change(cache, ask),),
        execute=lambda store, signer, now: answer_approval_requests.sign_refusal(
            store, decision_records.read_spool(cache.spools), decision, signer, now=now
        ),
        command=format_command("asks", "refuse", decision, "--key", "KEY"),
        back=build_url("/ask", id=decision),
        confirmation=f"Signed: the request of {wanted.agent} is refused: "
        f"{describe_act(wanted)}.",
    )


def _build_revoke_action(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that revokes a signed exception."""
    exception_id = fields.get("id", "")
    if not is_hex(exception_id, _DIGEST):
        raise Forbidden
    with cache.open_store() as store:
        exceptions = signed.read_policy_exceptions(store, cache.now)
    found = next(
        (each for each in exceptions.statuses if each.exception.id == exception_id),
        None,
    )
    if found is None:
        raise Forbidden
    amendment, person = found.exception, visitor.person
    by = {exceptions.owner_directory.same(each) for each in amendment.persons}
    is_signer = person is not None and exceptions.owner_directory.same(person) in by
    if not (
        visitor.answers_for(amendment.agent)
        or (is_signer and WebPermission.OWN in visitor.may)
    ):
        raise Forbidden
    what = describe_act(amendment)
    return SigningAction(
        title=f"You revoke the exception that allows {amendment.agent} this call: {what}",
        follows=(
            "A running gateway applies it within a second. A revocation is final: to "
            "allow the call again, sign a new exception.",
        ),
        subject=amendment.agent,
        changes=(_build_revoked_change(found),),
        execute=lambda store, signer, now: answer_approval_requests.sign_revocation(
            store, exception_id, signer, now=now
        ),
        command=format_command("asks", "revoke", exception_id[:16], "--key", "KEY"),
        back=build_url("/asks", agent=amendment.agent),
        confirmation=f"Revoked: {amendment.agent} may no longer {what}.",
    )


def _build_attest_action(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that attests ownership, for the first time or again.

    Taking over from another owner is only possible on the command line.
    """
    inventory, person = cache.current_view().inventory, visitor.person
    subject = fields.get("id", "")
    known = subject in inventory.agents or subject in inventory.owners
    if person is None or WebPermission.OWN not in visitor.may or not known:
        raise Forbidden
    with cache.open_store() as store:
        owners = open_owner_reader(store)
        attested = owners.owners_by_agent(cache.now).get(AgentId(subject))
        own = owners.canonical_person(person)
    shown = inventory.owners.get(subject)
    if shown is not None and shown.state is OwnerState.ATTESTED:
        taken = shown.person != own
    else:
        taken = attested is not None and attested.person != own
    if taken:
        raise Forbidden
    return SigningAction(
        title=f"You attest that you own {subject}",
        follows=(
            "You see its activity, can sign exceptions to its rules, and can stop it. "
            "Other users see you as its owner. The attestation expires after 180 days.",
        ),
        subject=subject,
        execute=lambda store, signer, now: ownership.record_attestation(
            store, cache.current_view().inventory, subject, person, signer, now=now
        ),
        command=format_command(
            "attest",
            subject,
            "--owner",
            person.removeprefix("person:"),
            "--key",
            "KEY",
        ),
        back=build_url(
            "/agent" if subject.startswith("agent:") else "/identity", id=subject
        ),
        confirmation=f"Signed: you own {subject}.",
    )


_ACTS: Mapping[str, "Callable[[StoreCache, Visitor, ActionFields], SigningAction]"] = {
    "allow": _build_allow_action,
    "refuse": _build_refuse_action,
    "take-back": _build_revoke_action,
    "hold": build_baseline_action,
    "attest": _build_attest_action,
    "approve": build_pin_approval,
    "break-glass": build_break_glass,
    "confirm": build_break_glass_confirmation,
    "accept-finding": build_finding_acceptance,
    "reopen-finding": build_finding_reopening,
    "assign-finding": build_finding_assignment,
    "merge-person": build_person_merge,
    "split-person": build_person_split,
}
ACTION_NAMES = tuple(_ACTS)


def _find_own_request(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> ApprovalRequest:
    """Find an approval request of an agent that the visitor owns."""
    ask = find_approval_request(cache, visitor, fields.get("id", ""))
    if not visitor.answers_for(ask.scope.agent):
        raise Forbidden
    return ask

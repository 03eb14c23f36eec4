"""Build the two signing actions of a break-glass: the request and its confirmation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from answerable.model.approval_request import ApprovalScope
from answerable.model.decision import TargetKind
from answerable.model.documents.decisions import DecisionItem
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId
from answerable.model.policy_exception import PolicyExceptionInvalidity
from answerable.model.time_units import MINUTE_NS
from answerable.presentation.command_hints import format_command
from answerable.presentation.inventory_items import format_time
from answerable.presentation.signed_act_text import describe_act
from answerable.services.authorization import decision_records
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.services.statements.policy_exceptions import read_policy_exceptions
from answerable.usecases.authorization import answer_approval_requests, explain_decision
from answerable.usecases.authorization.answer_approval_requests import ExceptionTerm
from answerable.web.call_changes import CallEffect, build_exception_change
from answerable.web.routing import Forbidden
from answerable.web.signing_action import ActionFields, SigningAction, read_choice
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

if TYPE_CHECKING:
    from answerable.web.store_cache import StoreCache

BREAK_GLASS_SPANS: Mapping[str, int] = {
    "30m": 30 * MINUTE_NS,
    "1h": 60 * MINUTE_NS,
    "2h": 120 * MINUTE_NS,
    "4h": 240 * MINUTE_NS,
}


def build_break_glass(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the first signature of a break-glass for one denied decision.

    Raises:
        Forbidden: The decision is unknown or not visible, or the visitor owns nothing.
        UsageError: Two persons cannot lift it, or a field has an unknown value.
    """
    decision_id = fields.get("id", "")
    item = _find_decision(cache, visitor, decision_id)
    wanted = item["amendment"]
    if wanted is None or wanted["by"] != "two persons":
        raise UsageError(
            f"break-glass cannot override the decision {decision_id[:16]}",
            f"see what would allow the call: /decision?id={decision_id}",
        )
    span = read_choice(fields, "for", "30m", BREAK_GLASS_SPANS)
    code = answer_approval_requests.parse_reason_code(fields.get("code", ""), "code")
    target = TargetKind(wanted["target"])
    scope = ApprovalScope(
        AgentId(wanted["agent"]), wanted["server"], target, wanted["name"], ""
    )
    description = describe_act(scope)
    code_option = ("--reason-code", code) if code else ()
    return SigningAction(
        title=f"You allow {scope.agent} to do this for {span}: {description}",
        follows=(
            "A policy forbids the call. It is denied until another person confirms, within "
            "an hour: send them the link in the list.",
            "Any arguments are allowed; the time starts with your signature. Kills, "
            "quarantine and errors stay in force. Every visitor can see it.",
        ),
        subject=scope.agent,
        changes=(
            build_exception_change(
                scope,
                CallEffect.ADDED,
                "not allowed",
                f"allowed for {span} with any arguments, once another person confirms",
                decision_id,
            ),
        ),
        execute=lambda store, who, now: answer_approval_requests.start_break_glass(
            store,
            scope,
            who,
            ExceptionTerm(BREAK_GLASS_SPANS[span], True, code),
            now=now,
        ),
        command=format_command(
            "break-glass",
            "start",
            "--agent",
            scope.agent,
            "--server",
            scope.server,
            f"--{scope.target}",
            scope.name,
            "--for",
            span,
            *code_option,
            "--key",
            "KEY",
        ),
        back=build_url("/asks", agent=scope.agent),
        confirmation=f"Signed: {scope.agent} may {description}, "
        "once another person confirms it.",
    )


def build_break_glass_confirmation(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the second signature of a pending break-glass.

    The full id is a capability: the first person passes it on.

    Raises:
        Forbidden: No break-glass with this id is pending, or the visitor owns nothing.
    """
    exception_id = fields.get("id", "")
    _require_owner(visitor)
    with cache.open_store() as store:
        judged = read_policy_exceptions(store, cache.now).statuses
    found = next((each for each in judged if each.exception.id == exception_id), None)
    if found is None or found.invalidity is not PolicyExceptionInvalidity.UNCONFIRMED:
        raise Forbidden
    exception = found.exception
    description = describe_act(exception)
    until = format_time(exception.until * 10**9)
    return SigningAction(
        title=f"With {' and '.join(exception.persons)} you allow {exception.agent} to do "
        f"this: {description}",
        follows=(
            f"A policy forbids the call. The exception expires at {until}. A running "
            "gateway applies it within a second, for any arguments.",
            "Kills, quarantine and errors stay in force. Every visitor can see it. "
            "Each of you can revoke it.",
        ),
        subject=exception.agent,
        changes=(
            build_exception_change(
                exception,
                CallEffect.ADDED,
                "not allowed",
                f"allowed until {until} with any arguments",
            ),
        ),
        execute=lambda store, who, now: answer_approval_requests.confirm_break_glass(
            store, exception_id, who, now=now
        ),
        command=format_command("break-glass", "confirm", exception_id, "--key", "KEY"),
        back=build_url("/asks", agent=exception.agent),
        confirmation=f"Signed: {exception.agent} may {description} until {until}.",
    )


def _require_owner(visitor: Visitor) -> None:
    """Refuse a visitor who owns no subject."""
    if (
        visitor.person is None
        or WebPermission.OWN not in visitor.may
        or not visitor.owns
    ):
        raise Forbidden


def _find_decision(
    cache: "StoreCache", visitor: Visitor, decision_id: str
) -> DecisionItem:
    """Find a visible decision by its full id; prefixes could be enumerated."""
    _require_owner(visitor)
    if parse_event_id(decision_id) is None:
        raise Forbidden
    waiting = decision_records.read_spool(
        cache.spools
    )  # before the store, so that no decision is missed
    with cache.open_store() as store:
        try:
            document = explain_decision.show_decision(
                store, waiting, decision_id, now=cache.now
            )
        except UsageError:
            raise Forbidden from None
    item = cast("DecisionItem", document.items[0])
    if not visitor.can_see_activity_of(item["agent"]):
        raise Forbidden
    return item

"""Group blocked calls into approval requests, and match them with owners' decisions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from answerable.authorization.exception_validity import ExceptionStatus
from answerable.authorization.policy_exceptions import OWNER_LIFTABLE
from answerable.model.approval_request import ApprovalScope
from answerable.model.decision import DecisionEffect
from answerable.model.documents.approval_requests import (
    ApprovalRequestItem,
    PolicyExceptionItem,
)
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.owner_signing_key import OwnerStatement, StatementType
from answerable.model.policy_exception import (
    ANY_ARGUMENTS,
    NO_ARGUMENTS,
    NO_EXPIRY,
    PolicyExceptionInvalidity,
)
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.command_hints import format_command
from answerable.services.authorization import decision_records
from answerable.services.authorization.decision_records import SpooledDecisions
from answerable.services.statements.policy_exceptions import PolicyExceptions
from answerable.store.decision_queries import (
    find_digests_of_stored_events,
    list_blocked_calls,
)
from answerable.store.store import EvidenceStore

ASK_LIFE = 86_400 * 10**9  # a request expires after a day
MAX_REQUESTS = 20_000  # acts that are listed, newest first
MAX_SELF_REPORTED = 1000  # limit for self-reported acts of client hooks
STATES = ("open", "allowed", "refused", "expired")


@dataclass(frozen=True, slots=True)
class NewestDecision:
    """Newest decision on an act.

    Attributes:
        at: Time of the decision, UTC nanoseconds.
        reason: Reason of the block.
    """

    decision_id: str
    at: int
    event_id: bytes
    reason: str
    written_by: str

    @property
    def sort_key(self) -> tuple[int, bytes]:
        """Key that orders decisions by time, then by event id."""
        return self.at, self.event_id


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """Approval request: all decisions on one act of one agent.

    Attributes:
        newest: The newest decision.
        first: Time of the first decision, UTC nanoseconds.
        count: Number of decisions.
        decision_id: Id of the decision that was looked up, else of the newest. The signed
            statement names it; it does not change when the agent tries again.
    """

    scope: ApprovalScope
    newest: NewestDecision
    first: int
    count: int
    decision_id: str


def find_approval_request(
    store: EvidenceStore, spooled: SpooledDecisions, text: str
) -> ApprovalRequest:
    """Find the approval request of a denied call, by decision id or its prefix.

    Raises:
        UsageError: The decision does not exist, or an owner cannot lift it.
    """
    event = decision_records.find_decision(store, spooled, text)[0].event
    ask = build_approval_request(event)
    if ask is None:
        said = decision_records.decision_facts(event)
        raise UsageError(
            f"the decision {event.decision_id} cannot be overridden by an owner "
            f"alone (its reason is {said.get('reason', 'not known')!r}, expected "
            f"{', '.join(sorted(OWNER_LIFTABLE))})",
            format_command("decision", event.decision_id),
        )
    since = event.event_time - ASK_LIFE
    alike = group_blocked_calls(store, spooled, since, ask.scope.agent)
    whole = next((each for each in alike if each.scope == ask.scope), ask)
    return replace(whole, decision_id=event.decision_id)


def build_approval_request_item(
    request: ApprovalRequest, exceptions: PolicyExceptions, now: int
) -> ApprovalRequestItem:
    """Build the output row of one request for an owner's approval of a call."""
    wanted = request.scope
    owner = exceptions.owners.get(wanted.agent)
    shown: ApprovalRequestItem = {
        "id": request.newest.decision_id,
        "agent": wanted.agent,
        "owner": owner.person if owner else None,
        "server": wanted.server,
        "target": wanted.target.value,
        "name": wanted.name,
        "arguments": wanted.arguments or None,
        "reason": request.newest.reason,
        "written_by": request.newest.written_by,
        "count": request.count,
        "first": format_time(request.first),
        "last": format_time(request.newest.at),
        "state": "open",
        "by": [],
        "until": None,
        "amendment": None,
    }
    standing = [
        each
        for each in exceptions.statuses
        if each.invalidity is None
        and statement_covers_call(each.statement.statement, wanted)
    ]
    if standing:
        allowed = standing[-1].exception
        shown["state"], shown["by"] = "allowed", list(allowed.persons)
        shown["amendment"] = allowed.id
        shown["until"] = format_time(allowed.until * 10**9) if allowed.until else None
    elif (refused := _find_owner_refusal(exceptions, wanted)) is not None:
        shown["state"], shown["by"] = "refused", [refused.get_statement_claim("person")]
    elif not may_be_open(request, now):
        shown["state"] = "expired"
    return shown


def may_be_open(request: ApprovalRequest, now: int) -> bool:
    """Return whether a request has not expired; it may be answered already."""
    return now - request.newest.at <= ASK_LIFE


def _find_owner_refusal(
    exceptions: PolicyExceptions, scope: ApprovalScope
) -> OwnerStatement | None:
    """Return the owner's refusal if it is the latest statement about a call."""
    words = [
        each.statement
        for each in exceptions.statements
        if each.statement.type
        in (StatementType.AMENDMENT, StatementType.AMENDMENT_REFUSED)
        and statement_covers_call(each.statement, scope)
        and exceptions.owner_directory.is_owner(each.key.person, scope.agent)
    ]
    if not words or words[-1].type is not StatementType.AMENDMENT_REFUSED:
        return None
    return words[-1]


def statement_covers_call(statement: OwnerStatement, scope: ApprovalScope) -> bool:
    """Return whether a signed statement is about this call of this agent."""
    named = (scope.agent, scope.server, scope.target.value, scope.name)
    said = tuple(
        statement.get_statement_claim(each) for each in ("server", "target", "name")
    )
    arguments = statement.get_statement_claim("arguments")
    digest = scope.arguments or NO_ARGUMENTS
    return (statement.subject, *said) == named and arguments in (ANY_ARGUMENTS, digest)


def build_exception_item(status: ExceptionStatus) -> PolicyExceptionItem:
    """Build the output row of a signed policy exception, with its validity."""
    amendment, said = status.exception, status.statement.statement
    until = said.get_statement_claim("until")
    return {
        "id": amendment.id,
        "kind": amendment.kind.value,
        "agent": amendment.agent,
        "server": amendment.server,
        "target": amendment.target.value,
        "name": amendment.name,
        "arguments": amendment.arguments or None,
        "persons": list(amendment.persons),
        "signed_at": format_time(said.signed_at),
        "until": None if until == NO_EXPIRY else format_time(int(until)),
        "code": said.get_statement_claim("code") or None,
        "decision": said.get_statement_claim("decision") or None,
        "state": _get_exception_state(status.invalidity),
    }


def _get_exception_state(invalidity: PolicyExceptionInvalidity | None) -> str:
    """Return the state of an exception as one word: `standing` if valid."""
    if invalidity is None:
        return "standing"
    return (
        "open"
        if invalidity is PolicyExceptionInvalidity.UNCONFIRMED
        else invalidity.value
    )


def find_policy_exception(
    statuses: Sequence[ExceptionStatus], text: str
) -> ExceptionStatus:
    """Find a policy exception by its id or an unambiguous prefix of it.

    Raises:
        UsageError: There is none, or the prefix is ambiguous.
    """
    asked = text.strip().lower().removeprefix("amendment:")
    found = [each for each in statuses if each.exception.id.startswith(asked)]
    if len(asked) < decision_records.MIN_ID_LENGTH or len(found) != 1:
        raise UsageError(
            f"no policy exception, or more than one, matches {asked[:80]!r} "
            f"(expected its id, or its first {decision_records.MIN_ID_LENGTH} "
            "characters)",
            "list the policy exceptions with `answerable asks amendments`",
        )
    return found[0]


def group_blocked_calls(
    store: EvidenceStore, spooled: SpooledDecisions, since: int, agent: str = ""
) -> list[ApprovalRequest]:
    """Group blocked decisions by agent and call, newest first."""
    found: dict[ApprovalScope, ApprovalRequest] = {}
    # Separate limits, so that many self-reported acts hide no other ones.
    for believed, most in ((True, MAX_REQUESTS), (False, MAX_SELF_REPORTED)):
        for act in list_blocked_calls(
            store,
            OWNER_LIFTABLE,
            since=since,
            limit=most,
            from_mediators=believed,
            agent=agent,
        ):
            wanted = decision_records.build_call_for_exception(
                act, act.target, act.arguments
            )
            if wanted is not None:
                newest = NewestDecision(
                    act.decision_id, act.at, act.event_id, act.reason, act.written_by
                )
                ask = ApprovalRequest(
                    wanted, newest, act.first, act.count, act.decision_id
                )
                found[wanted] = _merge_approval_requests(found.get(wanted), ask)
    fresh = [e for e in spooled.events if e.event_time >= since and _can_owner_lift(e)]
    known = find_digests_of_stored_events(store, fresh)
    for event in fresh:
        one = build_approval_request(event)
        if one is None or event.raw_sha256 in known:
            continue
        if agent in ("", one.scope.agent):
            found[one.scope] = _merge_approval_requests(found.get(one.scope), one)
    return sorted(found.values(), key=lambda each: each.newest.sort_key, reverse=True)


def build_approval_request(event: AuditEvent) -> ApprovalRequest | None:
    """Build the approval request of one decision; None if an owner cannot lift it."""
    wanted = decision_records.get_call_for_exception(event)
    if wanted is None or not _can_owner_lift(event):
        return None
    reason = decision_records.decision_facts(event).get("reason", "")
    newest = NewestDecision(
        event.decision_id,
        event.event_time,
        event.event_id,
        reason,
        event.written_by.value,
    )
    return ApprovalRequest(wanted, newest, event.event_time, 1, event.decision_id)


def _merge_approval_requests(
    first: ApprovalRequest | None, second: ApprovalRequest
) -> ApprovalRequest:
    """Merge two approval requests for one act: the newest decision, summed counts."""
    if first is None:
        return second
    newest = max(first.newest, second.newest, key=lambda each: each.sort_key)
    return ApprovalRequest(
        first.scope,
        newest,
        min(first.first, second.first),
        first.count + second.count,
        newest.decision_id,
    )


def _can_owner_lift(event: AuditEvent) -> bool:
    """Return whether the decision was blocked for a reason that an owner can lift."""
    said = decision_records.decision_facts(event)
    effect = said.get("effect")
    held_back = (
        effect in (DecisionEffect.ASK, DecisionEffect.DENY) and "ended" not in said
    )
    return held_back and said.get("reason") in OWNER_LIFTABLE

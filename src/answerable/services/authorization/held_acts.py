"""Held acts of agents, grouped into approval requests."""

from answerable.authorization.policy_exceptions import OWNER_LIFTABLE
from answerable.model.approval_request import ApprovalScope
from answerable.model.decision import DecisionEffect
from answerable.model.event import AuditEvent
from answerable.services.authorization import decision_records
from answerable.services.authorization.approval_requests import (
    MAX_REQUESTS,
    MAX_SELF_REPORTED,
    ApprovalRequest,
    NewestDecision,
)
from answerable.services.authorization.decision_records import SpooledDecisions
from answerable.store.decision_queries import find_stored_digests, list_blocked_calls
from answerable.store.store import EvidenceStore


def group_held_acts(
    store: EvidenceStore, waiting: SpooledDecisions, since: int, agent: str = ""
) -> list[ApprovalRequest]:
    """Group blocked decisions by act, newest first."""
    found: dict[ApprovalScope, ApprovalRequest] = {}
    # Separate limits, so that many self-reported acts hide no other ones.
    for believed, most in ((True, MAX_REQUESTS), (False, MAX_SELF_REPORTED)):
        for act in list_blocked_calls(
            store,
            OWNER_LIFTABLE,
            since=since,
            limit=most,
            believed=believed,
            agent=agent,
        ):
            wanted = decision_records.requested_act_of(act, act.target, act.arguments)
            if wanted is not None:
                newest = NewestDecision(
                    act.decision_id, act.at, act.event_id, act.reason, act.written_by
                )
                ask = ApprovalRequest(
                    wanted, newest, act.first, act.count, act.decision_id
                )
                found[wanted] = _merge_requests(found.get(wanted), ask)
    fresh = [e for e in waiting.events if e.event_time >= since and _can_owner_lift(e)]
    known = find_stored_digests(store, fresh)
    for event in fresh:
        one = request_from_decision(event)
        if one is None or event.raw_sha256 in known:
            continue
        if agent in ("", one.wanted.agent):
            found[one.wanted] = _merge_requests(found.get(one.wanted), one)
    return sorted(found.values(), key=lambda each: each.newest.sort_key, reverse=True)


def request_from_decision(event: AuditEvent) -> ApprovalRequest | None:
    """Build the approval request of one decision; None if an owner cannot lift it."""
    wanted = decision_records.requested_act(event)
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


def _merge_requests(
    one: ApprovalRequest | None, other: ApprovalRequest
) -> ApprovalRequest:
    if one is None:
        return other
    newest = max(one.newest, other.newest, key=lambda each: each.sort_key)
    return ApprovalRequest(
        one.wanted,
        newest,
        min(one.first, other.first),
        one.count + other.count,
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

"""Outcomes of a call: a denial, a missing credential, a message that waits for records."""

import asyncio
from dataclasses import replace

from answerable.gateway.in_flight_call import DeniedCall, InFlightCall, MessageOutcome
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    TargetKind,
)
from answerable.server.mcp.call import McpCall


def without_credential(decision: Decision) -> Decision:
    """Return an error: without a credential the server would see another principal."""
    return replace(
        decision,
        effect=DecisionEffect.ERROR,
        passes=False,
        reason=DecisionReason.CREDENTIAL,
        determining=(),
        layer=DecisionLayer.CREDENTIAL,
    )


def denied_call(call: McpCall, decision: Decision, decision_id: str) -> DeniedCall:
    """Build the denial of a call whose decision is on record."""
    not_its_own = decision.reason is DecisionReason.NOT_ITS_OWN
    # A call that a baseline denies is denied even if the policy allows it.
    is_allowed = decision.effect is DecisionEffect.ALLOW
    effect = DecisionEffect.DENY if is_allowed else decision.effect
    return DeniedCall(
        effect.value,
        decision_id,
        quiet=not_its_own and call.target is TargetKind.REQUEST,
        is_unknown_task=not_its_own and call.target is TargetKind.TASK,
    )


def after_records(
    data: bytes, passage: InFlightCall, instead: MessageOutcome
) -> MessageOutcome:
    """Delay a message until the records that it caused are on disk."""
    waits, passage.waits = passage.waits, []
    until = waits[0] if len(waits) == 1 else asyncio.gather(*waits)
    return MessageOutcome(data, until=until, instead=instead)

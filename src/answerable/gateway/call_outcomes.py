"""Build the outcomes of a call: denials, errors, messages that wait for records."""

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


def deny_missing_credential(decision: Decision) -> Decision:
    """Turn a decision into an error: the server's credential is missing."""
    return replace(
        decision,
        effect=DecisionEffect.ERROR,
        passes=False,
        reason=DecisionReason.CREDENTIAL,
        determining=(),
        layer=DecisionLayer.CREDENTIAL,
    )


def build_denied_call(
    call: McpCall, decision: Decision, decision_id: str
) -> DeniedCall:
    """Build the denial of a call whose decision is recorded."""
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


def delay_until_recorded(
    data: bytes, in_flight: InFlightCall, fallback: MessageOutcome
) -> MessageOutcome:
    """Delay a message until the records that it caused are on disk."""
    waits, in_flight.waits = in_flight.waits, []
    until = waits[0] if len(waits) == 1 else asyncio.gather(*waits)
    return MessageOutcome(data, until=until, instead=fallback)

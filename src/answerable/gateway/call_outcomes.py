"""Outcomes of a call: a denial, a missing credential, a message that waits for records."""

import asyncio
from dataclasses import replace

from answerable.gateway.in_flight_call import Denied, Heard, Passage
from answerable.model.decision import Decision, Effect, Layer, Reason, Target
from answerable.server.mcp.call import Call


def without_credential(decision: Decision) -> Decision:
    """Return an error: without a credential the server would see another principal."""
    return replace(
        decision,
        effect=Effect.ERROR,
        passes=False,
        reason=Reason.CREDENTIAL,
        determining=(),
        layer=Layer.CREDENTIAL,
    )


def denied_call(call: Call, decision: Decision, decision_id: str) -> Denied:
    """Build the denial of a call whose decision is on record."""
    not_its_own = decision.reason is Reason.NOT_ITS_OWN
    # A call that a baseline holds back is denied, whatever the policy allows.
    is_allowed = decision.effect is Effect.ALLOW
    effect = Effect.DENY if is_allowed else decision.effect
    return Denied(
        effect.value,
        decision_id,
        quiet=not_its_own and call.target is Target.REQUEST,
        is_unknown_task=not_its_own and call.target is Target.TASK,
    )


def after_records(data: bytes, passage: Passage, instead: Heard) -> Heard:
    """Delay a message until the records that it caused are on disk."""
    waits, passage.waits = passage.waits, []
    until = waits[0] if len(waits) == 1 else asyncio.gather(*waits)
    return Heard(data, until=until, instead=instead)

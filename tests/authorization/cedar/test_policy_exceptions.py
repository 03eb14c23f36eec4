"""Policy exceptions that owners sign, and the policies that they lift."""

from answerable.authorization.decision import EMPTY_STATE, PolicyOverrides, decide
from answerable.authorization.policy_exceptions import ExceptionKey
from answerable.model.decision import (
    DecisionEffect,
    DecisionReason,
    TargetKind,
)
from answerable.model.ids import AgentId
from answerable.model.policy_exception import PolicyException, PolicyExceptionKind
from tests.authorization.cedar.policy_strategies import call
from tests.authorization.cedar.test_decisions import (
    ANA,
    BEN,
    CALL,
    CAM,
    PERMIT,
    q,
    table,
)


def amendment(
    who: AgentId, kind: PolicyExceptionKind
) -> dict[ExceptionKey, tuple[PolicyException, ...]]:
    signed = PolicyException(
        "a" * 64, kind, who, "files", TargetKind.TOOL, "read", "", 0, ("person:x",)
    )
    return {(who, "files", TargetKind.TOOL, "read"): (signed,)}


def test_an_owner_lifts_an_ask_but_not_a_forbid_an_error_or_the_agents_above() -> None:
    by_owner = PolicyOverrides(exceptions=amendment(ANA, PolicyExceptionKind.OWNER))
    ask = f"@ask forbid ({CALL});"
    assert decide(table(PERMIT, ask), by_owner, call()).reason is DecisionReason.GRANTED
    for forbid, reason in (
        (f"forbid ({CALL});", DecisionReason.FORBIDDEN),
        (
            f"forbid ({CALL}) when {{ context.arguments.n > 1 }};",
            DecisionReason.EVALUATION,
        ),
    ):
        assert decide(table(PERMIT, forbid), by_owner, call()).reason is reason
    none = table(ask.replace("principal", f"principal == Agent::{q(CAM)}"))
    assert decide(none, by_owner, call()).reason is DecisionReason.GRANTED
    under = decide(none, by_owner, call(chain=(BEN,)))
    assert under.reason is DecisionReason.PARENT


def test_two_persons_lift_a_forbid_and_the_agents_above_but_no_error() -> None:
    by_two = PolicyOverrides(exceptions=amendment(ANA, PolicyExceptionKind.BREAK_GLASS))
    forbidden = table(f"forbid ({CALL});")
    for request in (call(), call(chain=(BEN,))):
        assert decide(forbidden, by_two, request).reason is DecisionReason.BREAK_GLASS
    above = f"forbid ({CALL.replace('principal', f'principal == Agent::{q(BEN)}')});"
    held = table(PERMIT, above)
    assert decide(held, EMPTY_STATE, call(chain=(BEN,))).reason is DecisionReason.PARENT
    assert decide(held, by_two, call(chain=(BEN,))).reason is DecisionReason.BREAK_GLASS
    errs = table(PERMIT, above.replace(";", " when { context.arguments.n > 1 };"))
    assert decide(errs, by_two, call(chain=(BEN,))).effect is DecisionEffect.ERROR

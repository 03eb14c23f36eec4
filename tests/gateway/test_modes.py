"""What each mode holds back, for every reason that there is."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.authorization import decision_table
from answerable.authorization.decision_table import build_decision_table
from answerable.authorization.quarantine import ServerQuarantine
from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.handle_ownership import HandleOwnershipTracker
from answerable.gateway.in_flight_call import DeniedCall
from answerable.gateway.serve.call_metrics import WOULD_DENY, CountingRecorder
from answerable.gateway.wire.server_messages import ServerMessage
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.config import AllowRule, Config
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
    TargetKind,
)
from answerable.model.ids import AgentId
from answerable.model.policy_exception import PolicyException, PolicyExceptionKind
from answerable.model.worker_limits import WorkerLimits
from answerable.server.mcp.call import McpCall, sha256_hex
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision
from answerable.server.operator_log import OperatorLog
from answerable.usecases.authorization.authorize import Authorizer
from tests.authorization.cedar.policy_strategies import rules_of
from tests.authorization.config_strategies import agent, config, request, server
from tests.gateway.http.in_memory_worker import Notes
from tests.gateway.recording.recorder_fixture import BODY, CALL, CALLER

ANA = AgentId("agent:declared/ana")
BEN = AgentId("agent:declared/ben")
READ = AllowRule("agents.ana.allow[0]", "files", ("read",), (), (), ())
EVERY = frozenset(EnforcementMode)
ENFORCING = frozenset({EnforcementMode.ENFORCE})
NONE: frozenset[EnforcementMode] = frozenset()

# Modes in which a call goes no further, by reason.
HELD: Mapping[DecisionReason, frozenset[EnforcementMode]] = {
    DecisionReason.ALLOWED: NONE,
    DecisionReason.GRANTED: NONE,
    DecisionReason.BREAK_GLASS: NONE,
    DecisionReason.NO_RULE: ENFORCING,
    DecisionReason.UNKNOWN_AGENT: ENFORCING,
    DecisionReason.QUARANTINED: ENFORCING,
    DecisionReason.FORBIDDEN: ENFORCING,
    DecisionReason.ASKED: ENFORCING,
    DecisionReason.PARENT: ENFORCING,
    DecisionReason.KILLED: EVERY,
    DecisionReason.UNKNOWN_SERVER: EVERY,
    DecisionReason.NOT_ITS_OWN: EVERY,
    DecisionReason.EVALUATION: EVERY,
    DecisionReason.POLICY_MISSING: EVERY,
    DecisionReason.CREDENTIAL: EVERY,
}


def configured(mode: EnforcementMode) -> Config:
    return config(
        agent("ana", READ, mode=mode), servers=(server("files"),), default_mode=mode
    )


def asked(authority: Authorizer, **facts: Any) -> Decision:
    return authority.authorize(request(**facts))


def of_rules(mode: EnforcementMode) -> Authorizer:
    return Authorizer(build_decision_table(configured(mode)))


def allowed(mode: EnforcementMode) -> Decision:
    return asked(of_rules(mode))


def no_rule(mode: EnforcementMode) -> Decision:
    return asked(of_rules(mode), name="write")


def unknown_agent(mode: EnforcementMode) -> Decision:
    return asked(of_rules(mode), agent=AgentId("agent:caller/eve"), known=False)


def unknown_server(mode: EnforcementMode) -> Decision:
    return asked(of_rules(mode), server="none")


def killed(mode: EnforcementMode) -> Decision:
    authority = of_rules(mode)
    authority.update_revocations(frozenset({ANA}))
    return asked(authority)


def quarantined(mode: EnforcementMode) -> Decision:
    authority = of_rules(mode)
    authority.set_quarantine({"files": ServerQuarantine(tools=frozenset({"read"}))})
    return asked(authority)


def amended(kind: PolicyExceptionKind) -> Callable[[EnforcementMode], Decision]:
    def decide(mode: EnforcementMode) -> Decision:
        authority = of_rules(mode)
        signed = PolicyException(
            "a", kind, ANA, "files", TargetKind.TOOL, "write", "", 0, ()
        )
        authority.set_policy_exceptions(
            {(ANA, "files", TargetKind.TOOL, "write"): (signed,)}
        )
        return asked(authority, name="write")

    return decide


def failing(mode: EnforcementMode) -> Decision:
    whole = build_decision_table(configured(mode))
    return asked(Authorizer(replace(whole, servers=None)))  # type: ignore[arg-type]


def without_policy(mode: EnforcementMode) -> Decision:
    return asked(Authorizer(decision_table.build_missing_policy_table(("files",))))


def of_policies(text: str, **facts: Any) -> Callable[[EnforcementMode], Decision]:
    """Decide by Cedar policies beside the rules."""

    def decide(mode: EnforcementMode) -> Decision:
        table = build_decision_table(configured(mode), rules_of(text))
        return asked(Authorizer(table), **facts)

    return decide


def parent(mode: EnforcementMode) -> Decision:
    asked = msgspec.structs.replace(request(), chain=(BEN,))
    return of_rules(mode).authorize(asked)


def caller(agent: AgentId, principal: str) -> VerifiedCaller:
    return VerifiedCaller(
        agent, True, "", "run", AuthenticationMethod.BEARER_TOKEN, principal, b"", 0
    )


def of_another(mode: EnforcementMode) -> Decision:
    ownership = HandleOwnershipTracker()
    made = McpCall(
        McpRevision.V2026_07_28,
        MessageKind.REQUEST,
        "tools/call",
        1,
        "files",
        TargetKind.TOOL,
    )
    answer = ServerMessage(MessageKind.RESPONSE, 1, task=sha256_hex("t"))
    ownership.register_answer_handles(caller(BEN, "p/ben"), made, answer)
    its = McpCall(
        McpRevision.V2026_07_28,
        MessageKind.REQUEST,
        "tasks/get",
        2,
        "files",
        TargetKind.TASK,
        "t",
    )
    passes = replace(allowed(mode), mode=mode)
    return ownership.deny_foreign_handle(caller(ANA, "p/ana"), its, passes)


class _Shows:
    """Shows every server something."""

    def needs_credential(self, server: str) -> bool:
        return True

    def upstream_principal(self, caller: VerifiedCaller, server: str) -> str:
        return ""


def without_credential(mode: EnforcementMode) -> Decision:
    loop: Any = None
    notes: Any = Notes(loop)
    shows: Any = _Shows()
    exchange = CallPipeline(of_rules(mode), notes, {}, shows)
    call = McpCall(
        McpRevision.V2026_07_28,
        MessageKind.REQUEST,
        "tools/call",
        1,
        "files",
        TargetKind.TOOL,
        "read",
    )
    assert isinstance(exchange.authorize(caller(ANA, "p/ana"), call, b""), DeniedCall)
    ((_, _, decision, _),) = notes.kept
    assert isinstance(decision, Decision)
    return decision


MADE: Mapping[DecisionReason, Callable[[EnforcementMode], Decision]] = {
    DecisionReason.ALLOWED: allowed,
    DecisionReason.GRANTED: amended(PolicyExceptionKind.OWNER),
    DecisionReason.BREAK_GLASS: amended(PolicyExceptionKind.BREAK_GLASS),
    DecisionReason.NO_RULE: no_rule,
    DecisionReason.UNKNOWN_AGENT: unknown_agent,
    DecisionReason.QUARANTINED: quarantined,
    DecisionReason.FORBIDDEN: of_policies("forbid (principal, action, resource);"),
    DecisionReason.ASKED: of_policies("@ask forbid (principal, action, resource);"),
    DecisionReason.PARENT: parent,
    DecisionReason.KILLED: killed,
    DecisionReason.UNKNOWN_SERVER: unknown_server,
    DecisionReason.NOT_ITS_OWN: of_another,
    DecisionReason.EVALUATION: failing,
    DecisionReason.POLICY_MISSING: without_policy,
    DecisionReason.CREDENTIAL: without_credential,
}

# Nothing is decided for want of a record: there is none of it, so it does not happen.
UNRECORDED = {DecisionReason.EVIDENCE}
# What baselines say, their own tests show in every mode.
ELSEWHERE = {DecisionReason.BEHAVIOUR}


def test_every_reason_has_its_modes() -> None:
    assert HELD.keys() == MADE.keys()
    assert set(DecisionReason) == HELD.keys() | UNRECORDED | ELSEWHERE


@pytest.mark.parametrize("mode", EnforcementMode)
@pytest.mark.parametrize("reason", MADE)
def test_a_mode_holds_back_what_it_should_and_no_more(
    reason: DecisionReason, mode: EnforcementMode
) -> None:
    decision = MADE[reason](mode)
    assert decision.reason is reason
    assert decision.passes is (mode not in HELD[reason])
    allows = reason in (
        DecisionReason.ALLOWED,
        DecisionReason.GRANTED,
        DecisionReason.BREAK_GLASS,
    )
    assert (decision.effect is DecisionEffect.ALLOW) is allows
    if (
        reason is not DecisionReason.POLICY_MISSING
        and reason is not DecisionReason.EVALUATION
    ):
        assert decision.mode is (
            EnforcementMode.ENFORCE if reason is DecisionReason.UNKNOWN_SERVER else mode
        )


@pytest.mark.parametrize("mode", EnforcementMode)
def test_a_policy_without_an_answer_is_held_back_where_it_is_enforced(
    mode: EnforcementMode,
) -> None:
    # It is known which policy; where nothing is, deciding failed (above).
    text = """permit (principal, action == Action::"tools/call", resource)
    when { context.arguments.missing < 5 };"""
    decision = of_policies(text)(mode)
    assert (decision.effect, decision.reason) == (
        DecisionEffect.ERROR,
        DecisionReason.EVALUATION,
    )
    assert decision.determining
    assert decision.passes is (mode is not EnforcementMode.ENFORCE)


@pytest.mark.parametrize("mode", EnforcementMode)
def test_what_nobody_is_known_to_own_is_held_back_where_it_is_enforced(
    mode: EnforcementMode,
) -> None:
    call = McpCall(
        McpRevision.V2026_07_28,
        MessageKind.REQUEST,
        "tasks/get",
        2,
        "files",
        TargetKind.TASK,
        "t",
    )
    decision = HandleOwnershipTracker().deny_foreign_handle(
        caller(ANA, "p/ana"), call, allowed(mode)
    )
    assert decision.reason is DecisionReason.NOT_ITS_OWN
    assert decision.layer is DecisionLayer.OWNERSHIP
    assert decision.passes is (mode is not EnforcementMode.ENFORCE)


def test_what_a_shadowed_agent_would_be_denied_is_counted(tmp_path: Path) -> None:
    async def count() -> dict[str, float]:
        loop = asyncio.get_running_loop()
        counting = CountingRecorder(
            tmp_path, 0, loop, WorkerLimits(), None, OperatorLog("worker-0")
        )
        for mode in EnforcementMode:
            for decision in (allowed(mode), no_rule(mode), killed(mode)):
                counting.record_decision(CALLER, CALL, decision, BODY)
        series = {each.name: each for each in counting.iterate_metric_series()}
        counting.close()
        counted = series[WOULD_DENY]
        return {"/".join(counted.labels): counted.value}

    assert asyncio.run(count()) == {"files/tools/call": 1}

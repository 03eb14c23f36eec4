"""What each mode holds back, for every reason that there is."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from answerable.authorization import decision_table
from answerable.authorization.decision_table import compile_table
from answerable.authorization.quarantine import Quarantined
from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.handle_ownership import Ownership
from answerable.gateway.in_flight_call import Denied
from answerable.gateway.serve.call_metrics import WOULD_DENY, Counting
from answerable.gateway.wire.server_messages import Answer
from answerable.model.caller import Caller, Shown
from answerable.model.config import Allow, Config
from answerable.model.decision import (
    Decision,
    Effect,
    Layer,
    Mode,
    Reason,
    Target,
)
from answerable.model.ids import AgentId
from answerable.model.policy_exception import Amendment, AmendmentKind
from answerable.model.worker_limits import Limits
from answerable.server.mcp.call import Call, digest
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.methods import Era
from answerable.server.operator_log import Log
from answerable.usecases.authorization.authorize import Authority
from tests.authorization.cedar.policy_strategies import rules_of
from tests.authorization.config_strategies import agent, config, request, server
from tests.gateway.http.in_memory_worker import Notes
from tests.gateway.recording.recorder_fixture import BODY, CALL, CALLER

ANA = AgentId("agent:declared/ana")
BEN = AgentId("agent:declared/ben")
READ = Allow("agents.ana.allow[0]", "files", ("read",), (), (), ())
EVERY = frozenset(Mode)
ENFORCING = frozenset({Mode.ENFORCE})
NONE: frozenset[Mode] = frozenset()

# Modes in which a call goes no further, by reason.
HELD: Mapping[Reason, frozenset[Mode]] = {
    Reason.ALLOWED: NONE,
    Reason.GRANTED: NONE,
    Reason.BREAK_GLASS: NONE,
    Reason.NO_RULE: ENFORCING,
    Reason.UNKNOWN_AGENT: ENFORCING,
    Reason.QUARANTINED: ENFORCING,
    Reason.FORBIDDEN: ENFORCING,
    Reason.ASKED: ENFORCING,
    Reason.PARENT: ENFORCING,
    Reason.KILLED: EVERY,
    Reason.UNKNOWN_SERVER: EVERY,
    Reason.NOT_ITS_OWN: EVERY,
    Reason.EVALUATION: EVERY,
    Reason.POLICY_MISSING: EVERY,
    Reason.CREDENTIAL: EVERY,
}


def configured(mode: Mode) -> Config:
    return config(
        agent("ana", READ, mode=mode), servers=(server("files"),), default_mode=mode
    )


def asked(authority: Authority, **facts: Any) -> Decision:
    return authority.authorize(request(**facts))


def of_rules(mode: Mode) -> Authority:
    return Authority(compile_table(configured(mode)))


def allowed(mode: Mode) -> Decision:
    return asked(of_rules(mode))


def no_rule(mode: Mode) -> Decision:
    return asked(of_rules(mode), name="write")


def unknown_agent(mode: Mode) -> Decision:
    return asked(of_rules(mode), agent=AgentId("agent:caller/eve"), known=False)


def unknown_server(mode: Mode) -> Decision:
    return asked(of_rules(mode), server="none")


def killed(mode: Mode) -> Decision:
    authority = of_rules(mode)
    authority.set_kills(frozenset({ANA}))
    return asked(authority)


def quarantined(mode: Mode) -> Decision:
    authority = of_rules(mode)
    authority.set_quarantine({"files": Quarantined(tools=frozenset({"read"}))})
    return asked(authority)


def amended(kind: AmendmentKind) -> Callable[[Mode], Decision]:
    def decide(mode: Mode) -> Decision:
        authority = of_rules(mode)
        signed = Amendment("a", kind, ANA, "files", Target.TOOL, "write", "", 0, ())
        authority.set_amendments({(ANA, "files", Target.TOOL, "write"): (signed,)})
        return asked(authority, name="write")

    return decide


def failing(mode: Mode) -> Decision:
    whole = compile_table(configured(mode))
    return asked(Authority(replace(whole, servers=None)))  # type: ignore[arg-type]


def without_policy(mode: Mode) -> Decision:
    return asked(Authority(decision_table.without_policy(("files",))))


def of_policies(text: str, **facts: Any) -> Callable[[Mode], Decision]:
    """Decide by Cedar policies beside the rules."""

    def decide(mode: Mode) -> Decision:
        table = compile_table(configured(mode), rules_of(text))
        return asked(Authority(table), **facts)

    return decide


def parent(mode: Mode) -> Decision:
    asked = msgspec.structs.replace(request(), chain=(BEN,))
    return of_rules(mode).authorize(asked)


def caller(agent: AgentId, principal: str) -> Caller:
    return Caller(agent, True, "", "run", Shown.BEARER_TOKEN, principal, b"", 0)


def of_another(mode: Mode) -> Decision:
    ownership = Ownership()
    made = Call(Era.V2026_07_28, Kind.REQUEST, "tools/call", 1, "files", Target.TOOL)
    answer = Answer(Kind.RESPONSE, 1, task=digest("t"))
    ownership.answered(caller(BEN, "p/ben"), made, answer)
    its = Call(Era.V2026_07_28, Kind.REQUEST, "tasks/get", 2, "files", Target.TASK, "t")
    passes = replace(allowed(mode), mode=mode)
    return ownership.decide(caller(ANA, "p/ana"), its, passes)


class _Shows:
    """Shows every server something."""

    def needs(self, server: str) -> bool:
        return True

    def identity(self, caller: Caller, server: str) -> str:
        return ""


def without_credential(mode: Mode) -> Decision:
    loop: Any = None
    notes: Any = Notes(loop)
    shows: Any = _Shows()
    exchange = Exchange(of_rules(mode), notes, {}, shows)
    call = Call(
        Era.V2026_07_28, Kind.REQUEST, "tools/call", 1, "files", Target.TOOL, "read"
    )
    assert isinstance(exchange.begin(caller(ANA, "p/ana"), call, b""), Denied)
    ((_, _, decision, _),) = notes.kept
    assert isinstance(decision, Decision)
    return decision


MADE: Mapping[Reason, Callable[[Mode], Decision]] = {
    Reason.ALLOWED: allowed,
    Reason.GRANTED: amended(AmendmentKind.OWNER),
    Reason.BREAK_GLASS: amended(AmendmentKind.BREAK_GLASS),
    Reason.NO_RULE: no_rule,
    Reason.UNKNOWN_AGENT: unknown_agent,
    Reason.QUARANTINED: quarantined,
    Reason.FORBIDDEN: of_policies("forbid (principal, action, resource);"),
    Reason.ASKED: of_policies("@ask forbid (principal, action, resource);"),
    Reason.PARENT: parent,
    Reason.KILLED: killed,
    Reason.UNKNOWN_SERVER: unknown_server,
    Reason.NOT_ITS_OWN: of_another,
    Reason.EVALUATION: failing,
    Reason.POLICY_MISSING: without_policy,
    Reason.CREDENTIAL: without_credential,
}

# Nothing is decided for want of a record: there is none of it, so it does not happen.
UNRECORDED = {Reason.EVIDENCE}
# What baselines say, their own tests show in every mode.
ELSEWHERE = {Reason.BEHAVIOUR}


def test_every_reason_has_its_modes() -> None:
    assert HELD.keys() == MADE.keys()
    assert set(Reason) == HELD.keys() | UNRECORDED | ELSEWHERE


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("reason", MADE)
def test_a_mode_holds_back_what_it_should_and_no_more(
    reason: Reason, mode: Mode
) -> None:
    decision = MADE[reason](mode)
    assert decision.reason is reason
    assert decision.passes is (mode not in HELD[reason])
    allows = reason in (Reason.ALLOWED, Reason.GRANTED, Reason.BREAK_GLASS)
    assert (decision.effect is Effect.ALLOW) is allows
    if reason is not Reason.POLICY_MISSING and reason is not Reason.EVALUATION:
        assert decision.mode is (
            Mode.ENFORCE if reason is Reason.UNKNOWN_SERVER else mode
        )


@pytest.mark.parametrize("mode", Mode)
def test_a_policy_without_an_answer_is_held_back_where_it_is_enforced(
    mode: Mode,
) -> None:
    # It is known which policy; where nothing is, deciding failed (above).
    text = """permit (principal, action == Action::"tools/call", resource)
    when { context.arguments.missing < 5 };"""
    decision = of_policies(text)(mode)
    assert (decision.effect, decision.reason) == (Effect.ERROR, Reason.EVALUATION)
    assert decision.determining
    assert decision.passes is (mode is not Mode.ENFORCE)


@pytest.mark.parametrize("mode", Mode)
def test_what_nobody_is_known_to_own_is_held_back_where_it_is_enforced(
    mode: Mode,
) -> None:
    call = Call(
        Era.V2026_07_28, Kind.REQUEST, "tasks/get", 2, "files", Target.TASK, "t"
    )
    decision = Ownership().decide(caller(ANA, "p/ana"), call, allowed(mode))
    assert decision.reason is Reason.NOT_ITS_OWN
    assert decision.layer is Layer.OWNERSHIP
    assert decision.passes is (mode is not Mode.ENFORCE)


def test_what_a_shadowed_agent_would_be_denied_is_counted(tmp_path: Path) -> None:
    async def count() -> dict[str, float]:
        loop = asyncio.get_running_loop()
        counting = Counting(tmp_path, 0, loop, Limits(), None, Log("worker-0"))
        for mode in Mode:
            for decision in (allowed(mode), no_rule(mode), killed(mode)):
                counting.decided(CALLER, CALL, decision, BODY)
        series = {each.name: each for each in counting.series()}
        counting.close()
        counted = series[WOULD_DENY]
        return {"/".join(counted.labels): counted.value}

    assert asyncio.run(count()) == {"files/tools/call": 1}

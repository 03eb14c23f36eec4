"""A child does no more than every agent above it may, whatever it is allowed itself."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.authorization.decision_table import build_decision_table
from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.in_flight_call import DeniedCall, InFlightCall
from answerable.model.caller import VerifiedCaller
from answerable.model.config import AllowRule, Config
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
)
from answerable.server.mcp.call import McpCall, parse_http_call
from answerable.usecases.authorization.authorize import Authorizer
from tests.authorization.config_strategies import (
    agent,
    config,
    configs,
    requests,
    server,
)
from tests.federation.sample_tokens import NOW
from tests.gateway.http.in_memory_worker import Notes
from tests.gateway.request_builders import body, modern
from tests.server.authentication.test_delegation_claims import acts
from tests.server.authentication.token_builders import TCP, bound, callers, proven

ROOT, CHILD = "agent:declared/root", "agent:declared/child"
PERSON = "person:ana@example.com"


def allows(name: str, *tools: str) -> AllowRule:
    return AllowRule(f"agents.{name}.allow[0]", "weather", tools, (), (), ())


CONFIG = config(
    agent("root", allows("root", "read")),
    agent("child", allows("child", "read", "write")),
    servers=(server("weather"),),
)


def child(folder: Path, *, ours: bool = True, **claims: Any) -> VerifiedCaller:
    """The child that its parent's delegation was handed to."""
    known = callers(folder, ours=ours, agents=CONFIG.agents)
    said = {"sub": PERSON, "act": acts(CHILD, ROOT)} | claims
    return known.authenticate(proven(bound(**said)), TCP, NOW)


def calls(tool: str) -> tuple[McpCall, bytes]:
    data = body("tools/call", {"name": tool, "arguments": {}})
    return parse_http_call(modern("tools/call", tool), data), data


def begun(
    caller: VerifiedCaller, tool: str, kills: frozenset[str] = frozenset()
) -> Decision:
    """Have the child call a tool; what was decided."""
    loop: Any = None
    notes: Any = Notes(loop)
    authority = Authorizer(build_decision_table(CONFIG))
    authority.update_revocations(kills)
    call, data = calls(tool)
    passage = CallPipeline(authority, notes, {}).authorize(caller, call, data)
    ((_, _, decision, _),) = notes.kept
    assert isinstance(decision, Decision)
    assert isinstance(passage, InFlightCall if decision.passes else DeniedCall)
    return decision


def test_a_child_with_more_than_its_parent_does_what_both_may(tmp_path: Path) -> None:
    caller = child(tmp_path)
    assert (caller.agent, caller.chain) == (CHILD, (ROOT,))
    assert begun(caller, "read").passes
    wider = begun(caller, "write")
    assert (wider.passes, wider.effect) == (False, DecisionEffect.DENY)
    assert (wider.reason, wider.layer) == (DecisionReason.PARENT, DecisionLayer.CHAIN)
    assert wider.determining[0] == ROOT


def test_the_same_child_started_by_itself_does_what_it_may(tmp_path: Path) -> None:
    alone = child(tmp_path, act=acts(CHILD))
    assert (alone.agent, alone.chain) == (CHILD, ())
    assert begun(alone, "write").passes


def test_a_child_whose_parent_nobody_declares_does_nothing(tmp_path: Path) -> None:
    orphan = child(tmp_path, act=acts(CHILD, "agent:declared/gone"))
    assert begun(orphan, "read").reason is DecisionReason.PARENT


def test_an_agent_that_acts_for_nobody_is_above_its_child_too(tmp_path: Path) -> None:
    under = child(tmp_path, sub=ROOT, act=acts(CHILD))
    assert under.chain == (ROOT,)
    assert begun(under, "write").reason is DecisionReason.PARENT


@pytest.mark.parametrize("killed", [ROOT, CHILD, PERSON])
def test_a_kill_above_stops_the_child(tmp_path: Path, killed: str) -> None:
    decision = begun(child(tmp_path), "read", frozenset({killed}))
    assert (decision.reason, decision.determining) == (DecisionReason.KILLED, (killed,))


def test_a_kill_above_cuts_what_the_child_has_open(tmp_path: Path) -> None:
    loop: Any = None
    notes: Any = Notes(loop)
    authority = Authorizer(build_decision_table(CONFIG))
    exchange = CallPipeline(authority, notes, {})
    passage = exchange.authorize(child(tmp_path), *calls("read"))
    assert isinstance(passage, InFlightCall)
    authority.update_revocations(frozenset({"agent:declared/other"}))
    assert exchange.may_continue(passage)
    authority.update_revocations(frozenset({ROOT}))
    assert not exchange.may_continue(passage)


CHAINS = st.lists(st.sampled_from(("ana", "ben", "cam")), max_size=3, unique=True)


@given(configs(), requests(), CHAINS)
@settings(max_examples=60, deadline=None)
def test_whatever_a_chain_may_each_agent_of_it_may_alone(
    config: Config, request: AuthorizationRequest, chain: list[str]
) -> None:
    authority = Authorizer(build_decision_table(config))
    above = tuple(agent(name).id for name in chain)
    chained = msgspec.structs.replace(request, chain=above)
    if authority.authorize(chained).effect is not DecisionEffect.ALLOW:
        return
    for each in (request.agent, *above):
        known = request.known or each in above
        alone = msgspec.structs.replace(request, agent=each, known=known)
        assert authority.authorize(alone).effect is DecisionEffect.ALLOW

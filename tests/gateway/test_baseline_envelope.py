"""A profile holds an agent to the workload and the network that its runs came from."""

from dataclasses import replace

import msgspec
import pytest

from answerable.connectors.config.parse.config_file import parse_config
from answerable.gateway.baseline_enforcement import BaselineEnforcer
from answerable.model.baseline import BaselineProfile, BaselineSubject, EnvelopeEntry
from answerable.model.behaviour import RunEnvelope
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionReason,
    EnforcementMode,
    RecordDurability,
    TargetKind,
)
from answerable.model.ids import AgentId
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision
from tests.baseline.bank_scenario import LIST, learned, step
from tests.signed_baselines import active_baseline, in_force

CONFIG = b"""
servers:
  bank: {url: "http://127.0.0.1:1/mcp", reads: [list]}
agents:
  teller:
    owner: ana@corp.example
    callers: [{unix: {uid: 1001}}]
    baseline: {}
    allow: [{server: bank, tools: ["*"]}]
"""
AGENT = AgentId("agent:declared/teller")
CALLER = VerifiedCaller(
    AGENT, True, "", "run", AuthenticationMethod.UNIX_PEER, "uid:1001/a.service", b"", 0
)
OTHER = replace(CALLER, principal="uid:1001/b.service")
CALL = McpCall(
    McpRevision.V2026_07_28,
    MessageKind.REQUEST,
    "tools/call",
    1,
    "bank",
    TargetKind.TOOL,
    "list",
)
ALLOWED = Decision(
    DecisionEffect.ALLOW,
    True,
    EnforcementMode.ENFORCE,
    DecisionReason.ALLOWED,
    (),
    "",
    RecordDurability.BUFFERED,
)


def profile(*seen: RunEnvelope) -> BaselineProfile:
    subject = BaselineSubject("", AGENT, "bank")
    found = learned((step(LIST, []),))
    around = EnvelopeEntry(seen)
    return msgspec.structs.replace(found, subject=subject, surroundings=around)


@pytest.mark.parametrize(
    ("seen", "caller", "network", "codes"),
    [
        ((RunEnvelope("local", CALLER.principal),), CALLER, "local", set()),
        ((RunEnvelope("local", CALLER.principal),), OTHER, "local", {"new-workload"}),
        (
            (RunEnvelope("local", CALLER.principal),),
            CALLER,
            "10.0.0.0/8",
            {"new-network"},
        ),
        # Of what runs did not tell, nothing is said.
        ((), OTHER, "10.0.0.0/8", set()),
        ((RunEnvelope("", CALLER.principal),), CALLER, "10.0.0.0/8", set()),
    ],
)
def test_a_call_from_elsewhere_is_denied_where_runs_told_from_where_they_came(
    seen: tuple[RunEnvelope, ...], caller: VerifiedCaller, network: str, codes: set[str]
) -> None:
    config = parse_config(CONFIG, "answerable.yaml", "/").config
    assert config is not None
    behaviour = BaselineEnforcer(config)
    behaviour.apply_statements(in_force(active_baseline(profile(*seen))))
    decision, watched = behaviour.check_call(caller, CALL, "", ALLOWED, network)
    assert watched is not None
    assert watched.acted.envelope == RunEnvelope(network, caller.principal)
    assert {each.code.value for each in watched.acted.findings} == codes
    assert decision.effect is (DecisionEffect.DENY if codes else DecisionEffect.ALLOW)
    assert decision.passes is not bool(codes)


def test_an_agent_above_is_held_to_the_profile_of_its_own_identity() -> None:
    config = parse_config(CONFIG, "answerable.yaml", "/").config
    assert config is not None
    behaviour = BaselineEnforcer(config)
    parents = f"https://sts.example/{AGENT}"
    found = profile(RunEnvelope("local", OTHER.principal))
    held = msgspec.structs.replace(
        found, subject=BaselineSubject(parents, AGENT, "bank")
    )
    behaviour.apply_statements(in_force(active_baseline(held)))
    child = replace(CALLER, agent=AgentId("agent:declared/below"), chain=(AGENT,))
    identity = f"https://sts.example/{child.agent}"
    decision, watched = behaviour.check_call(
        child, CALL, identity, ALLOWED, "local", ancestors={AGENT: parents}
    )
    assert watched is not None
    assert decision.effect is DecisionEffect.DENY
    assert decision.determining[0] == f"baseline:{'d' * 64}"

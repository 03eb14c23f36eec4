"""A profile holds an agent to the workload and the network that its runs came from."""

from dataclasses import replace

import msgspec
import pytest

from answerable.baseline.profile_index import Held
from answerable.connectors.config.parse.config_file import read_config
from answerable.gateway.baseline_enforcement import Behaviour, Standard
from answerable.model.baseline import Profile, Subject, Surroundings
from answerable.model.behaviour import Envelope
from answerable.model.caller import Caller, Shown
from answerable.model.decision import Decision, Durability, Effect, Mode, Reason, Target
from answerable.model.ids import AgentId
from answerable.server.mcp.call import Call
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.methods import Era
from tests.baseline.bank_scenario import LIST, learned, step

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
CALLER = Caller(AGENT, True, "", "run", Shown.UNIX_PEER, "uid:1001/a.service", b"", 0)
OTHER = replace(CALLER, principal="uid:1001/b.service")
CALL = Call(Era.V2026_07_28, Kind.REQUEST, "tools/call", 1, "bank", Target.TOOL, "list")
ALLOWED = Decision(
    Effect.ALLOW, True, Mode.ENFORCE, Reason.ALLOWED, (), "", Durability.BUFFERED
)


def profile(*seen: Envelope) -> Profile:
    subject = Subject("", AGENT, "bank")
    found = learned((step(LIST, []),))
    around = Surroundings(seen)
    return msgspec.structs.replace(found, subject=subject, surroundings=around)


@pytest.mark.parametrize(
    ("seen", "caller", "network", "codes"),
    [
        ((Envelope("local", CALLER.principal),), CALLER, "local", set()),
        ((Envelope("local", CALLER.principal),), OTHER, "local", {"new-workload"}),
        ((Envelope("local", CALLER.principal),), CALLER, "10.0.0.0/8", {"new-network"}),
        # Of what runs did not tell, nothing is said.
        ((), OTHER, "10.0.0.0/8", set()),
        ((Envelope("", CALLER.principal),), CALLER, "10.0.0.0/8", set()),
    ],
)
def test_a_call_from_elsewhere_is_denied_where_runs_told_from_where_they_came(
    seen: tuple[Envelope, ...], caller: Caller, network: str, codes: set[str]
) -> None:
    config = read_config(CONFIG, "answerable.yaml", "/").config
    assert config is not None
    behaviour = Behaviour(config)
    held = Held.of(profile(*seen))
    behaviour.hold_to({held.profile.subject: Standard(held, "d" * 64, enforced=True)})
    decision, watched = behaviour.see(caller, CALL, "", ALLOWED, network)
    assert watched is not None
    assert watched.acted.envelope == Envelope(network, caller.principal)
    assert {each.code.value for each in watched.acted.findings} == codes
    assert decision.effect is (Effect.DENY if codes else Effect.ALLOW)
    assert decision.passes is not bool(codes)


def test_an_agent_above_is_held_to_the_profile_of_its_own_identity() -> None:
    config = read_config(CONFIG, "answerable.yaml", "/").config
    assert config is not None
    behaviour = Behaviour(config)
    parents = f"https://sts.example/{AGENT}"
    found = profile(Envelope("local", OTHER.principal))
    held = Held.of(
        msgspec.structs.replace(found, subject=Subject(parents, AGENT, "bank"))
    )
    behaviour.hold_to({held.profile.subject: Standard(held, "d" * 64, enforced=True)})
    child = replace(CALLER, agent=AgentId("agent:declared/below"), chain=(AGENT,))
    identity = f"https://sts.example/{child.agent}"
    decision, watched = behaviour.see(
        child, CALL, identity, ALLOWED, "local", above={AGENT: parents}
    )
    assert watched is not None
    assert decision.effect is Effect.DENY
    assert decision.determining[0] == f"baseline:{'d' * 64}"

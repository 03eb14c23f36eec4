"""From where a call comes: the workload, whoever it acts for and however often."""

from dataclasses import replace

from answerable.gateway.baseline_envelope import build_envelope
from answerable.model.behaviour import RunEnvelope
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.ids import AgentId

ANA, BEN = "person:ana@corp.example", "person:ben@corp.example"
PLAIN = VerifiedCaller(
    AgentId("agent:a"),
    True,
    "",
    "r",
    AuthenticationMethod.BEARER_TOKEN,
    "corp/svc",
    b"",
    0,
)


def headed(person: str, actor: str = "spiffe://corp/svc") -> VerifiedCaller:
    principal = f"sts/{person} by {actor}"
    return replace(PLAIN, person=person, principal=principal)


def test_a_workload_is_the_same_for_every_person_and_in_every_run() -> None:
    assert build_envelope(PLAIN, "loopback") == RunEnvelope("loopback", "corp/svc")
    found = RunEnvelope("", "sts/spiffe://corp/svc")
    assert build_envelope(headed(ANA), "") == build_envelope(headed(BEN), "") == found
    assert build_envelope(replace(headed(ANA), run="other"), "") == found
    other = build_envelope(headed(ANA, "spiffe://corp/other"), "")
    assert other.workload == "sts/spiffe://corp/other"


def test_a_person_that_reads_like_two_makes_no_other_workload() -> None:
    odd = headed("person:x by person:x", "svc")
    assert build_envelope(odd, "").workload == "sts/svc"

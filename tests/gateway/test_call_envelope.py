"""From where a call comes: the workload, whoever it acts for and however often."""

from dataclasses import replace

from answerable.gateway.call_workload_and_network import build_workload_and_network
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
    assert build_workload_and_network(PLAIN, "loopback") == RunEnvelope(
        "loopback", "corp/svc"
    )
    found = RunEnvelope("", "sts/spiffe://corp/svc")
    assert (
        build_workload_and_network(headed(ANA), "")
        == build_workload_and_network(headed(BEN), "")
        == found
    )
    assert build_workload_and_network(replace(headed(ANA), run="other"), "") == found
    other = build_workload_and_network(headed(ANA, "spiffe://corp/other"), "")
    assert other.workload == "sts/spiffe://corp/other"


def test_a_person_that_reads_like_two_makes_no_other_workload() -> None:
    odd = headed("person:x by person:x", "svc")
    assert build_workload_and_network(odd, "").workload == "sts/svc"

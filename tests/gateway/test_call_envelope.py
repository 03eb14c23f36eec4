"""From where a call comes: the workload, whoever it acts for and however often."""

from dataclasses import replace

from answerable.gateway.call_envelope import envelope_of
from answerable.model.behaviour import Envelope
from answerable.model.caller import Caller, Shown
from answerable.model.ids import AgentId

ANA, BEN = "person:ana@corp.example", "person:ben@corp.example"
PLAIN = Caller(
    AgentId("agent:a"), True, "", "r", Shown.BEARER_TOKEN, "corp/svc", b"", 0
)


def headed(person: str, actor: str = "spiffe://corp/svc") -> Caller:
    principal = f"sts/{person} by {actor}"
    return replace(PLAIN, person=person, principal=principal)


def test_a_workload_is_the_same_for_every_person_and_in_every_run() -> None:
    assert envelope_of(PLAIN, "loopback") == Envelope("loopback", "corp/svc")
    found = Envelope("", "sts/spiffe://corp/svc")
    assert envelope_of(headed(ANA), "") == envelope_of(headed(BEN), "") == found
    assert envelope_of(replace(headed(ANA), run="other"), "") == found
    other = envelope_of(headed(ANA, "spiffe://corp/other"), "")
    assert other.workload == "sts/spiffe://corp/other"


def test_a_person_that_reads_like_two_makes_no_other_workload() -> None:
    odd = headed("person:x by person:x", "svc")
    assert envelope_of(odd, "").workload == "sts/svc"

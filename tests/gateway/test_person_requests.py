"""Whose request counts in whose run."""

from dataclasses import replace

import pytest

from answerable.gateway.person_requests import RUN_OF_ANOTHER_PERSON, PersonRequestIndex
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.ids import AgentId
from answerable.model.person_request import ANY_RUN, PersonRequest
from answerable.model.provenance import WrittenBy

ANA, BEN = "person:ana@corp.example", "person:ben@corp.example"
AGENT = AgentId("agent:declared/teller")
CALLER = VerifiedCaller(
    AGENT, True, ANA, "dlg:1", AuthenticationMethod.DPOP_TOKEN, "sts/teller", b"", 0
)
REQUEST = PersonRequest("a" * 64, AGENT, (ANA,), False, ANY_RUN, 10, 20, ("Alice",))
OWNERS = PersonRequest("b" * 64, AGENT, (BEN,), True, ANY_RUN, 10, 20, ("Alice",))


def counts(request: PersonRequest, caller: VerifiedCaller, now: int = 15) -> bool:
    requests = PersonRequestIndex()
    requests.replace_all((request,))
    asked = requests.find_for_caller(caller, now)
    assert all(
        (each.values, each.id, each.written_by)
        == (frozenset({"Alice"}), request.id, WrittenBy.PERSON)
        for each in asked
    )
    return bool(asked)


@pytest.mark.parametrize(
    ("request_", "caller", "holds"),
    [
        (REQUEST, CALLER, True),
        # Somebody else's run, also where the owner of the agent asks.
        (REQUEST, replace(CALLER, person=BEN), False),
        (OWNERS, CALLER, False),
        # A run for nobody is its owner's.
        (OWNERS, replace(CALLER, person=""), True),
        (REQUEST, replace(CALLER, person=""), False),
        # Another agent, one below it, another run.
        (REQUEST, replace(CALLER, agent=AgentId("agent:declared/other")), False),
        (
            REQUEST,
            replace(CALLER, agent=AgentId("agent:declared/below"), chain=(AGENT,)),
            False,
        ),
        (REQUEST, replace(CALLER, run="dlg:2"), True),
    ],
)
def test_a_request_counts_in_runs_of_its_agent_for_its_person(
    request_: PersonRequest, caller: VerifiedCaller, holds: bool
) -> None:
    assert counts(request_, caller) is holds


def test_a_person_is_known_under_each_of_their_ids() -> None:
    other = PersonRequest(
        "a" * 64, AGENT, ("person:ana", ANA), False, ANY_RUN, 1, 20, ()
    )
    requests = PersonRequestIndex()
    requests.replace_all((other,))
    assert requests.find_for_caller(CALLER, 15)


def test_a_request_ends_and_what_is_taken_back_counts_no_more() -> None:
    assert counts(REQUEST, CALLER, 19)
    assert not counts(REQUEST, CALLER, 20)
    requests = PersonRequestIndex()
    requests.replace_all((REQUEST,))
    requests.replace_all(())
    assert requests.find_for_caller(CALLER, 15) == ()


def test_one_that_names_the_run_of_another_person_is_refused_and_told_once() -> None:
    told: list[tuple[str, str]] = []
    requests = PersonRequestIndex(lambda id, why: told.append((id, why)))
    named = PersonRequest("c" * 64, AGENT, (BEN,), True, "dlg:1", 10, 20, ("Alice",))
    requests.replace_all((named, REQUEST))
    for _ in range(3):
        assert [each.id for each in requests.find_for_caller(CALLER, 15)] == [
            REQUEST.id
        ]
    assert told == [(named.id, RUN_OF_ANOTHER_PERSON)]
    assert requests.find_for_caller(replace(CALLER, person=BEN), 15)[0].id == named.id
    assert requests.find_for_caller(replace(CALLER, person=BEN, run="dlg:2"), 15) == ()

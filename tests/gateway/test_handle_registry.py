"""What was handed out belongs to whom it was handed to."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.handle_ownership import Ownership
from answerable.gateway.handle_registry import Owned, Whose
from answerable.gateway.wire.server_messages import Answer
from answerable.model.caller import Caller, Shown
from answerable.model.decision import (
    Decision,
    Durability,
    Effect,
    Mode,
    Reason,
    Target,
)
from answerable.model.ids import AgentId
from answerable.server.mcp.call import Call, digest
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.methods import Era

KEYS = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))
STEPS = st.lists(
    st.tuples(st.sampled_from(["give", "take"]), KEYS, st.sampled_from(["ana", "ben"]))
)


@given(STEPS, KEYS)
def test_it_says_what_a_plain_reading_of_the_steps_says(
    steps: list[tuple[str, tuple[str, str], str]], key: tuple[str, str]
) -> None:
    owned = Owned()
    held: set[tuple[tuple[str, str], str]] = set()
    for step, each, principal in steps:
        if step == "give":
            owned.give(each, principal)
            held.add((each, principal))
        else:
            owned.take(each, principal)
            held.discard((each, principal))
    owners = {principal for each, principal in held if each == key}
    for principal in ("ana", "ben"):
        expected = (
            Whose.ITS_OWN
            if principal in owners
            else Whose.ANOTHERS
            if owners
            else Whose.UNKNOWN
        )
        assert owned.whose(key, principal) is expected


def test_nobody_makes_what_is_anothers_be_forgotten() -> None:
    owned = Owned(most=2)
    owned.give(("a",), "ana")
    for number in range(9):
        owned.give((str(number),), "ben")
    assert owned.whose(("a",), "ana") is Whose.ITS_OWN
    assert owned.whose(("7",), "ben") is Whose.ITS_OWN
    assert owned.whose(("6",), "ben") is Whose.UNKNOWN


# All together.


def given_to(owned: Owned, principal: str, count: int) -> Iterator[tuple[str, str]]:
    for number in range(count):
        key = (principal, str(number))
        owned.give(key, principal)
        yield key


def test_all_together_have_a_bound_and_whoever_holds_the_most_gives_way() -> None:
    owned = Owned(most=50, most_of_all=100)
    (task,) = given_to(owned, "ana", 1)
    for each in ("ben", "eve", "kim"):
        list(given_to(owned, each, 50))
    assert len(owned) == 100
    assert owned.whose(task, "ana") is Whose.ITS_OWN


def test_one_principal_however_busy_makes_nothing_of_another_be_forgotten() -> None:
    owned = Owned(most=1000, most_of_all=100)
    few = [key for name in ("ana", "ben") for key in given_to(owned, name, 30)]
    list(given_to(owned, "eve", 5000))
    assert all(owned.whose(key, key[0]) is Whose.ITS_OWN for key in few)
    assert len(owned) == 100


def test_of_principals_that_hold_as_much_the_longest_unheard_gives_way() -> None:
    owned = Owned(most_of_all=3)
    for name in ("ana", "ben", "kim"):
        owned.give((name,), name)
    owned.whose(("anything",), "ana")  # she is heard of
    owned.give(("new",), "eve")
    assert owned.whose(("ben",), "ben") is Whose.UNKNOWN
    kept = (("ana", "ana"), ("kim", "kim"), ("new", "eve"))
    assert all(owned.whose((key,), who) is Whose.ITS_OWN for key, who in kept)


def test_a_principal_that_holds_nothing_takes_no_room() -> None:
    owned = Owned()
    for number in range(100):
        owned.give(("question",), str(number))
        owned.take(("question",), str(number))
    assert len(owned) == 0
    assert vars(owned)["_of"] == {}
    assert vars(vars(owned)["_sizes"])["_size_of"] == {}


MANY = st.lists(
    st.tuples(
        st.sampled_from(["give", "take", "whose"]),
        st.integers(0, 30),
        st.sampled_from("abcd"),
    ),
    max_size=120,
)


@given(MANY)
@settings(max_examples=60)
def test_a_fair_share_is_never_forgotten(steps: list[tuple[str, int, str]]) -> None:
    """Four principals and twenty places: who holds five or fewer loses none."""
    owned = Owned(most=12, most_of_all=20)
    held: dict[str, dict[int, None]] = {name: {} for name in "abcd"}
    for what, number, who in steps:
        key = (str(number),)
        if what == "whose":
            owned.whose(key, who)
        elif what == "take":
            owned.take(key, who)
            held[who].pop(number, None)
        else:
            owned.give(key, who)
            held[who].pop(number, None)
            held[who][number] = None
        for name, room in held.items():
            # The newest five stay, whatever the others do.
            for kept in list(room)[-5:]:
                assert owned.whose((str(kept),), name) is Whose.ITS_OWN
        assert len(owned) <= 20


# What is remembered of a name or an id.


def handed(name: str, id: object, state: str) -> tuple[Ownership, Caller, Call]:
    """A state and a question that were handed out to ana."""
    ownership = Ownership()
    ana = Caller(AgentId("agent:a"), True, "", "r", Shown.BEARER_TOKEN, "ana", b"", 0)
    call = Call(
        Era.V2025_11_25, Kind.REQUEST, "tools/call", 1, "files", Target.TOOL, name
    )
    answer = Answer(Kind.RESPONSE, 1, state=digest(state))
    ownership.answered(ana, call, answer)
    ownership.asked(ana, call, id)  # type: ignore[arg-type]
    return ownership, ana, call


def test_a_name_or_an_id_however_long_takes_no_more_room() -> None:
    ownership, _, _ = handed("n" * 4096, "\U0001f600" * 256, "s")
    owned = vars(ownership)["_owned"]
    keys = [key for room in vars(owned)["_of"].values() for key in room]
    assert len(keys) == 2
    assert max(len("".join(key)) for key in keys) < 100


@pytest.mark.parametrize(
    "other",
    [
        {"name": "b"},
        {"name": "a\nb"},
        {"server": "mail"},
        {"method": "prompts/get"},
        {"state": digest("other")},
    ],
)
def test_a_state_counts_for_the_same_server_method_and_name(
    other: dict[str, str],
) -> None:
    ownership, ana, call = handed("a", 1, "s")
    allowed = asked_allow()
    back = msgspec.structs.replace(call, state=digest("s"))
    assert ownership.decide(ana, back, allowed).passes
    elsewhere = msgspec.structs.replace(back, **other)
    assert not ownership.decide(ana, elsewhere, allowed).passes


@pytest.mark.parametrize(("id", "back", "own"), [(1, 1, True), (1, "1", False)])
def test_an_answer_counts_for_the_question_with_that_very_id(
    id: object, back: str | int, own: bool
) -> None:
    ownership, ana, call = handed("a", id, "s")
    answer = Call(
        call.era, Kind.RESPONSE, "", back, "files", Target.REQUEST, about=back
    )
    assert ownership.decide(ana, answer, asked_allow()).passes is own


def asked_allow() -> Decision:
    return Decision(
        Effect.ALLOW, True, Mode.ENFORCE, Reason.ALLOWED, (), "", Durability.BUFFERED
    )

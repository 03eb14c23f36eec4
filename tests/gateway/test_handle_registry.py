"""What was handed out belongs to whom it was handed to."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.handle_ownership import HandleOwnershipTracker
from answerable.gateway.handle_registry import HandleOwner, HandleRegistry
from answerable.gateway.wire.server_messages import ServerMessage
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
from answerable.server.mcp.call import McpCall, sha256_hex
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision

KEYS = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))
STEPS = st.lists(
    st.tuples(st.sampled_from(["give", "take"]), KEYS, st.sampled_from(["ana", "ben"]))
)


@given(STEPS, KEYS)
def test_it_says_what_a_plain_reading_of_the_steps_says(
    steps: list[tuple[str, tuple[str, str], str]], key: tuple[str, str]
) -> None:
    owned = HandleRegistry()
    held: set[tuple[tuple[str, str], str]] = set()
    for step, each, principal in steps:
        if step == "give":
            owned.add(each, principal)
            held.add((each, principal))
        else:
            owned.consume_single_use(each, principal)
            held.discard((each, principal))
    owners = {principal for each, principal in held if each == key}
    for principal in ("ana", "ben"):
        expected = (
            HandleOwner.ITS_OWN
            if principal in owners
            else HandleOwner.ANOTHERS
            if owners
            else HandleOwner.UNKNOWN
        )
        assert owned.find_owner(key, principal) is expected


def test_nobody_makes_what_is_anothers_be_forgotten() -> None:
    owned = HandleRegistry(most=2)
    owned.add(("a",), "ana")
    for number in range(9):
        owned.add((str(number),), "ben")
    assert owned.find_owner(("a",), "ana") is HandleOwner.ITS_OWN
    assert owned.find_owner(("7",), "ben") is HandleOwner.ITS_OWN
    assert owned.find_owner(("6",), "ben") is HandleOwner.UNKNOWN


# All together.


def given_to(
    owned: HandleRegistry, principal: str, count: int
) -> Iterator[tuple[str, str]]:
    for number in range(count):
        key = (principal, str(number))
        owned.add(key, principal)
        yield key


def test_all_together_have_a_bound_and_whoever_holds_the_most_gives_way() -> None:
    owned = HandleRegistry(most=50, most_of_all=100)
    (task,) = given_to(owned, "ana", 1)
    for each in ("ben", "eve", "kim"):
        list(given_to(owned, each, 50))
    assert len(owned) == 100
    assert owned.find_owner(task, "ana") is HandleOwner.ITS_OWN


def test_one_principal_however_busy_makes_nothing_of_another_be_forgotten() -> None:
    owned = HandleRegistry(most=1000, most_of_all=100)
    few = [key for name in ("ana", "ben") for key in given_to(owned, name, 30)]
    list(given_to(owned, "eve", 5000))
    assert all(owned.find_owner(key, key[0]) is HandleOwner.ITS_OWN for key in few)
    assert len(owned) == 100


def test_of_principals_that_hold_as_much_the_longest_unheard_gives_way() -> None:
    owned = HandleRegistry(most_of_all=3)
    for name in ("ana", "ben", "kim"):
        owned.add((name,), name)
    owned.find_owner(("anything",), "ana")  # she is heard of
    owned.add(("new",), "eve")
    assert owned.find_owner(("ben",), "ben") is HandleOwner.UNKNOWN
    kept = (("ana", "ana"), ("kim", "kim"), ("new", "eve"))
    assert all(
        owned.find_owner((key,), who) is HandleOwner.ITS_OWN for key, who in kept
    )


def test_a_principal_that_holds_nothing_takes_no_room() -> None:
    owned = HandleRegistry()
    for number in range(100):
        owned.add(("question",), str(number))
        owned.consume_single_use(("question",), str(number))
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
    owned = HandleRegistry(most=12, most_of_all=20)
    held: dict[str, dict[int, None]] = {name: {} for name in "abcd"}
    for what, number, who in steps:
        key = (str(number),)
        if what == "whose":
            owned.find_owner(key, who)
        elif what == "take":
            owned.consume_single_use(key, who)
            held[who].pop(number, None)
        else:
            owned.add(key, who)
            held[who].pop(number, None)
            held[who][number] = None
        for name, room in held.items():
            # The newest five stay, whatever the others do.
            for kept in list(room)[-5:]:
                assert owned.find_owner((str(kept),), name) is HandleOwner.ITS_OWN
        assert len(owned) <= 20


# What is remembered of a name or an id.


def handed(
    name: str, id: object, state: str
) -> tuple[HandleOwnershipTracker, VerifiedCaller, McpCall]:
    """A state and a question that were handed out to ana."""
    ownership = HandleOwnershipTracker()
    ana = VerifiedCaller(
        AgentId("agent:a"),
        True,
        "",
        "r",
        AuthenticationMethod.BEARER_TOKEN,
        "ana",
        b"",
        0,
    )
    call = McpCall(
        McpRevision.V2025_11_25,
        MessageKind.REQUEST,
        "tools/call",
        1,
        "files",
        TargetKind.TOOL,
        name,
    )
    answer = ServerMessage(MessageKind.RESPONSE, 1, state=sha256_hex(state))
    ownership.register_answer_handles(ana, call, answer)
    ownership.register_server_request(ana, call, id)  # type: ignore[arg-type]
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
        {"state": sha256_hex("other")},
    ],
)
def test_a_state_counts_for_the_same_server_method_and_name(
    other: dict[str, str],
) -> None:
    ownership, ana, call = handed("a", 1, "s")
    allowed = asked_allow()
    back = msgspec.structs.replace(call, state=sha256_hex("s"))
    assert ownership.deny_foreign_handle(ana, back, allowed).passes
    elsewhere = msgspec.structs.replace(back, **other)
    assert not ownership.deny_foreign_handle(ana, elsewhere, allowed).passes


@pytest.mark.parametrize(("id", "back", "own"), [(1, 1, True), (1, "1", False)])
def test_an_answer_counts_for_the_question_with_that_very_id(
    id: object, back: str | int, own: bool
) -> None:
    ownership, ana, call = handed("a", id, "s")
    answer = McpCall(
        call.era,
        MessageKind.RESPONSE,
        "",
        back,
        "files",
        TargetKind.REQUEST,
        about=back,
    )
    assert ownership.deny_foreign_handle(ana, answer, asked_allow()).passes is own


def asked_allow() -> Decision:
    return Decision(
        DecisionEffect.ALLOW,
        True,
        EnforcementMode.ENFORCE,
        DecisionReason.ALLOWED,
        (),
        "",
        RecordDurability.BUFFERED,
    )

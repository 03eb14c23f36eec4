"""What a person's request names, and what it explains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.baseline.call_judgement import STRICTNESS, judge_call
from answerable.baseline.profile_index import ProfileIndex
from answerable.baseline.profile_learning import build_empty_profile
from answerable.baseline.recent_result_window import RecentResultWindow
from answerable.baseline.request_values import (
    MAX_VALUE,
    MAX_VALUES,
    MIN_VALUE,
    extract_requested_values,
)
from answerable.model.behaviour import OriginKind, RequestedValues
from answerable.model.decision import DecisionEffect
from answerable.model.provenance import WrittenBy
from tests.baseline.bank_scenario import (
    ALICE,
    BOB,
    EVE,
    FACTS,
    LIST,
    NOW,
    PAY,
    SECOND,
    SUBJECT,
    last,
    learned,
    step,
    wish,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Pay the rent to DE89 3704 0044 0532 0130 00, please.", ALICE),
        ("mail Ana@Corp.Example.", "ana@corp.example"),
        ("see https://Corp.Example/A.", "https://corp.example/A"),
        ("post it in 'general'", "general"),
        ("post it in “the blue room”.", "the blue room"),
        ("an event 'Ana's birthday' on Monday", "Ana's birthday"),
        ("invite Emma Johnson and Bob Lee", "Emma Johnson"),
        ("ask Emma's sister", "Emma"),
        ("move 1200.50 on 2026-11-27", "1200.50"),
        ("at 2026-11-27 10:00", "2026-11-27 10:00"),
        ("read bill-december-2023.txt", "bill-december-2023.txt"),
        ("copy /srv/data/x.txt", "/srv/data/x.txt"),
    ],
)
def test_a_request_names_what_stands_out_in_it(text: str, value: str) -> None:
    assert value in extract_requested_values(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("pay the rent to my landlord", "rent"),
        ("pay jim.bob@corp.example", "bob@corp.example"),
        ("it's what Ana's sister wrote", "s what Ana"),
        ("give A1 to me", "A1"),
        ("see Room. Then go Home", "Room Then"),
        (f"pay {EVE}0", EVE),
        ("pay US13 3000 0001 2121 2121 212", "US1330000001"),
        ("pay US13 3000 0001 2121 2121 212", "2121"),
    ],
)
def test_a_request_names_no_part_of_a_word_and_no_everyday_one(
    text: str, value: str
) -> None:
    assert value not in extract_requested_values(text)


@given(st.text(max_size=400))
def test_what_a_request_names_is_short_and_stands_in_it(text: str) -> None:
    found = extract_requested_values(text)
    assert len(found) == len(set(found)) <= MAX_VALUES + 1
    squeezed = "".join(text.encode("utf-8", "replace").decode().split()).lower()
    for value in found:
        assert len(value.encode()) >= MIN_VALUE
        assert len(value) <= MAX_VALUE
        assert "".join(value.split()).lower() in squeezed


def test_a_long_request_says_that_not_all_was_looked_at() -> None:
    assert (
        len(extract_requested_values(" ".join(f"A{n:04}," for n in range(2_000))))
        == MAX_VALUES + 1
    )


def test_what_explains_names_the_request_that_was_signed() -> None:
    profile = learned((step(LIST, [{"to": ALICE}]), step(PAY, "ok", to=ALICE)))
    steps = (step(LIST, [{"to": ALICE}]), step(PAY, to=EVE))
    assert last(profile, steps)[0].effect is DecisionEffect.DENY
    judgement, call = last(profile, steps, asked=f"pay {EVE}")
    assert judgement.effect is DecisionEffect.ALLOW
    (origin,) = call.values[0].origins
    assert (origin.kind, origin.call) == (OriginKind.REQUEST, "f" * 64)


def test_a_request_comes_and_goes_while_a_run_goes_on() -> None:
    window, held = (
        RecentResultWindow(FACTS),
        ProfileIndex.build(build_empty_profile(SUBJECT)),
    )
    window.begin_run("r", NOW)

    def pays(to: str) -> DecisionEffect:
        call = window.observe_call("r", "c", NOW + SECOND, PAY, {"to": to})
        return judge_call(held, call, window.sum_recent_calls("r", NOW + SECOND)).effect

    assert pays(EVE) is DecisionEffect.DENY
    window.set_person_requests("r", (wish(f"pay {EVE}"), wish(f"pay {BOB}")))
    assert (pays(EVE), pays(BOB), pays(ALICE)) == (
        *(DecisionEffect.ALLOW, DecisionEffect.ALLOW),
        DecisionEffect.DENY,
    )
    window.set_person_requests("r", ())
    assert pays(EVE) is DecisionEffect.DENY
    window.set_person_requests("r", (wish(f"pay {EVE}", WrittenBy.SELF_REPORTED),))
    assert pays(EVE) is DecisionEffect.DENY


_TEXTS = (ALICE, BOB, EVE, "rent", "gift")


@given(
    st.lists(st.sampled_from(_TEXTS), max_size=3, unique=True),
    st.sampled_from(_TEXTS),
    st.sampled_from((PAY, "bank/never_seen")),
    st.sampled_from(tuple(WrittenBy)),
)
def test_a_request_only_widens_and_only_for_the_values_that_it_names(
    values: list[str], to: str, tool: str, writer: WrittenBy
) -> None:
    profile = learned((step(LIST, [{"to": ALICE}]), step(PAY, "ok", to=ALICE)))
    found = []
    for asked in ((), (RequestedValues(frozenset(values), writer),)):
        window = RecentResultWindow(FACTS)
        window.begin_run("r", NOW)
        window.set_person_requests("r", asked)
        call = window.observe_call("r", "c", NOW + SECOND, tool, {"to": to})
        found.append(
            judge_call(
                ProfileIndex.build(profile),
                call,
                window.sum_recent_calls("r", NOW + SECOND),
            )
        )
    blind, asked_for = found
    assert STRICTNESS[asked_for.effect] <= STRICTNESS[blind.effect]
    if to not in values or writer is not WrittenBy.PERSON:
        assert asked_for == blind
    if tool != PAY:
        assert asked_for.effect is not DecisionEffect.ALLOW

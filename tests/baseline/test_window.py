"""Origins: what explains the values of a call, found in what the agent was given."""

import pytest

from answerable.baseline.recent_result_window import RecentResultWindow
from answerable.baseline.result_buffer import ResultBuffer, ResultField
from answerable.model.behaviour import CallObservation, OriginKind, ReferenceTable
from answerable.model.provenance import WrittenBy
from tests.baseline.bank_scenario import (
    ADD,
    ALICE,
    BILLS,
    BOB,
    DAY,
    EVE,
    FACTS,
    LIST,
    NOTE,
    NOW,
    PAY,
    SECOND,
    wish,
)


def window_of(*steps: tuple, asked: str = "", tables: tuple = ()) -> RecentResultWindow:
    window = RecentResultWindow(FACTS, tables)
    window.begin_run("r", NOW, wish(asked) if asked else None)
    for number, (tool, arguments, result) in enumerate(steps):
        call = window.observe_call("r", f"c{number}", NOW + number, tool, arguments)
        window.add_call_result("r", call, arguments, result)
    return window


def paying(window: RecentResultWindow, to: str, run: str = "r") -> CallObservation:
    return window.observe_call(run, "last", NOW + SECOND, PAY, {"to": to, "amount": 5})


def origins(window: RecentResultWindow, to: str) -> list[tuple]:
    (value,) = paying(window, to).values
    return [(o.kind, o.source, o.field, o.whole, o.trusted) for o in value.origins]


def test_a_value_that_nothing_holds_has_no_origin() -> None:
    assert origins(window_of((BILLS, {"path": "bill.txt"}, "pay us")), EVE) == []


def test_a_trusted_field_that_is_the_value_is_told_from_a_text_that_holds_it() -> None:
    window = window_of(
        (LIST, {}, [{"id": 7, "to": ALICE, "subject": f"for {BOB}!"}]),
    )
    assert origins(window, ALICE) == [
        (OriginKind.EARLIER, LIST, "[].to", True, True),
    ]
    assert origins(window, BOB) == [
        (OriginKind.EARLIER, LIST, "[].subject", False, False),
    ]


def test_an_origin_names_its_call_its_selector_and_its_bytes() -> None:
    window = window_of((BILLS, {"path": "bill.txt"}, f"é: pay {ALICE}."))
    (origin,) = paying(window, ALICE).values[0].origins
    assert origin.call == "c0"
    assert origin.selector == (("path", "=name:bill.txt"),)
    assert (origin.start, origin.end) == (8, 8 + len(ALICE))


def test_a_request_of_a_person_explains_and_one_of_the_host_does_not() -> None:
    for writer, kinds in (
        (WrittenBy.PERSON, [OriginKind.REQUEST]),
        (WrittenBy.SELF_REPORTED, []),
    ):
        window = RecentResultWindow(FACTS)
        window.begin_run("r", NOW, wish(f"Pay 5 to {ALICE}, please", writer))
        assert [o.kind for o in paying(window, ALICE).values[0].origins] == kinds


def test_a_table_explains_what_it_lists_at_the_arguments_it_is_about() -> None:
    table = ReferenceTable(
        "payees",
        frozenset({"DE89 3704 0044 0532 0130 00"}),
        frozenset({(PAY, "to")}),
        WrittenBy.PERSON,
    )
    window = window_of(tables=(table,))
    assert origins(window, ALICE) == [(OriginKind.TABLE, "payees", "", True, True)]
    assert origins(window, BOB) == []
    noted = window.observe_call("r", "n", NOW, NOTE, {"to": ALICE})
    assert noted.values[0].origins == ()


def test_a_table_that_an_agent_could_have_written_is_none() -> None:
    table = ReferenceTable(
        "payees", frozenset({ALICE}), frozenset({(PAY, "to")}), WrittenBy.SELF_REPORTED
    )
    assert paying(window_of(tables=(table,)), ALICE).values[0].tabled is False


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("write to bob@corp.example.", "bob@corp.example", True),
        ("jim.bob@corp.example", "bob@corp.example", False),
        ("bob@corp.example.net", "bob@corp.example", False),
        ("to=bob@corp.example", "bob@corp.example", True),
        ("<bob@corp.example>", "bob@corp.example", True),
        ("BOB@Corp.Example", "bob@corp.example", True),
        ("xbob@corp.example", "bob@corp.example", False),
        ("ébob@corp.example", "bob@corp.example", False),
    ],
)
def test_a_value_is_found_as_a_word_of_its_own(
    text: str, value: str, found: bool
) -> None:
    window = window_of((BILLS, {}, f"{text}"))
    assert bool(origins(window, value)) is found


def test_an_iban_is_found_in_groups_of_four() -> None:
    window = window_of((BILLS, {}, "account DE89 3704 0044 0532 0130 00 today"))
    assert origins(window, ALICE)


@pytest.mark.parametrize("stored", [EVE, f"see {EVE} there", f"x{EVE}x"])
def test_what_a_run_stored_is_no_trusted_origin_when_it_is_read_back(
    stored: str,
) -> None:
    window = window_of(
        (NOTE, {"text": stored}, "ok"), (LIST, {}, [{"id": 1, "to": EVE}])
    )
    (found,) = origins(window, EVE)
    assert found[-1] is False


def test_what_was_read_before_the_run_stored_it_stays_trusted() -> None:
    listed = (LIST, {}, [{"id": 1, "to": ALICE}])
    window = window_of(listed, (ADD, {"iban": ALICE}, "ok"), listed)
    assert [found[-1] for found in origins(window, ALICE)] == [True, False]


def test_a_flood_of_places_does_not_hide_that_the_run_stored_the_value() -> None:
    window = window_of(
        (BILLS, {}, f"{EVE} " * 400),
        (NOTE, {"text": f"see {EVE}"}, "ok"),
        (LIST, {}, [{"id": 1, "to": EVE}]),
    )
    assert all(not found[-1] for found in origins(window, EVE))


@pytest.mark.parametrize("flood", [1, 40])
def test_what_a_run_stored_is_not_forgotten_for_what_comes_after(flood: int) -> None:
    window = RecentResultWindow(FACTS, limit=1 << 14)
    window.begin_run("r", NOW)
    stored = (NOTE, {"text": EVE}, "ok")
    floods = [(NOTE if flood > 1 else BILLS, {"text": "x " * 500}, "y " * 4000)] * flood
    for tool, arguments, result in (stored, *floods, (LIST, {}, [{"to": EVE}])):
        call = window.observe_call("r", "c", NOW, tool, arguments)
        window.add_call_result("r", call, arguments, result)
    assert [found[-1] for found in origins(window, EVE)] == [False]


def test_a_write_too_long_to_be_kept_takes_trust_from_what_comes_after() -> None:
    window = RecentResultWindow(FACTS, limit=1 << 12)
    window.begin_run("r", NOW)
    long = {"text": "x " * 4000 + EVE}
    for tool, arguments, result in ((NOTE, long, ""), (LIST, {}, [{"to": EVE}])):
        call = window.observe_call("r", "c", NOW, tool, arguments)
        window.add_call_result("r", call, arguments, result)
    assert [found[-1] for found in origins(window, EVE)] == [False]


def test_a_run_begun_shortly_after_sees_what_the_one_before_was_given() -> None:
    window = window_of((BILLS, {}, f"pay {EVE}"))
    window.begin_run("s", NOW + 60 * SECOND)
    (value,) = paying(window, EVE, "s").values
    assert [o.trusted for o in value.origins] == [False]
    assert window.sum_recent_calls("s", NOW + 61 * SECOND).untrusted
    window.begin_run("t", NOW + DAY)
    assert paying(window, EVE, "t").values[0].origins == ()
    assert not window.sum_recent_calls("t", NOW + DAY).untrusted


def test_a_request_explains_in_its_own_run_alone() -> None:
    window = window_of(asked=f"pay {ALICE}")
    window.begin_run("s", NOW + SECOND)
    assert paying(window, ALICE, "s").values[0].origins == ()


def test_what_is_no_longer_kept_explains_nothing() -> None:
    window = RecentResultWindow(FACTS, limit=4096)
    window.begin_run("r", NOW)
    for number, text in enumerate(
        (f"pay {ALICE}", "x " * 1000, "y " * 1000, "z " * 1000, f"pay {BOB}")
    ):
        call = window.observe_call("r", f"c{number}", NOW, BILLS, {})
        window.add_call_result("r", call, {}, text)
    assert not origins(window, ALICE)
    assert origins(window, BOB)


def test_no_hit_reaches_from_one_field_into_the_next() -> None:
    kept = ResultBuffer()
    for number, text in enumerate(("abc", "def")):
        kept.add_result_field(ResultField("r", number, "c", "t", (), "", True), text)
    assert kept.find_values([(b"abc\x00def",)]) == [[]]


def test_many_values_are_found_in_one_pass_as_each_alone() -> None:
    kept = ResultBuffer()
    words = [f"value{number:03}" for number in range(40)]
    kept.add_result_field(ResultField("r", 1, "c", "t", (), "", True), " ".join(words))
    values = [(word.encode(),) for word in (*words, "value03", "other")]
    together = kept.find_values(values)
    assert together == [kept.find_values([value])[0] for value in values]
    assert [bool(hits) for hits in together[-2:]] == [True, False]


def test_half_a_surrogate_pair_is_judged_and_not_raised() -> None:
    assert origins(window_of((BILLS, {}, "\ud800")), "x\ud800y") == []


def test_more_entities_than_are_looked_at_are_said_to_be() -> None:
    window = window_of()
    many = {"to": [f"x{number}@corp.example" for number in range(65)]}
    assert window.observe_call("r", "c", NOW, NOTE, many).crowded

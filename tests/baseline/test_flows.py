"""Flows: from where a value may come, and with what was asked for it."""

from msgspec.structs import replace as but

from answerable.baseline.profile_learning import build_profile
from answerable.baseline.training_run_merge import merge_runs_into_state
from answerable.model.baseline import (
    LearningParameters,
    Strictness,
    UntrustedTextPolicy,
)
from answerable.model.baseline_assessment import BaselineAssessment, DeviationCode
from answerable.model.decision import DecisionEffect
from tests.baseline.bank_scenario import (
    ALICE,
    BILLS,
    BOB,
    DAY,
    LIST,
    NOTE,
    NOW,
    PAY,
    SUBJECT,
    Step,
    last,
    learned,
    played,
    step,
)

LISTED = step(LIST, [{"id": 1, "to": ALICE}, {"id": 2, "to": BOB}])
PAID = step(PAY, "ok", to=ALICE, amount=5)


def bill(text: str, path: str = "bill.txt") -> Step:
    return step(BILLS, text, path=path)


def codes(judgement: BaselineAssessment) -> list[DeviationCode]:
    return [finding.code for finding in judgement.findings]


def test_an_argument_that_takes_one_of_a_few_words_takes_those() -> None:
    shared = step(LIST, [{"id": 1, "right": "rw"}, {"id": 2, "right": "r"}])
    scripts = [(shared, step(NOTE, "ok", mode=mode)) for mode in ("r", "rw")]
    profile = learned(*scripts)
    alone, _ = last(profile, (step(NOTE, mode="rw"),))
    assert alone.effect is DecisionEffect.ALLOW
    other, _ = last(profile, (step(NOTE, mode="admin"),))
    assert (other.effect, codes(other)) == (
        DecisionEffect.ASK,
        [DeviationCode.NEW_FLOW],
    )


def test_a_name_may_come_from_a_field_that_it_came_from_however_that_was_asked_for() -> (
    None
):
    before = (bill("at the old mill", "march.txt"), step(NOTE, "ok", place="old mill"))
    profile = learned(before)
    steps = (bill("at the new hall", "notes.md"), step(NOTE, place="new hall"))
    assert last(profile, steps)[0].effect is DecisionEffect.ALLOW
    host = (bill("see a.example.com", "notes.md"), step(NOTE, place="a.example.com"))
    assert last(profile, host)[0].effect is DecisionEffect.DENY


def test_the_file_that_a_person_names_does_not_stand_for_the_next_one() -> None:
    terms = LearningParameters(min_persons=1, untrusted=UntrustedTextPolicy.LEARNED)
    runs = (bill(f"pay {ALICE}"), PAID)
    profile = learned(runs, terms=terms, asked="pay what bill.txt says")
    assert (
        last(profile, (bill(f"pay {BOB}"), step(PAY, to=BOB, amount=5)))[0].effect
        is DecisionEffect.ALLOW
    )
    steps = (bill(f"pay {BOB}", "notice.txt"), step(PAY, to=BOB, amount=5))
    asked = "read notice.txt"
    assert last(profile, steps, asked=asked)[0].effect is DecisionEffect.DENY


def test_files_that_begin_alike_are_one_kind_of_file() -> None:
    terms = LearningParameters(min_persons=1, untrusted=UntrustedTextPolicy.LEARNED)
    names = ("a", "b", "c", "d", "e")
    scripts = [(bill(f"pay {ALICE}", f"bill-{n}.txt"), PAID) for n in names]
    profile = learned(*scripts, terms=terms)
    paid = step(PAY, to=BOB, amount=5)
    assert last(profile, (bill(f"pay {BOB}", "bill-x.txt"), paid))[0].effect is (
        DecisionEffect.ALLOW
    )
    assert last(profile, (bill(f"pay {BOB}", "notice.txt"), paid))[0].effect is (
        DecisionEffect.DENY
    )


def test_where_values_have_nothing_alike_their_explanation_stands_for_them() -> None:
    terms = LearningParameters(min_persons=1, untrusted=UntrustedTextPolicy.LEARNED)

    def shown(place: str, iban: str) -> Step:
        return step(BILLS, f"pay {iban}", path=f"https://{place}.example/")

    runs = [
        played(
            (shown(place, ALICE), PAID),
            f"r{day}",
            NOW - (day + 1) * DAY,
            f"pay what https://{place}.example/ says",
        )
        for day, place in enumerate(("ash", "elm", "fir", "oak", "yew"))
    ]
    steps = (shown("new", BOB), step(PAY, to=BOB, amount=5))
    asked = "pay what https://new.example/ says"
    for some, effect in ((runs[:4], DecisionEffect.DENY), (runs, DecisionEffect.ALLOW)):
        profile = build_profile(merge_runs_into_state({}, some), SUBJECT, terms, NOW)
        profile = but(profile, stance=Strictness(untrusted=UntrustedTextPolicy.LEARNED))
        profile = but(profile, edges=tuple(but(e, firm=True) for e in profile.edges))
        assert last(profile, steps, asked=asked)[0].effect is effect
        assert last(profile, steps)[0].effect is DecisionEffect.DENY

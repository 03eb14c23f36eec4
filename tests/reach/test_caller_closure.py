"""Laws of `who-can` over several platforms: it lists what `can` says, caller by caller."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.inventory.sync_join import join_syncs_into_inventory
from answerable.reach import caller_closure
from answerable.reach.caller_closure import CallerClosure
from answerable.reach.condition_formula import FALSE, TRUE, Formula, Verdict, build_atom
from answerable.reach.engine import answer_permission_question, list_callers
from answerable.reach.open_platforms import OpenPlatforms
from answerable.reach.platform import PageBounds, PathHop, Question
from tests.reach.cross_platform import TinyPlatform, TinySteps, step

NAMES = ("a", "b", "c")
CALL = "read", "c:thing"
IDS = tuple(f"{name}:{number}" for name in NAMES for number in range(3))
FORMULAS: tuple[Formula, ...] = (
    TRUE,
    *(build_atom("aws:PrincipalTag/team", "StringEquals", (each,)) for each in "xy"),
)
ORDER = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN, Verdict.NEVER)

some_steps = st.lists(
    st.builds(
        step, st.sampled_from(IDS), st.sampled_from(IDS), st.sampled_from(FORMULAS)
    ),
    max_size=14,
)
some_grants = st.dictionaries(
    st.sampled_from([each for each in IDS if each.startswith("c")]),
    st.sampled_from(FORMULAS),
    max_size=2,
)


def open_platforms(
    steps: list[PathHop], grants: Mapping[str, Formula]
) -> tuple[OpenPlatforms, TinyPlatform]:
    """Open three platforms: `c` has the resource, and any may lead to any."""
    platforms = [
        TinyPlatform(
            name,
            {
                each: {CALL: grants.get(each, FALSE)}
                for each in IDS
                if each.startswith(name)
            },
            tuple(e for e in steps if e.origin[0] == name == e.to[0]),
        )
        for name in NAMES
    ]
    sources = [
        TinySteps(
            origin,
            to,
            tuple(e for e in steps if (e.origin[0], e.to[0]) == (origin, to)),
        )
        for origin in NAMES
        for to in NAMES
        if origin != to
    ]
    question = Question(0, action=CALL[0], resource=CALL[1])
    inventory = join_syncs_into_inventory([], now=0)
    return OpenPlatforms(platforms, sources, inventory, question), platforms[-1]


def list_verdicts(opened: OpenPlatforms, platform: TinyPlatform) -> dict[str, Any]:
    """List the verdict of each caller, the best of its rows."""
    found = list_callers(opened, platform, opened.question, PageBounds(rows=0))
    verdicts: dict[str, Any] = {}
    for each in found.answers:
        subject = each.item["subject"]
        known = verdicts.get(subject, Verdict.NEVER)
        verdicts[subject] = min(known, each.verdict, key=ORDER.index)
    return verdicts


def check_law(steps: list[PathHop], grants: Mapping[str, Formula]) -> None:
    """Compare the list of callers with single questions."""
    opened, platform = open_platforms(steps, grants)
    listed = list_verdicts(opened, platform)
    for subject in IDS:
        asked = Question(0, subject, *CALL)
        answer = answer_permission_question(opened, platform, asked)
        assert listed.get(subject, Verdict.NEVER) == answer.verdict, subject


@settings(max_examples=300)
@given(some_steps, some_grants)
def test_callers_over_three_platforms_are_those_that_single_questions_name(
    steps: list[PathHop], grants: Mapping[str, Formula]
) -> None:
    check_law(steps, grants)


def test_a_caller_keeps_the_path_without_a_condition() -> None:
    team = FORMULAS[1]
    steps = [
        *(step("a:0", "c:0", team), step("a:0", "b:0"), step("b:0", "b:1")),
        step("b:1", "c:1"),
    ]
    opened, platform = open_platforms(steps, {"c:0": TRUE, "c:1": TRUE})
    assert list_verdicts(opened, platform)["a:0"] is Verdict.ALWAYS


def test_conditions_that_exclude_each_other_leave_another_path() -> None:
    one, other = FORMULAS[1:]
    steps = [
        step("a:0", "b:0", one),
        step("b:0", "c:0", other),
        step("a:0", "c:1", one),
    ]
    opened, platform = open_platforms(steps, {"c:0": TRUE, "c:1": one})
    assert list_verdicts(opened, platform)["a:0"] is Verdict.ONLY_IF


def test_the_law_finds_that_conditions_of_steps_are_left_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(caller_closure, "_grade_steps", lambda grade, steps: grade)
    steps = [
        *(step("a:2", "c:1", FORMULAS[1]), step("a:2", "b:2"), step("b:2", "c:1")),
    ]
    with pytest.raises(AssertionError):
        check_law(steps, {"c:1": TRUE})


def test_the_law_finds_that_one_step_between_platforms_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_back, done = CallerClosure._go_back, set[int]()

    def once(closure: CallerClosure, front: Any, last: int) -> Any:
        first = last not in done
        done.add(last)
        return go_back(closure, front, last) if first else {}

    monkeypatch.setattr(CallerClosure, "_go_back", once)
    with pytest.raises(AssertionError):
        check_law([step("a:2", "b:2"), step("b:2", "c:1")], {"c:1": TRUE})

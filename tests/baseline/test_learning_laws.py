"""Laws of learning: any order, any repetition, and the same as by definition."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.baseline.entity_pattern_generalisation import generalise_to_patterns
from answerable.baseline.profile_learning import build_profile
from answerable.baseline.run_patterns import (
    estimate_upper_bound,
    learn_run_bounds,
    sum_run_amounts,
)
from answerable.baseline.training_counts import (
    count_calls_of_runs,
    select_training_runs,
)
from answerable.baseline.training_run_merge import merge_runs_into_state
from answerable.model.baseline import (
    BoundMeasure,
    LearningParameters,
    UntrustedTextPolicy,
)
from answerable.model.behaviour import AgentRun, EntityKind
from answerable.model.provenance import WrittenBy
from tests.baseline.bank_scenario import DAY, NOW, SUBJECT
from tests.baseline.strategies import TEXTS, histories, history
from tests.reference.baseline import learning as spec

LOOSE = LearningParameters(
    min_runs=1, children=3, climb_days=2, untrusted=UntrustedTextPolicy.LEARNED
)
_PARTS = settings(max_examples=50, deadline=None)


def parts(run: AgentRun) -> list[AgentRun]:
    """A run as it comes when it is handed over call by call, flags once."""
    bare = replace(run, calls=(), denied=False, asked=False)
    later = replace(bare, started=run.started + 1, person="")
    return [
        *(replace(later, calls=(call,)) for call in run.calls),
        replace(bare, denied=run.denied, asked=run.asked),
    ]


@given(histories, st.randoms(use_true_random=False))
@_PARTS
def test_the_fold_does_not_depend_on_order_parts_or_repetition(
    past: tuple[AgentRun, ...], random: object
) -> None:
    pieces = [piece for run in past for piece in parts(run)]
    pieces += pieces[::2]
    random.shuffle(pieces)
    cut = len(pieces) // 2
    whole = merge_runs_into_state({}, past)
    apart = merge_runs_into_state(merge_runs_into_state({}, pieces[:cut]), pieces[cut:])
    assert apart == whole
    assert merge_runs_into_state(whole, past) == whole
    assert build_profile(apart, SUBJECT, LOOSE, NOW) == build_profile(
        whole, SUBJECT, LOOSE, NOW
    )


@given(histories, st.randoms(use_true_random=False))
@_PARTS
def test_parts_that_contradict_each_other_teach_nothing_in_any_order(
    past: tuple[AgentRun, ...], random: object
) -> None:
    lies = [
        replace(run, calls=tuple(replace(c, size=c.size + 1) for c in run.calls))
        for run in past[::2]
    ]
    pieces = [*past, *lies, *past]
    random.shuffle(pieces)
    state = merge_runs_into_state({}, pieces)
    assert state == merge_runs_into_state({}, [*past, *lies])
    contradicted = {run.id for run in lies if run.calls}
    assert {name for name, each in state.items() if each.conflict} == contradicted
    taught = {run.id for run in select_training_runs(state, SUBJECT, LOOSE, NOW)}
    assert not taught & contradicted


@given(histories)
@_PARTS
def test_what_is_self_reported_teaches_nothing(past: tuple[AgentRun, ...]) -> None:
    said = [
        replace(run, id=f"said.{run.id}", written_by=WrittenBy.SELF_REPORTED)
        for run in past
    ]
    same = [replace(run, written_by=WrittenBy.SELF_REPORTED) for run in past]
    assert merge_runs_into_state(
        merge_runs_into_state({}, past), [*said, *same]
    ) == merge_runs_into_state({}, past)


@pytest.mark.parametrize(
    "wrong",
    [
        {"denied": True},
        {"asked": True},
        {"identity": "role/other"},
        {"agent": "agent:declared/other"},
        {"started": NOW - 91 * DAY},
        {"started": NOW + 1},
    ],
)
def test_a_run_teaches_that_is_the_subjects_recent_and_undisputed(
    wrong: dict[str, object],
) -> None:
    run = replace(history(3)[0], denied=False, asked=False)
    assert (
        len(select_training_runs(merge_runs_into_state({}, [run]), SUBJECT, LOOSE, NOW))
        == 1
    )
    other = replace(run, **wrong)
    assert (
        select_training_runs(merge_runs_into_state({}, [other]), SUBJECT, LOOSE, NOW)
        == []
    )


@given(histories)
@_PARTS
def test_counts_are_those_of_the_definition(past: tuple[AgentRun, ...]) -> None:
    runs = select_training_runs(merge_runs_into_state({}, past), SUBJECT, LOOSE, NOW)
    assert count_calls_of_runs(runs, SUBJECT) == spec.count_runs(runs, SUBJECT)


@given(histories)
@_PARTS
def test_bounds_are_those_of_the_definition(past: tuple[AgentRun, ...]) -> None:
    runs = select_training_runs(merge_runs_into_state({}, past), SUBJECT, LOOSE, NOW)
    for bound in learn_run_bounds(runs, SUBJECT, LOOSE):
        totals = [
            spec.measure_total(runs, run, LOOSE, bound.tool, bound.measure, bound.path)
            for run in runs
            if (bound.tool, bound.measure, bound.path) in sum_run_amounts(run, SUBJECT)
        ]
        assert (bound.most, bound.samples) == (
            estimate_upper_bound(bound.measure, totals),
            len(totals),
        )


_days = st.frozensets(st.integers(1, 4), min_size=1, max_size=3)


@given(
    st.sampled_from(sorted(TEXTS)).flatmap(
        lambda kind: st.tuples(
            st.just(kind), st.dictionaries(st.sampled_from(TEXTS[kind]), _days)
        )
    ),
    st.integers(2, 5),
    st.integers(1, 3),
)
@settings(max_examples=50, deadline=None)
def test_entities_climb_as_by_definition(
    seen: tuple[EntityKind, dict[str, frozenset[int]]], children: int, days: int
) -> None:
    kind, by_text = seen
    terms = LearningParameters(children=children, climb_days=days)
    found = generalise_to_patterns(by_text, kind, terms)
    assert found == {
        text: spec.generalise(text, by_text, kind, terms) for text in by_text
    }


@given(
    st.sampled_from(BoundMeasure),
    st.lists(st.integers(0, 50), min_size=1, max_size=300),
)
@_PARTS
def test_a_bound_is_near_what_was_seen_and_an_outlier_does_not_set_it(
    measure: BoundMeasure, samples: list[int]
) -> None:
    bound = estimate_upper_bound(measure, samples)
    if len(samples) >= 100:
        assert bound <= max(samples)
        assert sum(each > bound for each in samples) <= len(samples) // 100
    elif measure is BoundMeasure.COUNT:
        assert bound == max(samples)
    else:
        assert max(samples) <= bound <= 1.25 * max(samples)
    assert estimate_upper_bound(measure, [*[1] * 200, 1000]) == 2

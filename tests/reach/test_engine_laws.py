"""The engine says what the readable rules say, on every account anyone can think of."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.sighting import SightedFacts
from answerable.reach.aws import subject_queries
from answerable.reach.aws.permission_rows import callable_rows
from answerable.reach.condition_formula import get_verdict
from tests.reach import laws
from tests.reach.mutation import is_caught
from tests.reach.strategies import CALLS, GIVEN, estates, some_calls
from tests.reach.strategies_cases import ReachCase, cases
from tests.reach.strategies_mix import Mix
from tests.reach.strategies_paths import paths

# Shrinking a failing path takes minutes; the example found is small already.
generating = [Phase.explicit, Phase.reuse, Phase.generate]
slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
RED = "arn:aws:s3:::red/a"


@settings(max_examples=50, suppress_health_check=slow)
@given(estates(), st.sampled_from(GIVEN), some_calls)
def test_a_call_is_judged_as_the_readable_rules_judge_it(
    facts: SightedFacts, stated: laws.Keys, calls: laws.Calls
) -> None:
    laws.calls_agree(facts, stated, calls)


@settings(max_examples=100, suppress_health_check=slow)
@given(cases())
def test_anybody_is_judged_by_every_policy_kind_as_the_readable_rules_judge(
    case: ReachCase,
) -> None:
    laws.holds_for(case)


def test_the_cases_are_of_every_verdict() -> None:
    """A law that only ever compares `never` would prove little."""
    told = laws.run(300, 1)
    asked = sum(told.verdicts.values())
    assert told.cases == 300
    assert all(told.verdicts[word] >= 0.1 * asked for word in laws.WORDS)


@settings(max_examples=4, suppress_health_check=slow, phases=generating)
@given(estates(), st.sampled_from(CALLS))
def test_paths_lead_where_the_readable_rules_lead(
    facts: SightedFacts, call: tuple[str, str]
) -> None:
    laws.paths_agree(facts, call)


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(paths())
def test_each_way_to_become_somebody_is_found_and_no_other(
    case: tuple[SightedFacts, tuple[str, str]],
) -> None:
    laws.paths_agree(*case)


@settings(max_examples=40, suppress_health_check=slow)
@given(estates(), some_calls)
def test_rows_say_what_single_calls_say(facts: SightedFacts, calls: laws.Calls) -> None:
    laws.rows_agree(laws.compiled(facts, {}), calls)


@settings(max_examples=80, suppress_health_check=slow)
@given(cases())
def test_rows_say_what_single_calls_say_of_every_policy_kind(case: ReachCase) -> None:
    laws.rows_agree(laws.estate_of(case), list(case.calls))


def test_the_law_of_rows_finds_that_a_trust_is_left_aside() -> None:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(callable_rows, "_may_name_uncollected_role", lambda *_: True)

    def law(case: ReachCase) -> None:
        laws.rows_agree(laws.estate_of(case), list(case.calls))

    assert is_caught(plant, cases(Mix(assume=10)), law)


@settings(max_examples=40, suppress_health_check=slow)
@given(estates(), some_calls)
def test_a_filter_keeps_every_row_that_could_touch(
    facts: SightedFacts, calls: laws.Calls
) -> None:
    laws.filters_agree(laws.compiled(facts, {}), calls)


@settings(max_examples=50, suppress_health_check=slow)
@given(cases())
def test_a_filter_keeps_every_row_of_every_policy_kind(case: ReachCase) -> None:
    laws.filters_agree(laws.estate_of(case), list(case.calls))


@settings(max_examples=50, suppress_health_check=slow)
@given(
    estates(),
    st.sampled_from([("arn:aws:s3:::red/*", "arn:aws:s3:::red/a"), ("*", RED)]),
)
def test_what_holds_for_a_pattern_holds_for_each_resource_in_it(
    facts: SightedFacts, pair: tuple[str, str]
) -> None:
    estate = laws.compiled(facts, {})
    for principal in estate.principals.values():
        whole = subject_queries.evaluate_action(
            estate, principal, "s3:GetObject", pair[0]
        )
        one = subject_queries.evaluate_action(
            estate, principal, "s3:GetObject", pair[1]
        )
        if get_verdict(whole.formula) == "always":
            assert get_verdict(one.formula) == "always"


@settings(max_examples=60, suppress_health_check=slow)
@given(cases())
def test_what_holds_for_a_pattern_holds_under_every_policy_kind(
    case: ReachCase,
) -> None:
    laws.patterns_agree(case)

"""Whoever can make a call is among those who are asked, and few others are."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answerable.reach.aws import candidate_callers
from answerable.reach.aws.candidate_callers import list_candidate_callers
from answerable.reach.aws.compiled.statement_holder_index import (
    StatementHolderIndex,
    merge_sorted_number_lists,
)
from answerable.reach.aws.evaluation.single_request import evaluate_action
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import FALSE
from tests.reach import laws
from tests.reach.account_builder import A, AccountBuilder, statement, user
from tests.reach.mutation import is_caught
from tests.reach.strategies_cases import ReachCase, cases
from tests.reach.strategies_mix import Mix

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
THING = "arn:aws:s3:::red"


def all_are_asked(case: ReachCase) -> None:
    """The law: who is not among them cannot, and they come in order of id."""
    estate = laws.estate_of(case)
    graph = IdentityGraph(estate)
    for call in case.calls:
        action, resource = call[0], call[1]
        listed = list(list_candidate_callers(estate, action, resource))
        ids = list(estate.principals)
        assert listed == [(n, ids[n]) for n in sorted({n for n, _ in listed})]
        for number in range(0, len(ids), 2):
            assert list(list_candidate_callers(estate, action, resource, number)) == [
                pair for pair in listed if pair[0] >= number
            ]
        asked = {identity for _, identity in listed}
        for identity in ids:
            principal = graph.get_principal(graph.get_start_node(identity))
            formula = evaluate_action(estate, principal, action, resource).formula
            assert formula == FALSE or identity in asked


@settings(max_examples=40, suppress_health_check=slow)
@given(cases())
def test_whoever_can_make_a_call_is_asked(case: ReachCase) -> None:
    all_are_asked(case)


@pytest.mark.parametrize(
    "told",
    ["_list_callers_named_by_resource_policy", "_list_holders_of_matching_allow"],
)
def test_the_law_finds_that_one_side_is_forgotten(told: str) -> None:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(candidate_callers, told, lambda *_: iter(()))

    assert is_caught(plant, cases(Mix()), all_are_asked)


def test_whom_nothing_allows_a_call_is_not_asked() -> None:
    build = AccountBuilder()
    thing = build.resource(THING, "s3-bucket", A)
    build.policy(thing, "resource")
    for name, action, resource in (
        ("ana", "s3:Get*", THING),
        ("bob", "s3:GetBucketAcl", "arn:aws:s3:::blue*"),
        ("eve", "s3:PutBucketAcl", THING),
        ("sue", "*", "*"),
    ):
        build.identity(user(name))
        said = statement(name, action=action, resource=resource)
        build.policy(user(name), "identity", said)
    estate = laws.compiled(build.facts(), {})
    asked = [
        identity
        for _, identity in list_candidate_callers(estate, "s3:GetBucketAcl", THING)
    ]
    assert asked == [user("ana"), user("sue")]
    assert (
        list(list_candidate_callers(estate, "s3:GetBucketAcl", "arn:aws:s3:::red/a"))
        == []
    )


@given(
    st.lists(st.lists(st.integers(0, 30), unique=True).map(sorted)), st.integers(0, 9)
)
def test_lists_are_united_from_a_number_on(lists: list[list[int]], start: int) -> None:
    every = sorted({number for one in lists for number in one if number >= start})
    assert list(merge_sorted_number_lists(lists, start)) == every


def test_nobody_is_nobody() -> None:
    assert (
        list(
            StatementHolderIndex({}).list_statements_allowing_action(
                "s3:getobject", THING
            )
        )
        == []
    )

"""The engine says what the readable rules say, on every account anyone can think of."""

import pytest
from hypothesis import HealthCheck, given, settings

from answerable.model.ids import IdentityId
from answerable.model.sighting import Facts
from answerable.reach import questions, spec, spec_paths
from answerable.reach.context import NOTHING, Known
from answerable.reach.estate import Estate, compile_estate
from answerable.reach.formula import Formula, verdict
from answerable.reach.graph import Graph
from hypothesis import strategies as st
from tests.reach.build import catalogue
from tests.reach.strategies import GIVEN, calls, estates, identities

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def compiled(facts: Facts, stated: dict[str, tuple[str, ...]]) -> Estate:
    given = Known(stated) if stated else NOTHING
    return compile_estate(facts, catalogue(), given=given)


def holds(formula: Formula, situation: spec.Situation, otherwise: bool) -> bool:
    """Evaluate a formula in a situation; what it leaves open is as said."""

    def true(key: str, operator: str, values: tuple[str, ...]) -> bool:
        question = (key.lower(), operator.lower(), tuple(sorted(set(values))))
        return situation.answers.get(question, otherwise)

    return any(
        all(true(a.key, a.operator, a.values) != a.negated for a in alternative)
        for alternative in formula
    )


def one_call_agrees(
    facts: Facts, stated: dict[str, tuple[str, ...]], who: str, call: tuple[str, str]
) -> None:
    """The law for one request, with every situation it depends on."""
    estate = compiled(facts, stated)
    world = spec.World(facts, catalogue(), stated)
    identity = spec.find_identity(world, who)
    assert identity
    answer = questions.ask(estate, estate.principals[IdentityId(who)], *call)
    seen = set()
    for situation, expected in spec.outcomes(
        lambda now: spec.allowed(world, spec.Who(identity), *call, now)
    ):
        seen.add(expected)
        for otherwise in (True, False):
            assert holds(answer.formula, situation, otherwise) == expected
    word = "only-if" if len(seen) == 2 else "always" if True in seen else "never"
    assert verdict(answer.formula) == word


@settings(max_examples=600, suppress_health_check=slow)
@given(estates(), st.sampled_from(GIVEN), identities, calls)
def test_one_call_is_judged_as_the_readable_rules_judge_it(
    facts: Facts, stated: dict[str, tuple[str, ...]], who: str, call: tuple[str, str]
) -> None:
    one_call_agrees(facts, stated, who, call)


def paths_agree(facts: Facts, who: str, call: tuple[str, str]) -> None:
    """The law for paths: the verdict over everyone a principal can become."""
    graph = Graph(compiled(facts, {}))
    world = spec.World(facts, catalogue())
    reply = questions.can(graph, IdentityId(who), *call, direct=False)
    assert verdict(reply.formula) == spec_paths.can(world, who, *call)


@settings(max_examples=200, suppress_health_check=slow)
@given(estates(), identities, calls)
def test_paths_lead_where_the_readable_rules_lead(
    facts: Facts, who: str, call: tuple[str, str]
) -> None:
    paths_agree(facts, who, call)


def who_can_agrees(facts: Facts, call: tuple[str, str]) -> None:
    """The law for the other direction."""
    graph = Graph(compiled(facts, {}))
    found = {
        reply.subject: verdict(reply.formula)
        for reply in questions.who_can(graph, *call, direct=False)
        if IdentityId(reply.subject) in graph.estate.principals
    }
    for who in graph.estate.principals:
        forwards = questions.can(graph, who, *call, direct=False)
        assert found.get(who, "never") == verdict(forwards.formula)


@settings(max_examples=100, suppress_health_check=slow)
@given(estates(), calls)
def test_who_can_is_can_asked_of_everyone(facts: Facts, call: tuple[str, str]) -> None:
    who_can_agrees(facts, call)


@pytest.fixture(scope="module", autouse=True)
def _catalogue() -> None:
    catalogue()

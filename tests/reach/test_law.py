"""The engine says what the readable rules say, on every account anyone can think of."""

from functools import partial

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.ids import IdentityId
from answerable.model.sighting import Facts
from answerable.reach import questions, spec, spec_paths
from answerable.reach.context import NOTHING, Known
from answerable.reach.estate import Estate, compile_estate
from answerable.reach.formula import Formula, verdict
from answerable.reach.globs import matches
from answerable.reach.graph import Graph
from answerable.reach.resources import matches_parts, text_parts
from answerable.reach.rows import Filter, Row, make_filter
from answerable.reach.spec_facts import Who, World
from tests.reach.build import catalogue
from tests.reach.path_strategies import paths
from tests.reach.strategies import CALLS, GIVEN, estates, some_calls

# Shrinking a failing path takes minutes; the example found is small already.
generating = [Phase.explicit, Phase.reuse, Phase.generate]
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


Calls = list[tuple[str, str]]
RED = "arn:aws:s3:::red/a"


def calls_agree(facts: Facts, stated: dict[str, tuple[str, ...]], calls: Calls) -> None:
    """The law for single requests, with every situation they depend on."""
    estate = compiled(facts, stated)
    world = World(facts, catalogue(), stated)
    for identity in facts.identities:
        for call in calls:
            answer = questions.ask(estate, estate.principals[identity.id], *call)
            seen = set()
            for situation, expected in spec.outcomes(
                partial(spec.allowed, world, Who(identity), *call)
            ):
                seen.add(expected)
                for otherwise in (True, False):
                    assert holds(answer.formula, situation, otherwise) == expected
            word = "never" if seen == {False} else "always"
            assert verdict(answer.formula) == ("only-if" if len(seen) > 1 else word)


@settings(max_examples=400, suppress_health_check=slow)
@given(estates(), st.sampled_from(GIVEN), some_calls)
def test_a_call_is_judged_as_the_readable_rules_judge_it(
    facts: Facts, stated: dict[str, tuple[str, ...]], calls: Calls
) -> None:
    calls_agree(facts, stated, calls)


def paths_agree(facts: Facts, call: tuple[str, str]) -> None:
    """The law for paths: the verdict over everyone a principal can become."""
    graph = Graph(compiled(facts, {}))
    world = World(facts, catalogue())
    places = spec_paths.everywhere(world)
    found = {
        reply.subject: verdict(reply.formula)
        for reply in questions.who_can(graph, *call, direct=False)
        if IdentityId(reply.subject) in graph.estate.principals
    }
    for who in graph.estate.principals:
        reply = questions.can(graph, who, *call, direct=False)
        assert verdict(reply.formula) == spec_paths.can(world, who, *call, places)
        assert found.get(who, "never") == verdict(reply.formula)


@settings(max_examples=30, suppress_health_check=slow, phases=generating)
@given(estates(), st.sampled_from(CALLS))
def test_paths_lead_where_the_readable_rules_lead(
    facts: Facts, call: tuple[str, str]
) -> None:
    paths_agree(facts, call)


@settings(max_examples=80, suppress_health_check=slow, phases=generating)
@given(paths())
def test_each_way_to_become_somebody_is_found_and_no_other(
    case: tuple[Facts, tuple[str, str]],
) -> None:
    paths_agree(*case)


def rows_agree(facts: Facts, calls: Calls) -> None:
    """The law for rows: they say neither more nor less than `can` does."""
    graph = Graph(compiled(facts, {}))
    for principal in graph.estate.principals.values():
        rows = questions.principal_rows(graph, principal, Filter())
        for action, resource in calls:
            answer = questions.ask(graph.estate, principal, action, resource)
            mine = [row for row in rows if _takes(row, action.lower(), resource)]
            words = {verdict(row.formula) for row in mine}
            if verdict(answer.formula) != "never":
                assert words, "a row is missing"
            if "always" in words and action != "sts:AssumeRole":
                # Rows of a wider pattern leave the trust of a role aside.
                impossible = not graph.estate.possible(action, resource)
                impossible |= questions.abroad(principal, action, resource)
                assert impossible or verdict(answer.formula) == "always"


def _takes(row: Row, action: str, resource: str) -> bool:
    parts = text_parts(resource)
    return (
        matches(row.actions.pattern, action)
        and not any(matches(hole, action) for hole in row.actions.excluded)
        and matches_parts(row.resources.pattern, parts)
        and not any(matches_parts(hole, parts) for hole in row.resources.excluded)
    )


@settings(max_examples=250, suppress_health_check=slow)
@given(estates(), some_calls)
def test_rows_say_what_single_calls_say(facts: Facts, calls: Calls) -> None:
    rows_agree(facts, calls)


def filters_agree(facts: Facts, calls: Calls) -> None:
    """The law for filters: a row that touches what is asked for is not left out."""
    graph = Graph(compiled(facts, {}))
    for principal in graph.estate.principals.values():
        for action, resource in calls:
            answer = questions.ask(graph.estate, principal, action, resource)
            if resource != "*" and verdict(answer.formula) != "never":
                wanted = make_filter(action, resource)
                rows = questions.principal_rows(graph, principal, wanted)
                assert any(_takes(row, action.lower(), resource) for row in rows)


@settings(max_examples=100, suppress_health_check=slow)
@given(estates(), some_calls)
def test_a_filter_keeps_every_row_that_could_touch(facts: Facts, calls: Calls) -> None:
    filters_agree(facts, calls)


@settings(max_examples=100, suppress_health_check=slow)
@given(
    estates(),
    st.sampled_from([("arn:aws:s3:::red/*", "arn:aws:s3:::red/a"), ("*", RED)]),
)
def test_what_holds_for_a_pattern_holds_for_each_resource_in_it(
    facts: Facts, pair: tuple[str, str]
) -> None:
    estate = compiled(facts, {})
    for principal in estate.principals.values():
        whole = questions.ask(estate, principal, "s3:GetObject", pair[0])
        one = questions.ask(estate, principal, "s3:GetObject", pair[1])
        if verdict(whole.formula) == "always":
            assert verdict(one.formula) == "always"

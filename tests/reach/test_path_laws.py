"""Paths through whole organisations lead where the readable rules lead."""

from hypothesis import HealthCheck, Phase, given, settings

from answerable.reach.aws import subject_queries
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import get_verdict
from tests.reach.laws import estate_of, world_of
from tests.reach.strategies_cases import ReachCase, cases
from tests.reference.reach import paths as spec_paths

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def paths_of_case_agree(case: ReachCase) -> None:
    """Ask for everybody, over all paths, what names one resource or none."""
    estate, world = estate_of(case), world_of(case)
    graph = IdentityGraph(estate)
    places = spec_paths.list_all_steps(world)
    for call in [c for c in case.calls if c[1] == "*" or "*" not in c[1]][:3]:
        for who in estate.principals:
            reply = subject_queries.answer_subject(graph, who, *call, direct=False)
            expected = spec_paths.evaluate_can(world, who, *call, places)
            assert get_verdict(reply.formula) == expected


@settings(
    max_examples=20,
    suppress_health_check=slow,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
)
@given(cases())
def test_paths_through_organisations_lead_where_the_readable_rules_lead(
    case: ReachCase,
) -> None:
    paths_of_case_agree(case)

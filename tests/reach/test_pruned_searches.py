"""A search that leaves nodes out finds the same paths as one over the whole graph."""

import random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.condition_keys import self_tagging
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import iterate_paths
from tests.reach.account_builder import A, AccountBuilder, role, statement, user
from tests.reach.laws import estate_of
from tests.reach.strategies_cases import ReachCase, cases
from tests.reach.test_tag_setters import SERVICES, Condition, tag_is

law = settings(
    max_examples=60,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
)


@law
@given(cases(), st.integers(0, 1 << 30))
def test_a_search_for_some_nodes_finds_the_paths_of_a_whole_search(
    case: ReachCase, seed: int
) -> None:
    graph = IdentityGraph(estate_of(case))
    closure, pick = get_graph_closure(graph), random.Random(seed)  # noqa: S311 - no secret
    for who in graph.accounts.principals:
        start = graph.get_start_node(who)
        ends = pick.getrandbits(closure.size)
        found = [
            (path.nodes, path.certain)
            for path in iterate_paths(graph, start, end_bits=ends)
        ]
        first = closure.get_or_assign_node_number(start)
        ends |= 1 << first
        assert found == [
            (path.nodes, path.certain)
            for path in iterate_paths(graph, start)
            if ends >> closure.get_or_assign_node_number(path.target) & 1
        ]


def open_edges(graph: IdentityGraph, *, whole: bool) -> list[object]:
    """List the edges of every identity that other tags would open."""
    loose = self_tagging._OpenTagGraph(graph)
    if whole:
        loose._list_edges_that_tags_may_open = loose.graph.list_best_edges  # type: ignore[method-assign]
    return [
        (node, edge.to, edge.via, edge.formula)
        for who in graph.accounts.principals
        for node in [graph.get_start_node(who)]
        for edge in loose.list_edges_open_by_tags(node)
    ]


KEYS = (
    "aws:ResourceTag/team",
    "iam:ResourceTag/team",
    "aws:PrincipalTag/team",
    "aws:SourceIp",
)
HOPS = ("sts:AssumeRole", "iam:CreateAccessKey", "iam:PassRole", "lambda:*", "*")
TEAMS = ("red", "blue")
FUNCTION = f"arn:aws:lambda:eu-west-1:{A}:function:f"


def some_condition(pick: random.Random) -> Condition | None:
    key = pick.choice(KEYS)
    return pick.choice([None, None, tag_is(key, pick.choice((*TEAMS, "10.0.0.0/8")))])


def some_account(pick: random.Random) -> AccountBuilder:
    """Three users and three roles; each policy may depend on a tag."""
    build = AccountBuilder()
    tags = [[], [("team", "red")], [("team", "blue")]]
    people = [user("ana"), user("bo"), user("cy")]
    roles = [role("one"), role("two"), role("three")]
    for who in people + roles:
        build.identity(who, pick.choice(tags))
        allows = [
            statement(
                f"s{n}",
                action=pick.choice(HOPS[: 5 if pick.random() < 0.2 else 4]),
                resource=pick.choice(["*", *roles, *people, FUNCTION]),
                condition=some_condition(pick),
            )
            for n in range(pick.randrange(4))
        ]
        build.policy(who, "identity", *allows)
    for who in roles:
        trusted = statement(
            "t",
            action="sts:AssumeRole",
            principal=pick.choice(
                [{"AWS": A}, {"AWS": people}, {"Service": "lambda.amazonaws.com"}]
            ),
            condition=some_condition(pick),
        )
        build.policy(who, "trust", trusted)
    if pick.random() < 0.7:
        build.resource(
            FUNCTION, "lambda:function", A, runs_as=roles[0], tags=pick.choice(tags)
        )
    if pick.random() < 0.3:
        lent = statement(
            "l",
            action="lambda:*",
            resource="*",
            principal={"AWS": people[0]},
            condition=some_condition(pick),
        )
        build.policy(FUNCTION, "resource", lent)
    return build


def test_edges_that_tags_open_are_those_of_a_whole_listing() -> None:
    services = load_catalogue(SERVICES)
    found = skipped = 0
    for seed in range(300):
        build = some_account(random.Random(seed))  # noqa: S311 - no secret
        estate = compile_accounts(build.facts(), services, tags_collected=True)
        graph = IdentityGraph(estate)
        whole = open_edges(graph, whole=True)
        assert open_edges(graph, whole=False) == whole, seed
        found += len(whole)
        loose = self_tagging._OpenTagGraph(graph)
        skipped += sum(
            not loose._do_calls_depend_on_tags(graph.get_start_node(who))
            for who in estate.principals
        )
    assert (found > 100, skipped > 300) == (True, True)

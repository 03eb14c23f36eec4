"""What is read off bits is what the exact engine says, actor by actor."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk import (
    bulk_evaluation,
    caller_policies,
    one_step_reach,
    statement_effects,
    target_evaluation,
    transitive_closure,
)
from answerable.reach.aws.bulk.bitset import (
    ArnIndex,
    BitsetBounds,
    VerdictBits,
    build_bitset,
    list_positions,
)
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.evaluation.single_request import evaluate_action
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.arn_matching import (
    matches_arn,
    split_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import encode_glob
from answerable.reach.condition_formula import TRUE, Verdict, get_verdict
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    catalogue,
    role,
    statement,
    user,
)
from tests.reach.mutation import Plant, apply_mutation, is_found
from tests.reach.strategies import CALLS, estates
from tests.reach.strategies_cases import ReachCase, cases
from tests.reach.strategies_mix import Mix
from tests.reach.strategies_paths import paths

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
generating = [Phase.explicit, Phase.reuse, Phase.generate]
USERS = [user("ann"), user("bob")]


def compiled(facts: SightedFacts) -> CompiledAccounts:
    return compile_accounts(facts, catalogue())


def organisation(case: ReachCase) -> CompiledAccounts:
    return compile_accounts(case.facts, catalogue(), tags_collected=case.tags_collected)


def rows_agree(estate: CompiledAccounts) -> None:
    """The law for rows: the steps of every actor are those of the exact engine."""
    graph = IdentityGraph(estate)
    whole = get_graph_closure(graph)
    for number, node in enumerate(whole.compiled_graph.nodes[: whole.size]):
        row = whole.get_next_nodes(number)
        some = {whole.get_node_by_number(n) for n in list_positions(row.some)}
        sure = {whole.get_node_by_number(n) for n in list_positions(row.sure)}
        exact = {edge.to: edge.formula for edge in graph.list_best_edges(node)}
        more = {
            whole.get_node_by_number(n)
            for n in list_positions(whole.step_table.steps[number].sure)
        }
        said = {to for to in exact if not _is_said_otherwise(graph, node, to, more)}
        drop = {to for to in some if _is_said_otherwise(graph, node, to, more)}
        assert some - drop == said
        assert sure - drop == {to for to in said if exact[to] == TRUE}


def _is_said_otherwise(
    graph: IdentityGraph, node: IdentityNode, to: IdentityNode, sure: set[IdentityNode]
) -> bool:
    """Leave out steps to oneself, and to less than what is sure to be reached."""
    if to.identity == node.identity and not to.bare:
        wide = node.extra == "*" or node.bare or graph.is_administrator(node)
        if to == IdentityNode(node.identity) or (to.extra == "*" and wide):
            return True
    joined = to.extra not in ("", "*")
    wider = {IdentityNode(to.identity, "*"), IdentityNode(to.identity, "*", bare=True)}
    return joined and not wider.isdisjoint(sure)


def goals_agree(estate: CompiledAccounts, calls: list[tuple[str, str]]) -> None:
    """The law for who can: each actor by itself, and through whom it leads to."""
    graph = IdentityGraph(estate)
    whole = get_graph_closure(graph)
    for action, resource in calls:
        goals = whole.find_direct_callers(action, resource)
        for number, node in enumerate(whole.compiled_graph.nodes[: whole.size]):
            answer = evaluate_action(
                estate, graph.get_principal(node), action, resource
            )
            assert _read(goals, number) == get_verdict(answer.formula)
        who = find_callers(whole, goals)
        for number in range(whole.size):
            assert _read(who, number) == _led(whole, number, goals)


def find_callers(whole: GraphClosure, goals: VerdictBits) -> VerdictBits:
    """The actors that can make a call, by themselves or through others."""
    return VerdictBits(
        whole.sure.find_nodes_reaching(goals.sure),
        whole.some.find_nodes_reaching(goals.some),
    )


def _read(bits: VerdictBits, number: int) -> Verdict:
    if bits.sure >> number & 1:
        return Verdict.ALWAYS
    return Verdict.ONLY_IF if bits.some >> number & 1 else Verdict.NEVER


def _led(whole: GraphClosure, number: int, goals: VerdictBits) -> Verdict:
    sure = _followed([row.sure for row in whole.step_table.steps], number)
    some = _followed([row.some for row in whole.step_table.steps], number)
    if sure & goals.sure:
        return Verdict.ALWAYS
    return Verdict.ONLY_IF if some & goals.some else Verdict.NEVER


def _followed(rows: list[int], start: int) -> int:
    """Follow steps one by one."""
    seen, waiting = 1 << start, [start]
    while waiting:
        new = rows[waiting.pop()] & ~seen
        seen |= new
        waiting += list_positions(new)
    return seen


@settings(max_examples=25, suppress_health_check=slow, phases=generating)
@given(estates())
def test_rows_hold_the_steps_of_every_actor(facts: SightedFacts) -> None:
    rows_agree(compiled(facts))


@settings(max_examples=25, suppress_health_check=slow, phases=generating)
@given(paths())
def test_rows_hold_every_way_to_become_somebody(
    case: tuple[SightedFacts, tuple[str, str]],
) -> None:
    rows_agree(compiled(case[0]))


def test_a_root_user_that_an_rcp_keeps_out_of_roles_joins_no_group() -> None:
    build = AccountBuilder()
    group, root = f"arn:aws:iam::{A}:group/team", f"arn:aws:iam::{A}:root"
    for one in (user("ana"), root):
        build.identity(one)
    denies = statement("d", effect="Deny", action="*", resource="*")
    build.policy(user("ana"), "identity", denies, policy=f"{group}#inline/g", via=group)
    build.organization(A, "o-1", ["r-1"])
    build.policy("r-1", "rcp", replace(denies, principals=(("AWS", "*"),)))
    rows_agree(compiled(build.facts()))


def test_kin_are_told_apart_by_what_an_rcp_says_of_them() -> None:
    build = AccountBuilder()
    for one in (user("ana"), role("one")):
        build.identity(one)
    build.policy(user("ana"), "identity", statement("e", action="*", resource="*"))
    build.policy(role("one"), "trust")
    build.organization(A, "o-1", ["r-1"])
    of_red = statement(
        "d",
        effect="Deny",
        action="*",
        resource="*",
        principal="*",
        condition={"StringEquals": {"aws:PrincipalTag/team": "red"}},
    )
    build.policy("r-1", "rcp", of_red)
    rows_agree(compiled(build.facts()))


@settings(max_examples=25, suppress_health_check=slow, phases=generating)
@given(cases())
def test_rows_hold_the_steps_under_every_policy_kind(case: ReachCase) -> None:
    rows_agree(organisation(case))


@settings(max_examples=25, suppress_health_check=slow, phases=generating)
@given(cases())
def test_who_can_is_what_each_actor_can(case: ReachCase) -> None:
    goals_agree(organisation(case), [(c[0], c[1]) for c in case.calls])


@settings(max_examples=25, suppress_health_check=slow, phases=generating)
@given(estates(), st.sampled_from(CALLS))
def test_who_can_follows_every_step(facts: SightedFacts, call: tuple[str, str]) -> None:
    goals_agree(compiled(facts), [call])


@settings(max_examples=30, suppress_health_check=slow, phases=generating)
@given(cases())
def test_goals_are_what_each_principal_of_an_organisation_can(case: ReachCase) -> None:
    goals_agree(organisation(case), [(c[0], c[1]) for c in case.calls])


@pytest.mark.parametrize("lost", [USERS, USERS[::-1]])
def test_an_unread_policy_leaves_its_holder_open_and_nobody_who_is_told_the_same(
    lost: list[str],
) -> None:
    build = AccountBuilder()
    thing = build.resource("arn:aws:s3:::red", "s3-bucket", A)
    build.policy(thing, "resource")
    said = statement("list", action="s3:ListBucket", resource=thing)
    for arn in USERS:
        build.identity(arn)
        unread = ["lost"] if arn == lost[0] else []
        build.policy(arn, "identity", said, unread=unread)
    estate = compiled(build.facts())
    goals_agree(estate, [("s3:ListBucket", thing), ("s3:DeleteBucket", thing)])


graphs = st.integers(1, 8).flatmap(
    lambda size: st.lists(st.integers(0, (1 << size) - 1), min_size=size, max_size=size)
)


def closure_agrees(rows: list[int]) -> None:
    """The law for the closure: it is what one finds step by step."""
    held = transitive_closure.compute_transitive_closure(rows)
    for start, row in enumerate(rows):
        beyond = 0
        for to in list_positions(row):
            beyond |= _followed(rows, to)
        assert held.beyond[start] == beyond
        for goal in range(len(rows)):
            led = bool((beyond | 1 << start) >> goal & 1)
            assert bool(held.find_nodes_reaching(1 << goal) >> start & 1) == led


@settings(max_examples=100)
@given(graphs)
def test_the_closure_is_what_one_finds_step_by_step(rows: list[int]) -> None:
    closure_agrees(rows)


@settings(max_examples=100)
@given(st.integers(1, 400), st.sets(st.integers(0, 399)), st.booleans())
def test_a_set_has_the_members_it_was_made_of(
    size: int, drawn: set[int], dense: bool
) -> None:
    few = {member for member in drawn if member < size}
    members = set(range(size)) - few if dense else few
    assert list_positions(build_bitset(members, size)) == sorted(members)


PARTS = ["a", "b", "ab", "*", "a*", "*b", "?", "a?", "a*b*", ""]
arns = st.lists(st.sampled_from(["a", "b", "ab", "abb", "ba"]), min_size=6, max_size=6)


@settings(max_examples=100)
@given(
    st.lists(arns.map(":".join), max_size=12, unique=True),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map(":".join),
)
def test_a_pattern_matches_in_bits_what_it_matches_alone(
    resources: list[str], written: str
) -> None:
    pattern = split_glob_arn(encode_glob(written))
    matched = ArnIndex(resources).find_matching_arns(pattern)
    for number, text in enumerate(resources):
        alone = matches_arn(pattern, split_arn(text))
        assert bool(matched >> number & 1) == alone


def _denies_forgotten(patch: pytest.MonkeyPatch) -> None:
    right = caller_policies.subtract_denies

    def wrong(
        allowed: BitsetBounds, denied: BitsetBounds, odd: int, **how: bool
    ) -> VerdictBits:
        return right(allowed, BitsetBounds(0, 0), odd, **how)

    patch.setattr(bulk_evaluation, "subtract_denies", wrong)


def _doubts_dropped(patch: pytest.MonkeyPatch) -> None:
    for room in (bulk_evaluation, target_evaluation):
        patch.setattr(room, "resolve_undecided_verdicts", lambda found, exact: found)


def _nobody_widens_itself(patch: pytest.MonkeyPatch) -> None:
    rows = one_step_reach.StepRows
    patch.setattr(rows, "_list_self_escalations", lambda *_: iter(()))


def _open_lines_hold(patch: pytest.MonkeyPatch) -> None:
    right = statement_effects.ActorGroup

    def wrong(
        actors: int, known: object, is_open: bool
    ) -> statement_effects.ActorGroup:
        return right(actors, known, False)  # type: ignore[arg-type]

    patch.setattr(statement_effects, "ActorGroup", wrong)


def _every_condition_holds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(statement_effects, "evaluate_block", lambda lines, known: TRUE)


def _gains_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StatementIndex, "include_copies", lambda self, identities: identities)


def _told_the_same_is_read_the_same(patch: pytest.MonkeyPatch) -> None:
    """What was read of the first who says something is taken as read of all."""
    right = StatementIndex._record_principal_flags
    first: dict[object, CompiledPrincipal] = {}

    def wrong(self: StatementIndex, actor: CompiledPrincipal, bit: int) -> None:
        said = frozenset(grant.clause for grant in actor.grants)
        other = first.setdefault(said, actor)
        right(self, replace(actor, gaps=other.gaps), bit)

    patch.setattr(StatementIndex, "_record_principal_flags", wrong)


@pytest.mark.parametrize(
    "plant", [_denies_forgotten, _nobody_widens_itself, _gains_forgotten]
)
def test_the_law_of_rows_finds(plant: Plant) -> None:
    with apply_mutation(plant):
        assert is_found(estates(), lambda facts: rows_agree(compiled(facts)), 60)


def doubtful() -> CompiledAccounts:
    """Someone may assume a role from inside or with MFA, and never from inside."""
    build = AccountBuilder()
    inside = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    careful = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    some = {"action": "sts:AssumeRole", "resource": "*"}
    build.policy(
        build.identity(USERS[0]),
        "identity",
        statement("inside", **some, condition=inside),
        statement("careful", **some, condition=careful),
        statement("never", **some, condition=inside, effect="Deny"),
    )
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": A})
    build.policy(build.identity(role("one")), "trust", trust)
    return compiled(build.facts())


def test_conditions_that_cancel_each_other_are_looked_at_together() -> None:
    call = ("sts:AssumeRole", role("one"))
    rows_agree(doubtful())
    goals_agree(doubtful(), [call])
    with apply_mutation(_doubts_dropped):
        with pytest.raises(AssertionError):
            rows_agree(doubtful())
        with pytest.raises(AssertionError):
            goals_agree(doubtful(), [call])


@pytest.mark.parametrize(
    "plant",
    [
        _open_lines_hold,
        _every_condition_holds,
        _told_the_same_is_read_the_same,
    ],
)
def test_the_law_of_goals_finds_in_an_organisation(plant: Plant) -> None:
    def law(case: ReachCase) -> None:
        goals_agree(organisation(case), [(c[0], c[1]) for c in case.calls])

    with apply_mutation(plant):
        assert is_found(cases(Mix(lines="Principal")), law, 300)


def test_the_law_of_the_closure_finds_a_component_closed_too_early() -> None:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(
            transitive_closure,
            "find_components",
            lambda rows: ((1 << n, [n]) for n in range(len(rows))),
        )

    with apply_mutation(plant):
        assert is_found(graphs, closure_agrees, 60)

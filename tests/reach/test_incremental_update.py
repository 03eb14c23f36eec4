"""After an edit the answers are those of a cold run."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from answerable.model.policy import PolicyLayer, Statement
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.bulk import (
    incremental_closure,
    incremental_update,
    policy_diff,
)
from answerable.reach.aws.bulk.bitset import list_positions
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.bulk.statement_holder_table import HolderTable
from answerable.reach.aws.bulk.transitive_closure import compute_transitive_closure
from answerable.reach.aws.evaluation.single_request import evaluate_action
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import get_verdict
from tests.reach.account_builder import A, AccountBuilder, role, statement, user
from tests.reach.mutation import Plant, apply_mutation, is_found
from tests.reach.strategies import CALLS, GROUP, MANAGED, estates, permissions
from tests.reach.test_bulk_evaluation import compiled, find_callers

slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
generating = [Phase.explicit, Phase.reuse, Phase.generate]

READS = [
    statement("r", action="s3:GetObject", resource="arn:aws:s3:::red/*"),
    statement("w", action=["s3:Put*", "kms:Decrypt"], resource="*"),
    statement("n", effect="Deny", action="s3:*", resource="arn:aws:s3:::re?/?"),
    statement("k", action="kms:*", not_resource="arn:aws:s3:::${aws:username}"),
]


WAYS = [
    statement("s", action="iam:UpdateSAMLProvider", resource="*"),
    statement("p", action="iam:PutUserPolicy", resource="*"),
    statement("a", action="sts:AssumeRole", resource="*"),
    statement("e", action="*", resource="*"),
]
some = st.lists(st.sampled_from([*READS, *READS, *WAYS]), min_size=1, max_size=2)


LIMITS = [
    statement("e", action="*", resource="*"),
    statement("d", effect="Deny", action="s3:Get*", resource="*"),
    statement("q", effect="Deny", action=["kms:*", "s3:PutObject"], resource="*"),
    statement("b", action="s3:*", resource="arn:aws:s3:::red/*"),
    statement("z", effect="Deny", action="sts:AssumeRole", resource="*"),
]
limits = st.lists(st.sampled_from(LIMITS), min_size=1, max_size=3)
BUCKET, KEY = "arn:aws:s3:::red", f"arn:aws:kms:us-east-1:{A}:key/k"
OWN = [
    statement("l", action="*", resource="*", principal={"AWS": A}),
    statement("h", action="s3:GetObject", resource="*", principal={"AWS": user("ben")}),
    statement("o", effect="Deny", action="*", resource="*", principal="*"),
]
own = st.lists(st.sampled_from(OWN), min_size=1, max_size=2)
perhaps = st.one_of(own, own, st.just([]))
IDP = f"arn:aws:iam::{A}:saml-provider/idp"
TRUSTS = [
    statement("f", action="sts:AssumeRoleWithSAML", principal={"Federated": IDP}),
    statement("t", action="sts:AssumeRole", principal={"AWS": A}),
    statement("m", action="sts:AssumeRole", principal={"AWS": user("ben")}),
]


@st.composite
def accounts(draw: st.DrawFn) -> SightedFacts:
    """Two users, one of them in a group, a role that trusts the account, and limits."""
    build = AccountBuilder()
    for arn in (user("ana"), user("ben"), role("one")):
        build.identity(arn)
        build.policy(arn, "identity", *draw(some))
    build.organization(A, "o-1", ["r-1"])
    shared = draw(some)
    build.policy(user("ana"), "identity", *shared, policy=MANAGED)
    build.policy(role("one"), "identity", *shared, policy=MANAGED)
    build.policy(
        user("ben"), "identity", *draw(some), policy=f"{GROUP}#inline/g", via=GROUP
    )
    build.policy(role("one"), "trust", draw(st.sampled_from(TRUSTS[:2])))
    if draw(st.booleans()):
        build.policy(user("ben"), "boundary", *draw(limits))
    if draw(st.booleans()):
        build.policy(user("ana"), "boundary", *shared, policy=MANAGED)
    if draw(st.booleans()):
        build.policy("r-1", "scp", LIMITS[0])
        build.policy(A, "scp", *draw(limits))
    if draw(st.booleans()):
        denies = [_of_anybody(one) for one in draw(limits)]
        build.policy(A, "rcp", *denies)
    build.resource(BUCKET, "s3:bucket", A)
    build.policy(BUCKET, "resource", *draw(perhaps))
    build.policy(KEY, "resource", *draw(own))
    return build.facts()


def _of_anybody(one: Statement) -> Statement:
    return replace(one, principals=(("AWS", "*"),))


@st.composite
def edits(draw: st.DrawFn, only: PolicyLayer | None = None) -> list[SightedFacts]:
    """Facts, and the same after an edit of some policy, or of one of a layer."""
    if only is None:
        facts = draw(st.one_of(accounts(), accounts(), accounts(), estates()))
    else:
        facts = draw(
            accounts().filter(lambda f: any(a.layer is only for a in f.attachments))
        )
    at = {a.policy: a.layer for a in facts.attachments}
    layers = sorted({at[p.id] for p in facts.policies})
    layer = only or draw(st.sampled_from(layers))
    number = draw(
        st.sampled_from([n for n, p in enumerate(facts.policies) if at[p.id] is layer])
    )
    held = facts.policies[number]
    new = draw(st.one_of(_new(layer), _more(layer).map(held.statements.__add__)))
    now = replace(held, statements=tuple(new))
    policies = (*facts.policies[:number], now, *facts.policies[number + 1 :])
    return [facts, replace(facts, policies=policies)]


Drawn = st.SearchStrategy[tuple[Statement, ...]]


def _new(layer: PolicyLayer) -> Drawn:
    """Draw what stands at a layer after an edit."""
    if layer is PolicyLayer.TRUST:
        return st.lists(st.sampled_from(TRUSTS), max_size=1).map(tuple)
    if layer is PolicyLayer.RESOURCE:
        return perhaps.map(tuple)
    if layer is PolicyLayer.RCP:
        return limits.map(lambda found: tuple(map(_of_anybody, found)))
    if layer is PolicyLayer.SCP:
        return limits.map(tuple)
    return st.one_of(some, limits, st.lists(permissions(), max_size=2)).map(tuple)


def _more(layer: PolicyLayer) -> Drawn:
    """Draw what an edit adds: mostly, what says nothing of steps."""
    if layer in (PolicyLayer.TRUST, PolicyLayer.RESOURCE):
        return _new(layer)
    quiet = map(_of_anybody, LIMITS[1:4]) if layer is PolicyLayer.RCP else LIMITS[1:4]
    return st.tuples(st.sampled_from(list(quiet)))


def updates_agree(states: list[SightedFacts]) -> None:
    """The law: step by step or cold, the answers are the same."""
    first, second = states
    whole = get_graph_closure(IdentityGraph(compiled(first)))
    said(whole, whole.compiled_graph.nodes[: whole.size])
    warm = incremental_update.update_closure_for_edit(whole, first, second)
    cold = get_graph_closure(IdentityGraph(compiled(second)))
    nodes = cold.compiled_graph.nodes[: cold.size]
    assert [stepped(warm, node) for node in nodes] == [stepped(cold, n) for n in nodes]
    assert (
        warm.sure.beyond
        == compute_transitive_closure(
            [row.sure for row in warm.step_table.steps]
        ).beyond
    )
    assert (
        warm.some.beyond
        == compute_transitive_closure(
            [row.some for row in warm.step_table.steps]
        ).beyond
    )
    assert said(warm, nodes) == said(cold, nodes)
    assert singly(warm) == singly(cold)


def stepped(whole: GraphClosure, node: IdentityNode) -> list[set[IdentityNode]]:
    """Name whom a node becomes: for sure, perhaps, by assuming a role."""
    number = whole.get_or_assign_node_number(node)
    assert number < whole.size
    rows = whole.table.taken[number], whole.table.assumed[number]
    return [
        {whole.get_node_by_number(to) for to in list_positions(bits)}
        for row in rows
        for bits in (row.sure, row.some)
    ]


def said(whole: GraphClosure, nodes: list[IdentityNode]) -> list[object]:
    """Say of nodes which calls they can make, by themselves and through others."""
    numbers = [whole.get_or_assign_node_number(node) for node in nodes]
    return [
        [bits >> number & 1 for number in numbers for bits in (held.sure, held.some)]
        for call in CALLS
        for goals in (whole.find_direct_callers(*call),)
        for held in (goals, find_callers(whole, goals))
    ]


def singly(whole: GraphClosure) -> list[object]:
    """Ask for each identity by itself: what decides, and how."""
    estate = whole.graph.accounts
    return [
        (get_verdict(answer.formula), answer.determining)
        for one in estate.principals.values()
        for call in CALLS
        for answer in [evaluate_action(estate, one, *call)]
    ]


@settings(max_examples=50, suppress_health_check=slow, phases=generating)
@given(edits())
def test_an_edit_leads_to_what_a_cold_run_finds(
    states: list[SightedFacts],
) -> None:
    updates_agree(states)


def _old_statements_stay(patch: pytest.MonkeyPatch) -> None:
    right = HolderTable.with_changed_holders

    def wrong(
        self: HolderTable, lost: object, gained: object, size: int
    ) -> HolderTable:
        return right(self, type(lost)(), gained, size)  # type: ignore[arg-type]

    patch.setattr(HolderTable, "with_changed_holders", wrong)


def _every_edit_keeps_the_steps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policy_diff, "_list_escalation_statements", lambda grants: set())


def _nobody_turns_admin(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(incremental_update, "is_administrator", lambda principal: False)


def _stays(layer: PolicyLayer) -> Plant:
    """Plant that nothing of a layer is exchanged."""
    right = policy_diff.diff_policies

    def wrong(
        before: SightedFacts,
        after: SightedFacts,
        hanging: policy_diff.AttachmentsByPolicy,
    ) -> policy_diff.PolicyDiff | None:
        found = right(before, after, hanging)
        if found is not None and layer in found.texts:
            found.texts[layer] = {}
            found.hung.clear()
        return found

    return lambda patch: patch.setattr(incremental_update, "diff_policies", wrong)


def _what_hangs_on_a_step_stays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        incremental_update,
        "_exclude_unconditional_holders",
        lambda rows, number, actors: 0,
    )


def _the_closure_stays(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(incremental_closure, "update_closure", lambda old, changes, rows: old)


PLANTS = [
    _the_closure_stays,
    _old_statements_stay,
    _every_edit_keeps_the_steps,
    _nobody_turns_admin,
]
KINDS = [
    layer
    for layer in PolicyLayer
    if layer not in (PolicyLayer.SESSION, PolicyLayer.ENDPOINT)
]


@pytest.mark.parametrize("plant", PLANTS)
def test_the_law_of_edits_finds(plant: Plant) -> None:
    with apply_mutation(plant):
        assert is_found(edits(), updates_agree, 600)


@pytest.mark.parametrize("layer", KINDS)
def test_the_law_of_edits_finds_what_stays(layer: PolicyLayer) -> None:
    with apply_mutation(_stays(layer)):
        assert is_found(edits(layer), updates_agree, 600)


def trusted() -> list[SightedFacts]:
    """Ana may edit the policies of a role, and comes to be trusted by it."""
    build = AccountBuilder()
    for arn in (user("ana"), user("ben"), role("one")):
        build.identity(arn)
    build.policy(
        user("ana"),
        "identity",
        statement("w", action="iam:PutRolePolicy", resource="*"),
    )
    build.policy(role("one"), "trust", TRUSTS[2])
    before = build.facts()
    to_ana = statement("a", action="sts:AssumeRole", principal={"AWS": user("ana")})
    after = tuple(
        replace(one, statements=(to_ana,)) if one.id.endswith("trust") else one
        for one in before.policies
    )
    return [before, replace(before, policies=after)]


def test_who_comes_to_be_trusted_by_a_role_it_may_edit_widens_it() -> None:
    updates_agree(trusted())
    with apply_mutation(_what_hangs_on_a_step_stays), pytest.raises(AssertionError):
        updates_agree(trusted())

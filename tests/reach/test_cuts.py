"""Cuts: the smallest sets of statements that end a reach, by brute force."""

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.documents.shared_shapes import Document
from answerable.model.sighting import SightedFacts
from answerable.reach.aws import subject_queries
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.what_if import minimal_cuts as cut_module
from answerable.reach.aws.what_if.minimal_cuts import CutSearch
from answerable.reach.aws.what_if.policy_edits import (
    StatementId,
    remove_policy_statements,
)
from answerable.reach.condition_formula import FALSE
from answerable.store.store import EvidenceStore
from answerable.usecases.aws_permissions import find_minimal_cuts as flow
from tests.reach.account_builder import A, AccountBuilder, role, statement, user
from tests.reach.mutation import apply_mutation
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import generating, slow

BUCKET = "arn:aws:s3:::red"
CALL = ("s3:GetObject", f"{BUCKET}/x")
ADMIN = statement("a", action="*", resource="*")
READ = statement("r", action="s3:Get*", resource=f"{BUCKET}/*")
STEP = statement("s", action="sts:AssumeRole", resource="*")
PASS = statement("p", action=["iam:PassRole", "lambda:*"], resource="*")
EDIT = statement("e", action="iam:Put*Policy", resource="*")
DENY = statement("d", effect="Deny", action="s3:*", resource="*")
OWN = [ADMIN, READ, READ, STEP, STEP, PASS, EDIT, DENY]
TRUST = [
    statement("t", action="sts:AssumeRole", principal={"AWS": user("ana")}),
    statement("u", action="sts:AssumeRole", principal={"AWS": A}),
    statement(
        "v", action="sts:AssumeRole", principal={"Service": "lambda.amazonaws.com"}
    ),
]
BUCKETS = [
    statement("b", action="s3:GetObject", resource="*", principal={"AWS": user("ana")}),
    statement("c", action="s3:GetObject", resource="*", principal={"AWS": role("one")}),
]
several = st.lists(st.sampled_from(OWN), min_size=1, max_size=2, unique=True)


@st.composite
def accounts(draw: st.DrawFn) -> SightedFacts:
    """Ana and a role, each with up to two statements, a trust, and perhaps limits."""
    build = AccountBuilder()
    build.identity(user("ana"))
    build.identity(role("one"))
    for arn in (user("ana"), role("one")):
        build.policy(arn, "identity", *draw(several))
    build.policy(
        role("one"),
        "trust",
        *draw(st.lists(st.sampled_from(TRUST), max_size=2, unique=True)),
    )
    build.resource(BUCKET, "s3:bucket", A)
    build.policy(
        BUCKET, "resource", *draw(st.lists(st.sampled_from(BUCKETS), max_size=1))
    )
    if draw(st.booleans()):
        build.policy(user("ana"), "boundary", *draw(several))
    if draw(st.booleans()):
        build.organization(A, "o-1", ["r-1"])
        build.policy("r-1", "scp", *draw(several))
    return build.facts()


def open_way(graph: IdentityGraph) -> ReachAnswer | None:
    reply = subject_queries.answer_subject(graph, user("ana"), *CALL, direct=False)  # type: ignore[arg-type]
    return reply if reply.formula != FALSE else None


def every_statement(facts: SightedFacts) -> list[StatementId]:
    return [
        StatementId(policy.id, one.sid)
        for policy in facts.policies
        for one in policy.statements
    ]


def by_brute_force(facts: SightedFacts) -> set[frozenset[StatementId]]:
    """Cold runs over all subsets, the smallest first."""
    every = every_statement(facts)
    for size in range(len(every) + 1):
        found = {
            frozenset(some)
            for some in combinations(every, size)
            if open_way(IdentityGraph(compiled(remove_policy_statements(facts, some))))
            is None
        }
        if found:
            return found
    return set()


def cuts_are_minimal(facts: SightedFacts) -> None:
    """The law: the cuts found are all of the smallest there are."""
    whole = get_graph_closure(IdentityGraph(compiled(facts)))
    search = CutSearch(whole, facts, CALL, open_way, 5_000, 8)
    assert {cut for cut, _ in search.find_minimal_cuts()} == by_brute_force(facts)
    assert search.exhausted


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(accounts())
def test_cuts_are_all_of_the_smallest_by_brute_force(facts: SightedFacts) -> None:
    cuts_are_minimal(facts)


def bounded() -> SightedFacts:
    """Ana may read by two statements, and a boundary of one statement lets her."""
    build = AccountBuilder()
    build.identity(user("ana"))
    build.policy(user("ana"), "identity", ADMIN, READ)
    build.policy(user("ana"), "boundary", READ)
    return build.facts()


def test_a_boundary_may_be_the_smallest_cut() -> None:
    cuts_are_minimal(bounded())

    def of_identities(
        estate: CompiledAccounts, reply: ReachAnswer, call: tuple[str, str]
    ) -> list[StatementId]:
        found = right(estate, reply, call)
        return [one for one in found if not one.policy.endswith("#boundary")]

    right = cut_module.list_supporting_statements
    with (
        apply_mutation(
            lambda p: p.setattr(cut_module, "list_supporting_statements", of_identities)
        ),
        pytest.raises(AssertionError),
    ):
        cuts_are_minimal(bounded())


def shared() -> AccountBuilder:
    build = AccountBuilder()
    build.identity(user("ana"))
    build.identity(role("one"))
    build.policy(user("ana"), "identity", READ, STEP)
    build.policy(role("one"), "identity", statement("x", action="s3:*", resource="*"))
    build.policy(role("one"), "trust", TRUST[1])
    return build


def asked(tmp_path: Path, build: AccountBuilder, subject: str = "ana") -> Document:
    with EvidenceStore.open(tmp_path / "store", now=1) as store:
        return flow.find_cuts(
            store, build.inventory(), subject, CALL[1], now=1, action=CALL[0]
        )


def test_each_cut_names_its_statements_and_what_is_not_known(tmp_path: Path) -> None:
    found = asked(tmp_path, shared())
    named = {
        tuple(sorted(one["statement"] for one in item["statements"]))  # type: ignore[attr-defined]
        for item in found.items
    }
    assert named == {("r", "x"), ("r", "u"), ("r", "s")}
    for item in found.items:
        assert item["verdict"] == "never"
        # No trail was ingested: silence says nothing.
        assert item["breaks"] == {"used": None, "since": None}
        assert "resource-policies" in item["assuming"]  # type: ignore[operator]


def test_what_is_open_under_a_condition_is_not_ended(tmp_path: Path) -> None:
    build = AccountBuilder()
    build.identity(user("ana"))
    guarded = statement(
        "g",
        action="s3:GetObject",
        resource="*",
        condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    )
    build.policy(user("ana"), "identity", READ, guarded)
    found = asked(tmp_path, build)
    assert [
        [one["statement"] for one in item["statements"]]  # type: ignore[attr-defined, index]
        for item in found.items
    ] == [["g", "r"]]


def test_a_subject_of_which_nothing_was_collected_is_not_known(tmp_path: Path) -> None:
    build = shared()
    build.identity(user("lost"), named_only=True)
    found = asked(tmp_path, build, "lost")
    assert [item["verdict"] for item in found.items] == ["not-known"]
    assert found.items[0]["statements"] == []
    assert found.items[0]["unknown"]

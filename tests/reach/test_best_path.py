"""An open answer does not hide a better one: of an identity, the best path is shown."""

import pytest

from answerable.model.ids import IdentityId
from answerable.reach.aws import subject_queries, who_can
from answerable.reach.aws.compiled import uncollected_allows
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.statements import UNCOLLECTED
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.condition_formula import Verdict, get_verdict
from tests.reach.account_builder import (
    AccountBuilder,
    B,
    catalogue,
    role,
    statement,
    user,
)
from tests.reach.mutation import Plant, apply_mutation

ANA, ONE = user("ana"), role("one")
READ = ("s3:GetObject", "arn:aws:s3:::red/a")
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def estate(condition: dict[str, dict[str, str]] | None) -> AccountBuilder:
    """Ana has a policy that was not collected, and enters a role that reads."""
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(ONE)
    build.policy(ANA, "identity", policy="arn:aws:iam::1:policy/lost", collected=False)
    trust = statement(
        "t", action="sts:AssumeRole", principal={"AWS": ANA}, condition=condition
    )
    build.policy(ONE, "trust", trust)
    build.policy(ONE, "identity", statement("r", action="s3:*", resource="*"))
    return build


def listed(build: AccountBuilder) -> ReachAnswer:
    graph = IdentityGraph(compile_accounts(build.facts(), catalogue()))
    found = who_can.list_all_callers_by_severity(graph, *READ, direct=False)
    return next(reply for reply in found if reply.subject == ANA)


def is_allowed_by(reply: ReachAnswer) -> tuple[list[str], bool]:
    """Say to whom the path leads, and whether a policy not collected must allow it."""
    return [hop.to for hop in reply.path], rests_on_uncollected_allow(reply.formula)


@pytest.mark.parametrize("condition", [None, MFA])
def test_who_can_shows_a_path_that_rests_on_collected_policies(
    condition: dict[str, dict[str, str]] | None,
) -> None:
    reply = listed(estate(condition))
    assert get_verdict(reply.formula) is Verdict.ONLY_IF  # what is missing may deny
    assert is_allowed_by(reply) == ([ONE], False)


def test_an_open_path_of_a_role_that_rests_on_collected_policies_is_shown() -> None:
    build = estate(MFA)
    two = build.identity(role("two"))
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": ANA})
    build.policy(two, "trust", trust)
    build.policy(two, "identity", policy="arn:aws:iam::1:policy/gone", collected=False)
    assert is_allowed_by(listed(build)) == ([ONE], False)


def test_without_a_better_path_the_open_answer_stays() -> None:
    build = estate(MFA)
    build.policies = [one for one in build.policies if not one.id.startswith(ONE)]
    build.attachments = [one for one in build.attachments if one.target != ONE]
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": ANA})
    build.policy(ONE, "trust", trust)
    assert is_allowed_by(listed(build)) == ([], True)


def test_can_and_who_can_say_the_same() -> None:
    for condition in (None, MFA):
        build = estate(condition)
        graph = IdentityGraph(compile_accounts(build.facts(), catalogue()))
        said = subject_queries.answer_subject(
            graph, IdentityId(ANA), *READ, direct=False
        )
        reply = listed(build)
        assert (said.formula, said.path) == (reply.formula, reply.path)


def test_one_from_outside_enters_a_role_that_has_a_better_path() -> None:
    build = estate(MFA)
    far = user("far", B)
    door = build.identity(role("door"))
    trust = statement("t", action="sts:AssumeRole", principal={"AWS": far})
    build.policy(door, "trust", trust)
    build.policy(door, "identity", policy="arn:aws:iam::1:policy/gone", collected=False)
    step = statement("s", action="sts:AssumeRole", resource=ONE)
    build.policy(door, "identity", step, policy=f"{door}#inline/s")
    build.policies = [p for p in build.policies if not p.id.startswith(f"{ONE}#trust")]
    build.attachments = [
        a
        for a in build.attachments
        if not a.policy.endswith("#trust") or a.target != ONE
    ]
    both = statement(
        "t", action="sts:AssumeRole", principal={"AWS": door}, condition=MFA
    )
    build.policy(ONE, "trust", both)
    graph = IdentityGraph(compile_accounts(build.facts(), catalogue()))
    found = who_can.list_all_callers_by_severity(graph, *READ, direct=False)
    reply = next(reply for reply in found if reply.subject == far)
    assert is_allowed_by(reply) == ([door, ONE], False)


def _no_answer_is_better(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        who_can,
        "answer_subject",
        lambda *args, **more: subject_queries.build_never_answer(),
    )


def _a_missing_deny_counts_as_a_missing_allow(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        uncollected_allows, "_is_missing_allow", lambda each: each.key == UNCOLLECTED
    )


def _nothing_leads_to_an_answer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        who_can._TransitiveCallerQuery,
        "_does_node_reach_collected_allow",
        lambda self, node: False,
    )


@pytest.mark.parametrize(
    "plant",
    [
        _no_answer_is_better,
        _a_missing_deny_counts_as_a_missing_allow,
        _nothing_leads_to_an_answer,
    ],
)
def test_a_planted_mistake_is_found(plant: Plant) -> None:
    with apply_mutation(plant), pytest.raises(AssertionError):
        test_who_can_shows_a_path_that_rests_on_collected_policies(MFA)

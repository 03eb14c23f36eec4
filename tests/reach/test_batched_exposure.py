"""The exposure of accounts graded one after the other is that of all at once."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.ids import IdentityId
from answerable.model.sighting import SightedFacts
from answerable.reach.aws import batched_exposure
from answerable.reach.aws.account_batches import restrict_to_identities
from answerable.reach.aws.batched_exposure import BatchedExposure, ExposureRow
from answerable.reach.aws.identity_exposure import AccountExposure
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import Verdict
from tests.reach.account_builder import A, AccountBuilder, B, role, statement, user
from tests.reach.strategies import estates
from tests.reach.test_bulk_evaluation import compiled
from tests.reach.test_incremental_update import generating, slow

C = "333333333333"
ADMIN = statement("a", action="*", resource="*")


def grade(facts: SightedFacts, most: int = 1_000) -> dict[str, ExposureRow]:
    """Grade each account alone."""
    accounts = compiled(facts)
    batches = BatchedExposure(lambda: IdentityGraph(accounts), most, size=1)
    batches.grade_all()
    rows = list(batches.iterate_rows())
    assert [key for key, _ in rows] == sorted(accounts.principals)
    return dict(rows)


def check(facts: SightedFacts) -> dict[str, ExposureRow]:
    """Compare the accounts graded one by one with all of them at once."""
    graph = IdentityGraph(compiled(facts))
    rows = grade(facts)
    for each in AccountExposure(graph).list_identity_exposures():
        row = rows[each.identity]
        outside = Verdict.ALWAYS in (each.public, each.external)
        assert row.admin is each.admin, each.identity
        assert (row.entered_by, row.conditional) == (each.entered_by, not outside)
        if each.admin is Verdict.NEVER:
            assert not row.path
            continue
        at = str(each.identity)
        for hop in row.path:
            assert hop["from"] == at
            at = hop["to"]
        own = graph.is_administrator(graph.get_start_node(each.identity))
        assert own == (not row.path)
    return rows


@settings(max_examples=40, suppress_health_check=slow, phases=generating)
@given(estates())
def test_any_accounts_are_graded_alike_in_batches_and_at_once(
    facts: SightedFacts,
) -> None:
    check(facts)


def trusting(build: AccountBuilder, arn: str, *names: str) -> None:
    """Let some principals assume a role."""
    named = names[0] if names == ("*",) else {"AWS": list(names)}
    build.identity(arn)
    build.policy(arn, "trust", statement("t", action="sts:AssumeRole", principal=named))


def assuming(build: AccountBuilder, arn: str, target: str) -> None:
    """Let an identity assume a role."""
    step = statement("s", action="sts:AssumeRole", resource=target)
    build.policy(arn, "identity", step)


def test_a_path_through_three_accounts_and_back_is_found() -> None:
    build = AccountBuilder()
    first, second, third, last = (
        user("ana"),
        role("middle", B),
        role("far", C),
        role("boss"),
    )
    build.identity(first)
    trusting(build, second, A)
    trusting(build, third, B)
    trusting(build, last, C)
    build.identity(user("ben"))
    for origin, to in ((first, second), (second, third), (third, last)):
        assuming(build, origin, to)
    build.policy(last, "identity", ADMIN)
    rows = check(build.facts())
    assert [hop["to"] for hop in rows[first].path] == [second, third, last]
    assert rows[user("ben")].admin is Verdict.NEVER


def test_a_role_that_anyone_may_assume_makes_administrators_of_other_accounts() -> None:
    build = AccountBuilder()
    trusting(build, role("open", B), "*")
    build.policy(role("open", B), "identity", ADMIN)
    build.identity(user("ana"))
    build.identity(user("ben"))
    assuming(build, user("ana"), "*")
    assuming(build, user("ben"), role("other", B))
    rows = check(build.facts())
    assert rows[user("ana")].admin is Verdict.ALWAYS
    assert rows[user("ben")].admin is Verdict.NEVER
    assert rows[role("open", B)].entered_by == ("*",)


def circle(*more: dict[str, object]) -> SightedFacts:
    """Roles of two accounts that become each other, and a user that becomes one."""
    build = AccountBuilder()
    one, two = role("one"), role("two", B)
    trusting(build, one, B, A)
    trusting(build, two, A)
    build.identity(user("ana"))
    for arn in (one, user("ana")):
        assuming(build, arn, "*")
    step = statement("s", action="sts:AssumeRole", resource="*")
    build.policy(two, "identity", step, *more)
    return build.facts()


def test_roles_of_two_accounts_that_become_each_other_end() -> None:
    assert {row.admin for row in check(circle()).values()} == {Verdict.NEVER}
    assert {row.admin for row in check(circle(ADMIN)).values()} == {Verdict.ALWAYS}


def test_an_account_with_too_many_identities_is_not_known_but_its_administrators() -> (
    None
):
    build = AccountBuilder()
    for name in ("ana", "ben"):
        build.identity(user(name))
    trusting(build, role("open"), "*")
    build.policy(user("ana"), "identity", ADMIN)
    rows = grade(build.facts(), most=2)
    assert rows[user("ana")].admin is Verdict.ALWAYS
    assert rows[user("ben")].admin is Verdict.NOT_KNOWN
    assert rows[role("open")].entered_by == ("*",)


def test_who_may_enter_an_account_with_too_many_identities_is_not_known() -> None:
    build = AccountBuilder()
    for name in ("ana", "ben", "eve", "joe"):
        build.identity(user(name))
    for name in ("boss", "door", "wall"):
        trusting(build, role(name), *([A] if name == "wall" else [A, B]))
    build.policy(role("boss"), "identity", ADMIN)
    trusting(build, role("third", C), B)
    trusting(build, role("last", C), C)
    for name, to in (("boss", "boss"), ("door", "door"), ("wall", "wall")):
        build.identity(user(name, B))
        assuming(build, user(name, B), role(to))
    trusting(build, role("next", B), C)
    assuming(build, role("next", B), role("door"))
    for name, to in (("near", role("next", B)), ("far", role("third", C))):
        build.identity(user(name, C))
        assuming(build, user(name, C), to)
    rows = grade(build.facts(), most=6)
    assert rows[user("boss", B)].admin is Verdict.ALWAYS
    assert [hop["to"] for hop in rows[user("boss", B)].path] == [role("boss")]
    assert rows[user("door", B)].admin is Verdict.NOT_KNOWN
    assert rows[user("wall", B)].admin is Verdict.NEVER
    assert rows[user("near", C)].admin is Verdict.NOT_KNOWN
    assert rows[user("far", C)].admin is Verdict.NEVER


def test_equivalent_roles_of_other_accounts_are_one_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build = AccountBuilder()
    for account in (B, C, "444444444444"):
        trusting(build, role("open", account), "*")
        build.policy(role("open", account), "identity", ADMIN)
        trusting(build, role("step", account), "*")
        assuming(build, role("step", account), role("open", account))
    for name in ("ana", "ben", "eve"):
        build.identity(user(name))
    assuming(build, user("ana"), "*")
    assuming(build, user("ben"), role("open", C))
    tagged = {"StringEquals": {"aws:ResourceAccount": C}}
    limited = statement(
        "s",
        action="sts:AssumeRole",
        resource="arn:aws:iam::*:role/step",
        condition=tagged,
    )
    build.policy(user("eve"), "identity", limited)
    sizes: list[set[str]] = []
    pack = BatchedExposure._pack_batch

    def count(self: Any, whole: Any, batch: Any, ends: Any) -> Any:
        if user("ana") in batch.names:
            sizes.append(set(map(str, ends)))
        return pack(self, whole, batch, ends)

    monkeypatch.setattr(BatchedExposure, "_pack_batch", count)
    rows = check(build.facts())
    assert {rows[user(name)].admin for name in ("ana", "ben")} == {Verdict.ALWAYS}
    assert len(rows[user("ana")].path) == 1
    # The role that is named, one like it, and each of those that a condition reads.
    assert {role("open", C)} < sizes[-1]
    assert len(sizes[-1] & {role("open", each) for each in (B, C, "444444444444")}) == 2
    assert len(sizes[-1]) == 5


def test_identities_are_listed_again_only_after_ends_have_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rounds: list[object] = []
    cut = batched_exposure.cut_into_batches

    def count(*words: Any) -> Any:
        rounds.append(words)
        return cut(*words)

    monkeypatch.setattr(batched_exposure, "cut_into_batches", count)
    build = AccountBuilder()
    for account in (A, B):
        build.identity(user("ana", account))
        build.policy(user("ana", account), "identity", ADMIN)
    check(build.facts())
    assert len(rounds) == 1
    trusting(build, role("open", B), A)
    build.policy(role("open", B), "identity", ADMIN)
    build.identity(user("ben"))
    assuming(build, user("ben"), role("open", B))
    check(build.facts())
    assert len(rounds) == 1 + 2


def test_a_condition_on_the_account_of_a_role_tells_two_roles_apart() -> None:
    build = AccountBuilder()
    for account in (B, C):
        trusting(build, role("open", account), "*")
        build.policy(role("open", account), "identity", ADMIN)
    for name, account in (("ana", B), ("ben", C), ("eve", A)):
        build.identity(user(name))
        build.policy(
            user(name),
            "identity",
            statement(
                "s",
                action="sts:AssumeRole",
                resource="*",
                condition={"StringEquals": {"aws:ResourceAccount": account}},
            ),
        )
    rows = check(build.facts())
    verdicts = [rows[user(name)].admin for name in ("ana", "ben", "eve")]
    assert verdicts == [Verdict.ALWAYS, Verdict.ALWAYS, Verdict.NEVER]


def test_paths_of_a_batch_list_the_resources_of_its_accounts_alone() -> None:
    build = AccountBuilder()
    for account in (A, B, C):
        trusting(build, role("code", account), "*")
    own = f"arn:aws:lambda:eu-west-1:{A}:function:own"
    lent = f"arn:aws:lambda:eu-west-1:{C}:function:lent"
    for arn, runs_as in (
        (own, role("code")),
        (lent, role("code")),
        (f"arn:aws:lambda:eu-west-1:{B}:function:other", role("code", B)),
    ):
        build.resource(arn, "lambda:function", runs_as=runs_as)
    build.resource(f"arn:aws:dynamodb:eu-west-1:{A}:table/data", "dynamodb:table")
    names = [IdentityId(role("code"))]
    part = restrict_to_identities(compiled(build.facts()), names, ())
    listed = [each.id for each in part.list_takeover_resources()]
    assert sorted(listed) == sorted((own, lent))
    check(build.facts())


ACCOUNTS = (A, B, C, "444444444444")
NAMES = [role(name, account) for account in ACCOUNTS for name in ("open", "step")]
TARGETS = st.sampled_from(
    [
        "*",
        "arn:aws:iam::*:role/open",
        "arn:aws:iam::*:role/*",
        f"arn:aws:iam::{C}:*",
        "arn:aws:iam::*:role/${aws:username}",
        "arn:aws:iam::*:role/ope?",
        *NAMES[:4],
    ]
)
READS = st.sampled_from(
    [
        None,
        None,
        None,
        {"StringEquals": {"aws:ResourceAccount": B}},
        {"StringEquals": {"iam:ResourceTag/team": "red"}},
        {
            "StringLike": {
                "aws:PrincipalArn": "arn:aws:iam::*:role/${aws:PrincipalTag/x}"
            }
        },
    ]
)
TRUSTED = st.sampled_from(
    ["*", "*", "*", {"AWS": A}, {"AWS": [B, C]}, {"AWS": NAMES[2]}]
)


@st.composite
def many_accounts(draw: st.DrawFn) -> SightedFacts:
    """Roles of four accounts that assume each other, with a few administrators."""
    build = AccountBuilder()
    for account in ACCOUNTS:
        for arn in (user("ana", account), *(each for each in NAMES if account in each)):
            build.identity(arn, draw(st.sampled_from([(), (("team", "red"),)])))
            steps = [
                statement(
                    str(number),
                    effect=draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"])),
                    action="sts:AssumeRole",
                    condition=draw(READS),
                    **{
                        draw(
                            st.sampled_from(["resource"] * 5 + ["not_resource"])
                        ): draw(TARGETS)
                    },
                )
                for number in range(draw(st.integers(0, 2)))
            ]
            if arn in NAMES and draw(st.integers(0, 2)) == 2:
                steps.append(ADMIN)
            build.policy(arn, "identity", *steps)
            if arn in NAMES:
                build.policy(
                    arn,
                    "trust",
                    statement(
                        "t",
                        action="sts:AssumeRole",
                        principal=draw(TRUSTED),
                        condition=draw(READS),
                    ),
                    unread=["lost"] if draw(st.integers(0, 19)) == 19 else [],
                )
    return build.facts()


@settings(max_examples=60, suppress_health_check=slow, phases=generating)
@given(many_accounts())
def test_roles_of_many_accounts_are_graded_alike(facts: SightedFacts) -> None:
    check(facts)

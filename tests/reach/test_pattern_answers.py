"""Answers about a resource pattern: all of it, part of it, none of it."""

from collections import Counter
from functools import partial
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings

from answerable.model.documents.shared_shapes import PermissionCheckItem, ReachItem
from answerable.reach.aws.call_parsing import is_pattern_question
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.arn_matching import (
    matches_arn,
    split_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import encode_glob
from answerable.reach.aws.permission_rows import principal_spans
from answerable.reach.aws.permission_rows.action_rows import ActionRowLister
from answerable.reach.aws.resource_pattern_answers import (
    FURTHER,
    answer_call_on_pattern,
)
from answerable.reach.aws.resource_pattern_union import RESOURCE_KEY
from answerable.reach.aws.subject_queries import PatternExtent, ReachAnswer
from answerable.reach.aws.who_can import list_all_callers_by_severity
from answerable.reach.condition_formula import FALSE, TRUE
from answerable.usecases.reach import permissions as flow
from tests.reach import laws
from tests.reach.account_builder import A, AccountBuilder, B, role, statement, user
from tests.reach.mutation import is_caught
from tests.reach.strategies_cases import ReachCase, cases
from tests.reference.reach import request as spec
from tests.reference.reach.facts import Subject

NOW = 1_764_000_000_000_000_000
DATA = "arn:aws:s3:::customer-data/*"
PRIVATE = "arn:aws:s3:::customer-data/private/*"
slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def ana_with(*statements: object, account: str = A) -> AccountBuilder:
    build = AccountBuilder()
    build.policy(build.identity(user("ana", account)), "identity", *statements)
    return build


def can(
    build: AccountBuilder, action: str, resource: str, who: str = "ana"
) -> PermissionCheckItem:
    document = flow.check_permission(build.inventory(), who, action, resource, now=NOW)
    return cast("PermissionCheckItem", document.items[0])


def parts(item: PermissionCheckItem) -> list[tuple[str, str]]:
    return sorted((part["resource"], part["verdict"]) for part in item["parts"])


def test_a_grant_on_a_part_is_part_and_never_a_never() -> None:
    build = ana_with(statement("p", action="s3:GetObject", resource=PRIVATE))
    item = can(build, "s3:GetObject", DATA)
    assert (item["verdict"], item["covers"]) == ("only-if", "part")
    assert parts(item) == [(PRIVATE, "always")]
    (condition,) = item["conditions"][0]["all_of"]
    assert (condition["key"], condition["values"]) == (RESOURCE_KEY, [PRIVATE])
    assert condition["asserted_by"] == "operation"
    assert item["determining"][0]["statement"] == "p"
    for expected in ("never", "always"):
        document = flow.check_permission(
            build.inventory(),
            "ana",
            "s3:GetObject",
            DATA,
            now=NOW,
            expect=expected,
        )
        assert document.failed


def test_all_and_none_are_said_too() -> None:
    build = ana_with(statement("p", action="s3:GetObject", resource=DATA))
    item = can(build, "s3:GetObject", PRIVATE)
    assert (item["verdict"], item["covers"]) == ("always", "all")
    assert parts(item) == [(PRIVATE, "always")]
    item = can(build, "s3:GetObject", "arn:aws:s3:::other/*")
    assert (item["verdict"], item["covers"], item["parts"]) == ("never", "none", [])
    assert "covers" not in can(build, "s3:GetObject", "arn:aws:s3:::other/a")


def test_a_deny_that_carves_a_hole_leaves_a_part() -> None:
    build = ana_with(
        statement("a", action="s3:GetObject", resource=DATA),
        statement("d", effect="Deny", action="s3:*", resource=PRIVATE),
    )
    item = can(build, "s3:GetObject", DATA)
    assert (item["verdict"], item["covers"]) == ("only-if", "part")
    assert parts(item) == [(f"{DATA} except {PRIVATE}", "always")]


def test_parts_of_two_statements_and_of_two_identities_make_up_all() -> None:
    build = ana_with(
        statement("a", action="s3:GetObject", resource=DATA),
        statement("d", effect="Deny", action="s3:*", resource=PRIVATE),
        statement("r", action="sts:AssumeRole", resource=role("reader")),
    )
    reader = build.identity(role("reader"))
    trusting = statement("t", action="sts:AssumeRole", principal={"AWS": user("ana")})
    build.policy(reader, "trust", trusting)
    build.policy(
        reader, "identity", statement("p", action="s3:GetObject", resource=PRIVATE)
    )
    item = can(build, "s3:GetObject", DATA)
    assert (item["verdict"], item["covers"]) == ("always", "all")
    assert len(item["parts"]) == 2
    direct = flow.check_permission(
        build.inventory(), "ana", "s3:GetObject", DATA, now=NOW, direct=True
    )
    assert direct.items[0]["covers"] == "part"


def test_a_condition_on_all_of_it_is_all_and_only_if() -> None:
    condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    build = ana_with(
        statement("c", action="s3:GetObject", resource=DATA, condition=condition)
    )
    item = can(build, "s3:GetObject", DATA)
    assert (item["verdict"], item["covers"]) == ("only-if", "all")
    assert [c["key"] for c in item["conditions"][0]["all_of"]] == ["aws:SourceIp"]
    whole = statement("w", action="s3:GetObject", resource=PRIVATE)
    build.policy(user("ana"), "identity", whole, policy="second")
    item = can(build, "s3:GetObject", DATA)
    assert (item["verdict"], item["covers"]) == ("only-if", "all")
    assert parts(item) == [(DATA, "only-if"), (PRIVATE, "always")]
    keys = [[c["key"] for c in one["all_of"]] for one in item["conditions"]]
    assert sorted(keys) == [[RESOURCE_KEY], ["aws:SourceIp"]]


def test_a_star_alone_asks_about_each_resource_type_of_the_action() -> None:
    for secrets in ("*", f"arn:aws:secretsmanager:*:{A}:secret:*"):
        build = ana_with(
            statement("s", action="secretsmanager:GetSecretValue", resource=secrets)
        )
        assert can(build, "secretsmanager:GetSecretValue", "*")["covers"] == "all"
    foreign = f"arn:aws:secretsmanager:*:{B}:secret:*"
    build = ana_with(
        statement("s", action="secretsmanager:GetSecretValue", resource=foreign)
    )
    item = can(build, "secretsmanager:GetSecretValue", "*")
    assert (item["verdict"], item["covers"]) == ("only-if", "part")
    build = ana_with(statement("p", action="s3:GetObject", resource=PRIVATE))
    item = can(build, "s3:GetObject", "*")
    assert (item["verdict"], item["covers"]) == ("only-if", "part")
    assert parts(item) == [(PRIVATE, "always")]
    assert can(build, "s3:PutObject", "*")["covers"] == "none"
    assert "covers" not in can(build, "s3:ListAllMyBuckets", "*")


def test_a_bucket_s_own_policy_grants_a_part() -> None:
    build = ana_with(statement("x", action="s3:ListBucket", resource="*"))
    build.resource("arn:aws:s3:::customer-data", "s3:bucket", A)
    build.policy(
        "arn:aws:s3:::customer-data",
        "resource",
        statement(
            "b", action="s3:GetObject", resource=PRIVATE, principal={"AWS": user("ana")}
        ),
    )
    item = can(build, "s3:GetObject", DATA)
    assert (item["verdict"], item["covers"]) == ("only-if", "part")
    assert parts(item) == [(PRIVATE, "always")]


def _patterns(resource: str) -> list[str]:
    if resource == "*":
        return []
    cut = max(resource.rfind("/"), resource.rfind(":")) + 1
    return [
        f"{resource[:-1]}*",
        f"{resource[:cut]}*",
        "*",
        ":".join([*resource.split(":")[:5], "*"]),
    ]


def _in_part(part: ReachAnswer, resource: str) -> bool:
    assert part.row is not None
    text = split_arn(resource)
    term = part.row.resources
    return matches_arn(term.pattern, text) and not any(
        matches_arn(hole, text) for hole in term.excluded
    )


def pattern_law(case: ReachCase, seen: Counter[str] | None = None) -> None:
    """All: each is allowed; none: none is; part: the parts hold, and nothing else."""
    estate, world = laws.estate_of(case), laws.world_of(case)
    graph = IdentityGraph(estate)
    for identity in case.facts.identities:
        principal = laws.asking(estate, identity.id)
        for action, resource in case.calls:
            if laws._is_aside(estate, principal, action, resource):
                continue
            if resource == "*" or not estate.can_action_act_on_resource(
                action, resource
            ):
                continue
            word = _judged(world, Subject(identity), action, resource)
            for pattern in _patterns(resource):
                if not is_pattern_question(estate, action, pattern):
                    continue
                if not matches_arn(
                    split_glob_arn(encode_glob(pattern)), split_arn(resource)
                ):
                    continue
                reply = answer_call_on_pattern(
                    graph, identity.id, action, pattern, direct=True
                )
                _agrees(reply, action, resource, word, estate, principal)
                if seen is not None:
                    seen[f"{reply.covers}"] += 1


def _judged(world: object, who: Subject, action: str, resource: str) -> str:
    judge = partial(spec.is_allowed, world, who, action, resource)
    seen = {expected for _, expected in spec.iterate_outcomes(judge)}
    return "only-if" if len(seen) > 1 else "always" if True in seen else "never"


def _agrees(reply, action, resource, word, estate, principal) -> None:
    holding = [part for part in reply.parts if _in_part(part, resource)]
    if any(part.formula == TRUE for part in holding):
        assert word == "always", (reply, word)
    if reply.covers is PatternExtent.ALL and reply.formula == TRUE:
        assert word == "always", (reply, word)
    answer = laws.subject_queries.evaluate_action(estate, principal, action, resource)
    listed = laws._listed(action, answer.formula)
    if reply.covers is PatternExtent.NONE and listed:
        assert word == "never", (reply, word)
    if word != "never" and listed and reply.parts:
        assert holding, (reply, word)


@settings(max_examples=60, suppress_health_check=slow)
@given(cases())
def test_a_pattern_s_parts_say_what_the_readable_rules_say(case: ReachCase) -> None:
    pattern_law(case)


def test_the_law_of_patterns_sees_all_and_part_and_none() -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=40, database=None, derandomize=True, suppress_health_check=slow
    )
    @given(cases())
    def law(case: ReachCase) -> None:
        pattern_law(case, seen)

    law()
    assert all(seen[each] >= 0.05 * seen.total() for each in PatternExtent), seen


def test_the_law_of_patterns_finds_that_a_deny_carves_no_hole() -> None:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(principal_spans, "apply_deny_to_row", lambda row, _: [row])

    assert is_caught(plant, cases(), pattern_law)


def test_the_law_of_patterns_finds_that_grants_of_resources_are_left_aside() -> None:
    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(
            ActionRowLister,
            "_list_rows_granted_by_resource_policies",
            lambda *_: iter(()),
        )

    assert is_caught(plant, cases(), pattern_law)


def test_a_none_does_not_rest_on_a_tag_that_the_subject_may_set_itself() -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/team": "data"}}
    build = ana_with(
        statement("c", action="s3:GetObject", resource=DATA, condition=condition),
        statement("t", action="iam:TagUser", resource="*"),
    )
    one = can(build, "s3:GetObject", "arn:aws:s3:::customer-data/a")
    assert (one["verdict"], one["unguarded"]) == ("only-if", True)
    for pattern in (DATA, "*", "arn:aws:s3:::customer-*"):
        item = can(build, "s3:GetObject", pattern)
        assert (item["verdict"], item["covers"]) == ("only-if", "part"), pattern


def test_a_principal_tag_condition_is_none_where_nobody_may_set_the_tag() -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/team": "data"}}
    build = ana_with(
        statement("c", action="s3:GetObject", resource=DATA, condition=condition)
    )
    assert can(build, "s3:GetObject", DATA)["covers"] == "none"


def listed(
    build: AccountBuilder, action: str, resource: str, **options: bool
) -> list[ReachItem]:
    document = flow.list_who_can(
        build.inventory(), action, resource, now=NOW, **options
    )
    return cast("list[ReachItem]", document.items)


@pytest.mark.parametrize("direct", [False, True])
def test_who_can_lists_who_can_on_a_part(direct: bool) -> None:
    build = ana_with(statement("p", action="s3:GetObject", resource=PRIVATE))
    build.policy(
        build.identity(user("ben")),
        "identity",
        statement("x", action="s3:*", resource="*"),
    )
    for pattern in (DATA, "*"):
        items = listed(build, "s3:GetObject", pattern, direct=direct)
        found = {item["subject"]: (item["verdict"], item["covers"]) for item in items}
        assert found == {
            user("ana"): ("only-if", "part"),
            user("ben"): ("always", "all"),
        }


@pytest.mark.parametrize("direct", [False, True])
def test_who_can_on_a_pattern_begins_with_whom_a_bucket_makes_public(
    direct: bool,
) -> None:
    build = ana_with(statement("p", action="s3:GetObject", resource="*"))
    bucket = build.resource("arn:aws:s3:::customer-data", "s3:bucket", A)
    for sid, who, on in (
        ("public", "*", PRIVATE),
        ("far", {"AWS": B}, DATA),
    ):
        granted = statement(sid, action="s3:GetObject", resource=on, principal=who)
        build.policy(bucket, "resource", granted, policy=sid)
    items = listed(build, "s3:GetObject", DATA, direct=direct)
    assert [item["subject"] for item in items] == ["*", B, user("ana")]
    assert [item["covers"] for item in items] == ["part", "all", "all"]


def test_who_may_assume_some_role_is_listed_from_outside_too() -> None:
    build = AccountBuilder()
    for name, who in (("a", {"AWS": B}), ("b", {"AWS": A})):
        trusting = statement("t", action="sts:AssumeRole", principal=who)
        build.policy(build.identity(role(name)), "trust", trusting)
    items = listed(build, "sts:AssumeRole", f"arn:aws:iam::{A}:role/*")
    assert (items[0]["subject"], items[0]["covers"]) == (B, "part")
    assert [part["resource"] for part in items[0]["parts"]] == [role("a")]


@settings(max_examples=25, suppress_health_check=slow)
@given(cases())
def test_who_can_on_a_pattern_says_of_each_what_can_says(case: ReachCase) -> None:
    estate = laws.estate_of(case)
    graph = IdentityGraph(estate)
    action, resource = case.calls[0]
    for pattern in _patterns(resource)[1:3]:
        if not is_pattern_question(estate, action, pattern):
            continue
        for direct in (True, False):
            found = {
                reply.subject: (reply.covers, reply.formula)
                for reply in list_all_callers_by_severity(
                    graph, action, pattern, direct=direct
                )
                if reply.subject in estate.principals
            }
            for identity in estate.principals:
                reply = answer_call_on_pattern(
                    graph, identity, action, pattern, direct=direct
                )
                covers, formula = found.get(identity, (PatternExtent.NONE, FALSE))
                assert covers == reply.covers
                # `who-can` follows fewer paths for each caller, and says so.
                open_ways = {
                    way for way in formula if any(a.key == FURTHER for a in way)
                }
                assert formula - open_ways <= reply.formula
                assert open_ways or formula == reply.formula

"""Who can satisfy a condition on a tag, worked out from the snapshot itself."""

from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.documents.shared_shapes import ConditionItem, ReachItem
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.policy import Statement
from answerable.reach.aws import answer_items, subject_queries
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.condition_keys.tag_explanations import (
    MAX_LISTED_SETTERS,
    TagExplainer,
)
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import A, AccountBuilder, B, role, statement, user

ANA, BEN, CIA = user("ana"), user("ben"), user("ci-deploy")
ONE = role("one")
INSTANCE = f"arn:aws:ec2:us-east-1:{A}:instance/i-1"
BUCKET = "arn:aws:s3:::data"
OBJECT = f"{BUCKET}/a/b.csv"
Condition = Mapping[str, Mapping[str, str | Sequence[str]]]
SERVICES = ["ec2", "s3", "iam", "sts", "sqs", "kms", "lambda"]


def tag_is(key: str, *values: str, operator: str = "StringEquals") -> Condition:
    return {operator: {key: list(values)}}


def allow(
    sid: str,
    action: str | Sequence[str],
    resource: str = "*",
    condition: Condition | None = None,
) -> Statement:
    return statement(sid, action=action, resource=resource, condition=condition)


def explained(
    build: AccountBuilder,
    action: str,
    resource: str,
    subject: str = ANA,
    *,
    given: ContextKeys = NO_KEYS,
) -> ReachItem:
    """Ask `can`, and have the open conditions explained."""
    graph = IdentityGraph(
        compile_accounts(build.facts(), load_catalogue(SERVICES), stated_keys=given)
    )
    reply = subject_queries.answer_subject(
        graph, IdentityId(subject), action, resource, direct=False
    )
    item = answer_items.build_call_answer_item(reply, action, resource)
    return TagExplainer(graph).add_tag_setters_to_answer(reply, item)


def only(item: ReachItem) -> ConditionItem:
    assert item["verdict"] == "only-if"
    ((condition,),) = [one["all_of"] for one in item["conditions"]]
    return condition


def stopping(*extra: Statement, others: Sequence[Statement] = ()) -> AccountBuilder:
    """Ana may stop instances of her team; Ben may do what `others` say."""
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(BEN)
    stop = allow(
        "stop", "ec2:StopInstances", condition=tag_is("aws:ResourceTag/team", "red")
    )
    build.policy(ANA, "identity", stop, *extra)
    build.policy(BEN, "identity", *others)
    return build


def test_the_subject_itself_may_set_the_tag() -> None:
    item = explained(
        stopping(allow("tag", "ec2:CreateTags")), "ec2:StopInstances", INSTANCE
    )
    condition = only(item)
    assert condition["who"] == "itself: it may call ec2:CreateTags on the instance"
    assert condition["set_by"] == [ANA]
    assert item["unguarded"] is True
    assert item["unguarded_because"].startswith("aws:ResourceTag/team: itself: ")


def test_somebody_else_may_set_the_tag() -> None:
    build = stopping(others=[allow("tag", "ec2:CreateTags")])
    build.identity(CIA)
    build.policy(CIA, "identity", allow("tag", "ec2:*"))
    item = explained(build, "ec2:StopInstances", INSTANCE)
    condition = only(item)
    assert condition["who"] == "2 identities may tag it: ben, ci-deploy"
    assert condition["set_by"] == [BEN, CIA]
    assert item["unguarded"] is False
    assert "unguarded_because" not in item


def test_nobody_may_set_the_tag() -> None:
    condition = only(explained(stopping(), "ec2:StopInstances", INSTANCE))
    assert condition["who"] == "no identity in the snapshot may tag it"
    assert condition["set_by"] == []


def test_a_root_user_is_told_but_not_counted() -> None:
    build = stopping()
    build.identity(f"arn:aws:iam::{A}:root")
    condition = only(explained(build, "ec2:StopInstances", INSTANCE))
    assert condition["who"] == "only a root user in the snapshot may tag it"


def test_the_value_the_condition_asks_for_is_the_one_that_is_judged() -> None:
    blue = allow(
        "blue", "ec2:CreateTags", condition=tag_is("aws:RequestTag/team", "blue")
    )
    red = allow("red", "ec2:CreateTags", condition=tag_is("aws:RequestTag/team", "red"))
    wrong = only(explained(stopping(blue), "ec2:StopInstances", INSTANCE))
    assert wrong["who"] == "no identity in the snapshot may tag it"
    right = explained(stopping(red), "ec2:StopInstances", INSTANCE)
    assert right["unguarded"]


def test_the_tag_keys_a_tagger_may_use_count() -> None:
    keys = {"ForAllValues:StringEquals": {"aws:TagKeys": ["owner"]}}
    denied = allow("tag", "ec2:CreateTags", condition=keys)
    condition = only(explained(stopping(denied), "ec2:StopInstances", INSTANCE))
    assert condition["who"] == "no identity in the snapshot may tag it"


def test_a_tagger_under_conditions_of_its_own_is_told_apart() -> None:
    only_new = allow(
        "tag", "ec2:CreateTags", condition=tag_is("ec2:CreateAction", "RunInstances")
    )
    item = explained(
        stopping(only_new, others=[allow("tag", "ec2:CreateTags")]),
        "ec2:StopInstances",
        INSTANCE,
    )
    condition = only(item)
    assert condition["who"] == (
        "1 identity may tag it: ben; 1 more identity may tag it under conditions: ana"
    )
    assert condition["set_by"] == [BEN, ANA]
    assert item["unguarded"] is False


def test_what_denies_tagging_counts() -> None:
    no = statement("no", effect="Deny", action="ec2:CreateTags", resource="*")
    condition = only(
        explained(
            stopping(allow("tag", "ec2:CreateT*"), no),
            "ec2:StopInstances",
            INSTANCE.replace("i-1", "i-2"),
        )
    )
    assert condition["who"] == "no identity in the snapshot may tag it"


def test_at_most_ten_are_listed_and_all_are_counted() -> None:
    build = stopping()
    for number in range(12):
        name = build.identity(user(f"tagger-{number:02}"))
        build.policy(name, "identity", allow("tag", "ec2:CreateTags"))
    condition = only(explained(build, "ec2:StopInstances", INSTANCE))
    assert condition["who"].startswith("12 identities may tag it: tagger-00, ")
    assert condition["who"].endswith(" and 7 more")
    assert len(condition["set_by"]) == MAX_LISTED_SETTERS


def test_one_on_the_path_may_set_the_tag() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(ONE)
    build.policy(
        ANA, "identity", allow("a", "sts:AssumeRole"), allow("t", "ec2:CreateTags")
    )
    build.policy(
        ONE, "trust", statement("t", action="sts:AssumeRole", principal={"AWS": A})
    )
    stop = allow("s", "ec2:StopInstances", "*", tag_is("aws:ResourceTag/team", "red"))
    build.policy(ONE, "identity", stop)
    item = explained(build, "ec2:StopInstances", INSTANCE)
    assert item["path"]
    assert only(item)["who"].startswith("itself: it may call ec2:CreateTags")
    build.policy(ONE, "identity", allow("t", "ec2:CreateTags"), policy="more")
    assert only(explained(build, "ec2:StopInstances", INSTANCE))["set_by"][0] == ANA


def test_the_role_at_the_end_of_the_path_may_set_the_tag() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(ONE)
    build.policy(ANA, "identity", allow("a", "sts:AssumeRole"))
    build.policy(
        ONE, "trust", statement("t", action="sts:AssumeRole", principal={"AWS": A})
    )
    stop = allow("s", "ec2:StopInstances", "*", tag_is("ec2:ResourceTag/team", "red"))
    build.policy(ONE, "identity", stop, allow("t", "ec2:CreateTags"))
    item = explained(build, "ec2:StopInstances", INSTANCE)
    assert only(item)["who"] == (
        "one on its path: it may call ec2:CreateTags on the instance"
    )
    assert item["unguarded"]


def trusting(tag_session: bool) -> AccountBuilder:
    """Ana may become One, whose policy asks for a tag of the principal."""
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(ONE)
    build.policy(ANA, "identity", allow("a", ["sts:AssumeRole", "sts:TagSession"]))
    calls = ["sts:AssumeRole"] + (["sts:TagSession"] if tag_session else [])
    build.policy(ONE, "trust", statement("t", action=calls, principal={"AWS": A}))
    read = allow("r", "s3:GetObject", "*", tag_is("aws:PrincipalTag/team", "red"))
    build.policy(ONE, "identity", read)
    return build


def test_who_may_tag_a_session_may_set_the_principal_s_tag() -> None:
    item = explained(trusting(tag_session=True), "s3:GetObject", OBJECT)
    condition = only(item)
    assert condition["who"] == (
        "itself: it may call sts:AssumeRole and sts:TagSession on the role"
    )
    assert item["unguarded"]


def test_a_user_may_tag_itself_into_a_permission() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    red = tag_is("aws:PrincipalTag/team", "red")
    build.policy(ANA, "identity", allow("r", "s3:GetObject", "*", red))
    # The user's tags are collected and hold no team: not open, never.
    assert explained(build, "s3:GetObject", OBJECT)["verdict"] == "never"


def reading(key: str, *more: Statement, resource: str = OBJECT) -> ReachItem:
    build = AccountBuilder()
    build.identity(ANA)
    build.policy(
        ANA, "identity", allow("r", "s3:GetObject", "*", tag_is(key, "open")), *more
    )
    return explained(build, "s3:GetObject", resource)


def test_an_object_s_tags_are_set_by_object_tagging() -> None:
    key = "s3:ExistingObjectTag/class"
    itself = reading(key, allow("t", "s3:PutObjectTagging"))
    assert only(itself)["who"] == (
        "itself: it may call s3:PutObjectTagging on the object"
    )
    bound = tag_is("s3:RequestObjectTag/class", "closed")
    assert not reading(key, allow("t", "s3:PutObjectTagging", "*", bound))["unguarded"]
    assert not reading(key, allow("t", "s3:PutBucketTagging"))["unguarded"]
    assert not reading(key, allow("t", "s3:PutObjectTagging", f"{BUCKET}/z/*"))[
        "unguarded"
    ]


@pytest.mark.parametrize("key", ["s3:BucketTag/class", "aws:ResourceTag/class"])
def test_a_bucket_s_tags_are_set_on_the_bucket(key: str) -> None:
    itself = reading(key, allow("t", "s3:PutBucketTagging", BUCKET))
    assert only(itself)["who"] == (
        "itself: it may call s3:PutBucketTagging on the bucket"
    )
    assert reading(key, allow("t", "s3:TagResource", BUCKET))["unguarded"]
    assert not reading(key, allow("t", "s3:PutObjectTagging"))["unguarded"]


def test_a_resource_that_is_a_pattern_is_left_as_it_is() -> None:
    item = reading(
        "s3:ExistingObjectTag/class",
        allow("t", "s3:*Tagging"),
        resource=f"{BUCKET}/*",
    )
    assert only(item)["who"] == "anyone who may tag the resource"
    assert "set_by" not in only(item)
    assert item["unguarded"] is False


def test_a_tag_that_must_not_be_there_may_be_taken_away() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(BEN)
    queue = f"arn:aws:sqs:us-east-1:{A}:jobs"
    not_red = tag_is("aws:ResourceTag/team", "red", operator="StringNotEquals")
    build.policy(ANA, "identity", allow("s", "sqs:SendMessage", "*", not_red))
    build.policy(BEN, "identity", allow("t", "sqs:UntagQueue"))
    condition = only(explained(build, "sqs:SendMessage", queue))
    assert condition["who"] == "1 identity may tag it: ben"


def test_what_the_caller_says_of_itself_guards_nothing() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    agent = tag_is("aws:UserAgent", "good", operator="StringLike")
    build.policy(ANA, "identity", allow("r", "s3:GetObject", "*", agent))
    item = explained(build, "s3:GetObject", OBJECT)
    assert item["unguarded"]
    assert item["unguarded_because"] == "aws:UserAgent: chosen by the caller"


def test_a_guard_beside_the_caller_s_word_is_a_guard() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    both = {
        "StringLike": {"aws:UserAgent": "good"},
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
    }
    build.policy(ANA, "identity", allow("r", "s3:GetObject", "*", both))
    assert explained(build, "s3:GetObject", OBJECT)["unguarded"] is False


def test_a_sure_answer_is_left_as_it_is() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    build.policy(ANA, "identity", allow("r", "s3:GetObject"))
    item = explained(build, "s3:GetObject", OBJECT)
    assert item["verdict"] == "always"
    assert "unguarded" not in item


def test_another_account_s_tagger_needs_the_resource_s_own_policy() -> None:
    build = stopping()
    far = build.identity(user("far", B))
    build.policy(far, "identity", allow("t", "ec2:CreateTags"))
    condition = only(explained(build, "ec2:StopInstances", INSTANCE))
    assert condition["who"] == "1 identity may tag it under conditions: far"


def test_the_resource_s_own_policy_may_let_a_tagger_in() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(BEN)  # without any policy of his own
    build.resource(BUCKET, "s3:bucket", A)
    read = allow("r", "s3:GetObject", "*", tag_is("s3:BucketTag/class", "open"))
    build.policy(ANA, "identity", read)
    own = statement(
        "own", action="s3:PutBucketTagging", resource=BUCKET, principal={"AWS": BEN}
    )
    build.policy(BUCKET, "resource", own)
    condition = only(explained(build, "s3:GetObject", OBJECT))
    assert condition["who"] == "1 identity may tag it: ben"


# Through the flows

GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{A}:oidc-provider/{GITHUB}"
NOW = 1_800_000_000_000_000_000


def workflow(condition: Condition) -> Inventory:
    """A role that GitHub's tokens enter under a condition."""
    build = AccountBuilder()
    build.identity(ONE)
    enter = statement(
        "enter",
        action="sts:AssumeRoleWithWebIdentity",
        principal={"Federated": PROVIDER},
        condition=condition,
    )
    build.policy(ONE, "trust", enter)
    build.policy(ONE, "identity", allow("r", "s3:GetObject"))
    return build.inventory()


def entering(condition: Condition) -> ReachItem:
    document = flow.list_who_can(workflow(condition), "s3:GetObject", OBJECT, now=NOW)
    items_ = cast(list[ReachItem], document.items)
    (outside,) = (item for item in items_ if item["subject"] == PROVIDER)
    return outside


def test_a_trust_in_the_audience_alone_is_unguarded() -> None:
    audience = tag_is(f"{GITHUB}:aud", "sts.amazonaws.com")
    outside = entering(audience)
    assert outside["unguarded"]
    assert "any job anywhere can" in outside["unguarded_because"]
    subject = tag_is(f"{GITHUB}:sub", "repo:org/app:ref:refs/heads/main")
    both = {**audience["StringEquals"], **subject["StringEquals"]}
    assert not entering({"StringEquals": both})["unguarded"]


def test_can_names_the_setters_in_its_document() -> None:
    build = stopping(others=[allow("tag", "ec2:CreateTags")])
    document = flow.check_permission(
        build.inventory(), ANA, "ec2:StopInstances", INSTANCE, now=NOW, direct=True
    )
    (item,) = cast(list[ReachItem], document.items)
    assert only(item)["set_by"] == [BEN]
    assert item["unguarded"] is False

"""The three flows, as the command line calls them."""

from dataclasses import replace
from typing import cast

import pytest

from answerable.model.documents.shared_shapes import PermissionCheckItem, ReachItem
from answerable.model.errors import UsageError
from answerable.model.ids import CredentialId, IdentityId, PolicyId
from answerable.model.inventory import CredentialEntity, Inventory
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import (
    SEEN,
    A,
    AccountBuilder,
    B,
    role,
    statement,
    user,
)

NOW = 1_764_000_000_000_000_000
GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{A}:oidc-provider/{GITHUB}"
RED = "arn:aws:s3:::red/a"


def can(inventory: Inventory, *question: str, **options: bool) -> PermissionCheckItem:
    document = flow.check_permission(inventory, *question, now=NOW, **options)
    return cast(PermissionCheckItem, document.items[0])


def rows(inventory: Inventory, subject: str, **options: str) -> list[ReachItem]:
    document = flow.list_subject_permissions(inventory, subject, now=NOW, **options)
    return cast(list[ReachItem], document.items)


def pipeline() -> AccountBuilder:
    """A role that GitHub may enter, that passes an admin role to a function."""
    build = AccountBuilder()
    ci, admin = build.identity(role("ci")), build.identity(role("admin"))
    sub = {f"{GITHUB}:sub": "repo:org/*"}
    aud = {f"{GITHUB}:aud": "sts.amazonaws.com"}
    build.policy(
        ci,
        "trust",
        statement(
            "oidc",
            action="sts:AssumeRoleWithWebIdentity",
            principal={"Federated": PROVIDER},
            condition={"StringLike": sub, "StringEquals": aud},
        ),
    )
    build.policy(
        ci,
        "identity",
        statement("pass", action="iam:PassRole", resource=admin),
        statement(
            "run",
            action=["lambda:CreateFunction", "lambda:InvokeFunction"],
            resource="*",
        ),
    )
    build.policy(
        admin,
        "trust",
        statement(
            "lambda",
            action="sts:AssumeRole",
            principal={"Service": "lambda.amazonaws.com"},
        ),
    )
    build.policy(admin, "identity", statement("all", action="*", resource="*"))
    return build


def test_who_can_shows_who_enters_from_outside_and_on_what_condition() -> None:
    document = flow.list_who_can(pipeline().inventory(), "s3:GetObject", RED, now=NOW)
    items = cast(list[ReachItem], document.items)
    (outside,) = (item for item in items if item["subject"] == PROVIDER)
    first, second = outside["path"]
    assert first["via"] == "sts:AssumeRoleWithWebIdentity"
    assert second["to"] == role("admin")
    (alternative,) = first["conditions"]
    (sub,) = (c for c in alternative["all_of"] if c["key"] == f"{GITHUB}:sub")
    assert sub["asserted_by"] == "depends"
    assert "org/*" in sub["who"]
    assert (outside["verdict"], outside["admin"]) == ("only-if", True)


def test_reach_lists_direct_rows_first_and_then_the_admin_it_becomes() -> None:
    items = rows(pipeline().inventory(), "ci")
    assert [item["path"] == [] for item in items] == [True, True, True, False, False]
    told = [(i["action"], i["resource"], i["verdict"]) for i in items[3:]]
    # A key's own policy must allow as well, and it was not collected.
    assert told == [("* except kms:*", "*", "always"), ("kms:*", "*", "only-if")]
    assert items[-1]["admin"]
    assert not items[0]["admin"]


@pytest.mark.parametrize(
    ("subject", "verdict"),
    [
        ("*", "always"),
        ("anonymous", "always"),
        ("lambda.amazonaws.com", "always"),
        ("444455556666", "always"),
        ("arn:aws:iam::444455556666:role/x", "always"),
        (PROVIDER, "always"),
    ],
)
def test_a_caller_from_outside_is_judged_by_the_resource_s_own_policy(
    subject: str, verdict: str
) -> None:
    build = pipeline()
    inventory = build.inventory()
    anyone = statement(
        "any", action="s3:GetObject", resource="*", principal={"AWS": "*"}
    )
    policy = Policy(PolicyId("arn:aws:s3:::red#policy"), "p", (anyone,), (), SEEN)
    attached = PolicyAttachment(
        policy.id, "arn:aws:s3:::red", PolicyLayer.RESOURCE, "", SEEN
    )
    facts = replace(
        inventory.facts,
        policies=(*inventory.facts.policies, policy),
        attachments=(*inventory.facts.attachments, attached),
    )
    item = can(replace(inventory, facts=facts), subject, "s3:GetObject", RED)
    assert (item["subject"], item["verdict"]) == (
        "*" if subject == "anonymous" else subject,
        verdict,
    )


def test_an_unknown_identity_of_a_known_account_is_still_an_error() -> None:
    with pytest.raises(UsageError, match="cj"):
        can(pipeline().inventory(), role("cj"), "s3:GetObject", RED)


def test_a_filter_keeps_what_could_touch_and_narrows_it() -> None:
    inventory = pipeline().inventory()
    items = rows(inventory, "ci", resource="s3://red/*", action="s3:Get*")
    assert [(i["action"], i["resource"]) for i in items] == [
        ("s3:Get*", "arn:aws:s3:::red/*")
    ]
    assert rows(inventory, "ci", action="lambda:Delete*")[0]["path"]
    assert rows(inventory, "ci", resource="*role/admin*")


def test_the_same_row_in_another_account_is_told_too() -> None:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    for account in (A, B):
        lists = build.identity(role("lists", account))
        enter = statement("t", action="sts:AssumeRole", principal={"AWS": ana})
        build.policy(lists, "trust", enter)
        keys = statement("k", action="kms:ListKeys", resource="*")
        build.policy(lists, "identity", keys)
    into = statement("in", action="sts:AssumeRole", resource=role("lists", B))
    build.policy(ana, "identity", into)
    found = rows(build.inventory(), "ana", action="kms:*")
    assert [item["path"][-1]["to"] for item in found] == [
        role("lists"),
        role("lists", B),
    ]


def test_a_deny_is_taken_out_of_a_row() -> None:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    build.policy(
        ana,
        "identity",
        statement("all", action="s3:*", resource="*"),
        statement("no", effect="Deny", action="s3:DeleteObject", resource="*"),
    )
    (item,) = rows(build.inventory(), "ana")
    assert item["action"] == "s3:* except s3:DeleteObject"
    assert [d["statement"] for d in item["determining"]] == ["all", "no"]


def test_coverage_names_what_could_change_this_answer_and_no_more() -> None:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    build.policy(ana, "identity", statement("s3", action="s3:GetObject", resource="*"))
    inventory = build.inventory()
    yes = can(inventory, "ana", "s3:GetObject", RED)["coverage"]["not_collected"]
    assert yes == ["endpoint-policies", "rcp", "resource-policies", "scp"]
    no = can(inventory, "ana", "s3:PutObject", RED)["coverage"]["not_collected"]
    assert no == ["resource-policies"]
    none = can(inventory, "ana", "ec2:RunInstances", "*")["coverage"]["not_collected"]
    assert none == []
    alone = can(inventory, "ana", "ec2:RunInstances", "*", direct=True)
    assert alone["coverage"]["not_collected"] == []


def test_nothing_at_all_names_the_policies_that_resources_may_hold() -> None:
    build = AccountBuilder()
    build.identity(user("ana"))
    for subject in ("ana", "*"):
        document = flow.list_subject_permissions(build.inventory(), subject, now=NOW)
        assert document.items == []
        assert "resource-policies" in document.coverage["not_collected"]


def test_a_policy_that_was_not_collected_is_named_and_leaves_it_open() -> None:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    missing = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    build.policy(ana, "identity", policy=missing, collected=False)
    item = can(build.inventory(), "ana", "s3:GetObject", RED)
    assert item["verdict"] == "only-if"
    assert missing in item["coverage"]["not_collected"]
    assert not item["coverage"]["partial"]


def test_a_statement_that_could_not_be_read_makes_the_answer_partial() -> None:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    allow = statement("s3", action="s3:GetObject", resource="*")
    build.policy(ana, "identity", allow, unread=["1"])
    item = can(build.inventory(), "ana", "s3:GetObject", RED)
    assert item["verdict"] == "only-if"
    assert item["coverage"]["partial"]


def test_a_credential_without_a_principal_is_not_known_and_says_why() -> None:
    build = AccountBuilder()
    build.identity(user("ana"))
    key = CredentialId("cred:aws/AKIAEXAMPLE")
    how = f"account {A}, principal not collected"
    entity = CredentialEntity(key, (), None, how)
    inventory = replace(build.inventory(), credentials={key: entity})
    (row,) = rows(inventory, key)
    assert (row["verdict"], row["subject"]) == ("not-known", key)
    missing = {"id": key, "because": how, "source": "aws-keys"}
    assert row["unknown"] == [missing]
    assert can(inventory, key, "s3:GetObject", RED)["unknown"] == [missing]
    known = replace(entity, identity=IdentityId(user("ana")), how="list-access-keys")
    inventory = replace(inventory, credentials={key: known})
    item = can(inventory, key, "s3:GetObject", RED)
    assert (item["subject"], item["verdict"]) == (key, "never")


def test_an_expectation_that_does_not_hold_fails_the_document() -> None:
    inventory = pipeline().inventory()
    question = ("ci", "s3:GetObject", RED)
    assert not flow.check_permission(
        inventory, *question, now=NOW, expect="always"
    ).failed
    assert flow.check_permission(inventory, *question, now=NOW, expect="never").failed
    direct = flow.check_permission(
        inventory, *question, now=NOW, expect="never", direct=True
    )
    assert not direct.failed


@pytest.mark.parametrize(
    ("question", "hint"),
    [
        (("ci", "s3:GetObjct", RED), "did you mean s3:GetObject?"),
        (("ci", "s4:GetObject", RED), "did you mean s3:GetObject?"),
        (("ci", "GetObject", RED), "for example s3:GetObject"),
        (("ci", "s3:Get*", RED), "for example s3:GetObject"),
        (("ci", "s3:GetObject", "nowhere"), "give its ARN"),
        (("cj", "s3:GetObject", RED), "did you mean ci?"),
    ],
)
def test_a_wrong_question_names_the_nearest_right_one(
    question: tuple[str, str, str], hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        flow.check_permission(pipeline().inventory(), *question, now=NOW)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("aws:PrincpalOrgID", "did you mean aws:PrincipalOrgID?"),
        ("aws:PrincpalTag/team", "did you mean aws:PrincipalTag/team?"),
        ("s3:prefx", "did you mean s3:prefix?"),
        ("aws:MoonPhase", ""),
        ("AWS:sourceip", ""),
        ("token.example.com:sub", ""),
        ("aws:PrincpalArn", ""),
    ],
)
def test_a_mistyped_condition_key_is_told_the_right_one_unless_a_policy_names_it(
    key: str, hint: str
) -> None:
    build = pipeline()
    build.policy(
        build.identity(user("ana")),
        "identity",
        statement(
            "s",
            action="s3:*",
            resource="*",
            condition={"StringEquals": {"aws:PrincpalArn": "x"}},
        ),
    )
    inventory = build.inventory()
    stated = {key: ("10.0.0.1",)}
    if not hint:
        flow.check_permission(
            inventory, "ci", "s3:GetObject", RED, now=NOW, context=stated
        )
        return
    with pytest.raises(UsageError, match="unknown condition key") as caught:
        flow.check_permission(
            inventory, "ci", "s3:GetObject", RED, now=NOW, context=stated
        )
    assert caught.value.hint == hint


def test_a_pattern_asks_about_every_resource_in_it() -> None:
    build = AccountBuilder()
    ana = build.identity(user("ana"))
    build.policy(
        ana,
        "identity",
        statement("all", action="s3:*", resource="*"),
        statement(
            "no", effect="Deny", action="s3:*", resource="arn:aws:s3:::red/secret/*"
        ),
    )
    inventory = build.inventory()
    assert can(inventory, "ana", "s3:GetObject", RED)["verdict"] == "always"
    whole = can(inventory, "ana", "s3:GetObject", "arn:aws:s3:::red/*")
    assert whole["verdict"] == "only-if"
    assert whole["conditions"][0]["all_of"][0]["asserted_by"] == "operation"
    blue = can(inventory, "ana", "s3:GetObject", "arn:aws:s3:::blue/*")
    assert blue["verdict"] == "always"

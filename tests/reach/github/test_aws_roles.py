"""A GitHub user who can push enters the AWS roles that trust the workflow's token."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from answerable.model.inventory import Inventory
from answerable.usecases.reach.permissions import (
    check_permission,
    list_subject_permissions,
    list_who_can,
)
from tests.reach.account_builder import A, AccountBuilder, role, statement
from tests.reach.github.organization_builder import build_organization, encode

ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{A}:oidc-provider/{ISSUER}"
READ = ("s3:GetObject", "arn:aws:s3:::data/a")
DEPLOY = role("deploy")
NOW = 1_772_323_300 * 10**9
ANA, EVE, ZOE = (f"github:user/{name}" for name in ("ana", "eve", "zoe"))
OLD = 1_600_000_000 * 10**9
NEW = 1_790_000_000 * 10**9
SHOP: dict[str, Any] = {
    "id": 7,
    "created_at": OLD,
    "oidc": {},
    "collaborators": [["ana", "write"], ["eve", "read"]],
}


def build(
    subject: str | list[str] | None,
    repository: Mapping[str, Any] = SHOP,
    **organization: Any,
) -> Inventory:
    """An account with a role that trusts GitHub, and an organization."""
    account = AccountBuilder()
    read = statement("r", action=READ[0], resource=READ[1])
    account.policy(account.identity(DEPLOY), "identity", read, policy="read")
    block: dict[str, dict[str, str | list[str]]] = {
        "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"}
    }
    if subject is not None:
        block["StringLike"] = {f"{ISSUER}:sub": subject}
    trust = statement(
        "t",
        action="sts:AssumeRoleWithWebIdentity",
        principal={"Federated": PROVIDER},
        condition=block,
    )
    account.policy(DEPLOY, "trust", trust)
    found = account.inventory()
    written = {"id": 5, "repositories": [repository], **organization}
    catalogue = encode(build_organization(written))
    return replace(found, facts=replace(found.facts, catalogues=(catalogue,)))


def can(inventory: Inventory, subject: str) -> Any:
    return check_permission(inventory, subject, *READ, now=NOW).items[0]


MAIN = "repo:acme/shop:ref:refs/heads/main"
LOCKED = {"protections": [{"pattern": "main", "lock": True}]}
REVIEWED = {
    "protections": [{"pattern": "main", "requires_reviews": True, "reviews_count": 1}]
}
PROD = {"environments": [{"name": "prod", "reviewers": ["user/eve"]}]}


@pytest.mark.parametrize(
    ("subject", "more", "verdict"),
    [
        (MAIN, {}, "always"),
        (MAIN, LOCKED, "never"),
        (MAIN, REVIEWED, "only-if"),
        ("repo:acme/shop:*", LOCKED, "always"),
        ("repo:acme/*", LOCKED, "always"),
        ("repo:acme/other:*", {}, "never"),
        (None, {}, "always"),
        ("repo:acme/shop:environment:prod", {}, "always"),
        ("repo:acme/shop:environment:prod", PROD, "only-if"),
        ("repo:acme/shop:pull_request", LOCKED, "always"),
        ("repo:acme/shop:ref:refs/heads/release/*", {}, "always"),
        ("repo:acme/shop:ref:refs/tags/v*", LOCKED, "always"),
        ("repo:acme@5/shop@7:ref:refs/heads/main", {"created_at": NEW}, "always"),
        (MAIN, {"created_at": NEW}, "never"),
        ("repo:acme/*", {"created_at": NEW}, "never"),
        (MAIN, {"created_at": 0}, "only-if"),
        (MAIN, {"oidc": None}, "only-if"),
        (
            "repo:acme/shop:environment:prod%3Aeu",
            {"environments": [{"name": "prod:eu"}]},
            "always",
        ),
        (
            "repository_owner:acme:environment:prod",
            {
                "oidc": {
                    "include_claims": ["repository_owner", "context"],
                    "use_default": False,
                }
            },
            "never",
        ),
        (
            "repository_owner:acme:ref:refs/heads/main",
            {
                "oidc": {
                    "include_claims": ["repository_owner", "context"],
                    "use_default": False,
                }
            },
            "always",
        ),
    ],
)
def test_who_pushes_enters_a_role_as_its_trust_policy_says(
    subject: str, more: Mapping[str, Any], verdict: str
) -> None:
    inventory = build(subject, {**SHOP, **more})
    assert can(inventory, ANA)["verdict"] == verdict
    assert can(inventory, EVE)["verdict"] == "never"


def test_the_path_names_the_run_and_the_role() -> None:
    item = can(build(MAIN), ANA)
    run = "github:acme/repo/shop/run/ref:refs%2Fheads%2Fmain"
    assert [(hop["via"], hop["to"]) for hop in item["path"]] == [
        ("edit-workflow", run),
        ("sts:AssumeRoleWithWebIdentity", DEPLOY),
    ]
    said = item["path"][0]["determining"][0]["statement"]
    assert said == "shop: role write for user/ana"


def test_callers_of_an_aws_call_include_who_can_push() -> None:
    document = list_who_can(build(MAIN), *READ, now=NOW)
    subjects = {row["subject"]: row["verdict"] for row in document.items}
    assert subjects[ANA] == "always"
    assert subjects[DEPLOY] == "always"
    assert EVE not in subjects
    assert "github:user/*" not in subjects


CALLER = {
    "path": ".github/workflows/deploy.yml",
    "branch": "main",
    "triggers": ["push"],
    "jobs": [
        {
            "name": "deploy",
            "permissions": [["id-token", "write"]],
            "actions": ["acme/setup@v1"],
        }
    ],
}
SETUP = {"name": "setup", "id": 8, "collaborators": [["bob", "write"]]}


def test_who_changes_called_code_enters_the_role_of_its_caller() -> None:
    members = [{"login": each, "role": "member"} for each in ("ana", "bob", "eve")]
    shop = {**SHOP, **LOCKED, "workflows": [CALLER]}
    inventory = build(
        MAIN, shop, repositories=[shop, SETUP], members=members, base_role="none"
    )
    item = can(inventory, "github:user/bob")
    assert item["verdict"] == "only-if"  # the next run of the caller
    assert item["path"][0]["via"] == "change-called-code"
    assert can(inventory, ANA)["verdict"] == "never"
    rows = list_who_can(inventory, *READ, now=NOW).items
    assert {"github:user/bob", DEPLOY} <= {row["subject"] for row in rows}


def test_rows_of_a_user_include_the_role() -> None:
    rows = list_subject_permissions(build(MAIN), ANA, now=NOW).items
    found = {(row["action"], row["resource"]) for row in rows}
    assert READ in found
    assert ("push", "github:acme/repo/shop") in found


def test_an_outsider_enters_where_a_workflow_runs_its_code() -> None:
    job = {
        "name": "j",
        "permissions": [["id-token", "write"]],
        "checks_out_head": True,
    }
    flow = {
        "path": "w.yml",
        "branch": "main",
        "triggers": ["pull_request_target"],
        "jobs": [job],
    }
    open_ = {**SHOP, "visibility": "public", "workflows": [flow]}
    item = can(build(MAIN, open_), ZOE)
    assert item["verdict"] == "only-if"
    condition = item["conditions"][0]["all_of"][0]
    assert (condition["key"], condition["asserted_by"]) == ("github:trigger", "caller")
    without = {**open_, "workflows": [{**flow, "jobs": [{**job, "permissions": []}]}]}
    assert can(build(MAIN, without), ZOE)["verdict"] == "never"


def test_missing_collaborators_make_a_user_not_known() -> None:
    inventory = build(MAIN, {**SHOP, "collaborators": None})
    assert can(inventory, ZOE)["verdict"] == "not-known"


def test_an_organization_that_was_not_scanned_makes_a_user_not_known() -> None:
    assert can(build("repo:other/x:*"), ANA)["verdict"] == "not-known"


def test_a_workflow_enters_by_its_own_token() -> None:
    flow = {
        "path": "w.yml",
        "branch": "main",
        "triggers": ["push"],
        "jobs": [{"name": "j", "permissions": [["id-token", "write"]]}],
    }
    inventory = build(MAIN, {**SHOP, "workflows": [flow]})
    assert can(inventory, "github:acme/workflow/shop/w.yml")["verdict"] == "always"

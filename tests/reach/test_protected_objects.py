"""Objects that AWS protects, calls of the owner alone, and ways that were not followed."""

from dataclasses import replace
from typing import cast

import pytest

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.coverage import CoverageScope
from answerable.model.documents.shared_shapes import PermissionCheckItem
from answerable.model.ids import IdentityId
from answerable.model.inventory import SourceCoverage
from answerable.reach.aws import subject_queries
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.aws_protected_objects import OWNER_ACCOUNT_ACTIONS
from answerable.reach.aws.compiled.trust_index import get_service_principal_kind
from answerable.reach.aws.condition_keys import tag_explanations
from answerable.reach.aws.escalation_rules.pass_role_managed_service_rules import (
    MANAGED_SERVICES,
)
from answerable.reach.aws.escalation_rules.registry import (
    RESOURCE_ARN_TEMPLATES,
    PassRoleRule,
)
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.collection_coverage import CollectedData
from answerable.reach.condition_formula import FALSE, TRUE
from answerable.usecases.reach import permissions as flow
from tests.reach.account_builder import (
    A,
    AccountBuilder,
    B,
    catalogue,
    role,
    statement,
    user,
)

ANA, ONE = user("ana"), role("one")
SSO = role("aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1")
READ = ("s3:GetObject", "arn:aws:s3:::red/a")


def trusting(service: str) -> AccountBuilder:
    build = AccountBuilder()
    build.identity(ANA)
    build.identity(ONE)
    entering = ["sts:AssumeRole", "sts:TagSession", "sts:AssumeRoleWithWebIdentity"]
    principal = {get_service_principal_kind(service): service}
    named = statement("t", action=entering, principal=principal)
    build.policy(ONE, "trust", named)
    build.policy(ONE, "identity", statement("r", action="s3:*", resource="*"))
    return build


def held(actions: list[str]) -> list[object]:
    return [statement(a, action=a, resource="*") for a in actions]


@pytest.mark.parametrize(
    "rule",
    MANAGED_SERVICES,
    ids=lambda rule: (
        "+".join(need.action for need in rule.needs) + rule.precondition[:9]
    ),
)
def test_a_rule_is_followed_and_lost_with_any_call_it_needs(rule: PassRoleRule) -> None:
    calls = ["iam:PassRole", *dict.fromkeys(need.action for need in rule.needs)]
    services = {call.partition(":")[0] for call in calls} | {"s3", "sts"}
    known = load_catalogue(sorted(services))

    def answer(actions: list[str]) -> tuple[int, int]:
        build = trusting(rule.service)
        build.policy(ANA, "identity", *held(actions))  # type: ignore[arg-type]
        if rule.changed_resource_kind:
            arn = RESOURCE_ARN_TEMPLATES[rule.changed_resource_kind].format(
                partition="aws", region="us-east-1", account=A, name="n"
            )
            build.resource(arn, rule.changed_resource_kind, A)
        graph = IdentityGraph(compile_accounts(build.facts(), known))
        found = subject_queries.answer_subject(
            graph, IdentityId(ANA), *READ, direct=False
        ).formula
        rank = 0 if found == FALSE else 2 if found == TRUE else 1
        return rank, -min((len(one) for one in found), default=0)

    whole = answer(calls)
    assert whole[0] == (1 if rule.precondition else 2)
    for gone in calls:
        assert answer([call for call in calls if call != gone]) < whole, gone


def item(build: AccountBuilder) -> PermissionCheckItem:
    return cast(
        PermissionCheckItem,
        flow.check_permission(build.inventory(), ANA, *READ, now=0).items[0],
    )


def test_a_pass_to_a_service_without_a_rule_is_named() -> None:
    build = trusting("personalize.amazonaws.com")
    build.policy(ANA, "identity", *held(["iam:PassRole"]))  # type: ignore[arg-type]
    found = item(build)
    word = f"passed-roles (account {A}, personalize.amazonaws.com)"
    assert found["verdict"] == "never"
    assert word in found["coverage"]["not_collected"]
    assert "passed-roles" in found["assuming"]
    silent = trusting("personalize.amazonaws.com")
    silent.policy(ANA, "identity", *held(["s3:ListBucket"]))  # type: ignore[arg-type]
    assert word not in item(silent)["coverage"]["not_collected"]


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        ("ecs:task", ["ecs:ExecuteCommand"]),
        (
            "ec2:launch-template",
            ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"],
        ),
    ],
)
def test_code_that_no_source_tells_of_is_named(kind: str, calls: list[str]) -> None:
    build = trusting("ecs-tasks.amazonaws.com")
    build.policy(ANA, "identity", *held(calls))  # type: ignore[arg-type]
    word = f"running-code (account {A}, {kind})"
    assert word in item(build)["coverage"]["not_collected"]


TASK = f"arn:aws:ecs:us-east-1:{A}:task/apps/0123"
APPS = f"arn:aws:ecs:us-east-1:{A}:cluster/apps"


def tasks(*on: str) -> PermissionCheckItem:
    """Ana may enter tasks on some resources; one task runs as the role that reads."""
    build = trusting("ecs-tasks.amazonaws.com")
    build.resource(TASK, "ecs:task", A, runs_as=ONE)
    enter = statement("x", action="ecs:ExecuteCommand", resource=on)
    build.policy(ANA, "identity", enter)
    return item(build)


def test_a_task_is_entered_as_its_role() -> None:
    found = tasks(TASK, APPS)
    assert (found["verdict"], found["path"][0]["to"]) == ("only-if", ONE)
    assert tasks(TASK)["verdict"] == "never"  # its cluster is needed as well
    assert tasks(APPS)["verdict"] == "never"


@pytest.mark.parametrize("kind", ["ecs:task", "ec2:launch-template"])
def test_code_that_was_collected_in_a_region_is_missing_in_others(kind: str) -> None:
    calls = {"ecs:task": "ecs:ExecuteCommand", "ec2:launch-template": "ec2:*"}

    def words(region: str) -> list[str]:
        build = trusting("ecs-tasks.amazonaws.com")
        service = calls[kind].partition(":")[0]
        on = f"arn:aws:{service}:{region}:{A}:*"
        said = statement("c", action=calls[kind], resource=on)
        build.policy(ANA, "identity", said)
        inventory = build.inventory()
        held = CoverageScope("running-code", A, "eu-west-1", kind)
        source = SourceCoverage(
            "aws-resources:x", "aws-resources", 1, (), ("running-code",), (), (held,)
        )
        inventory = replace(inventory, coverage=(*inventory.coverage, source))
        found = flow.check_permission(inventory, ANA, *READ, now=0).items[0]
        listed = cast(PermissionCheckItem, found)["coverage"]["not_collected"]
        return [word for word in listed if kind in word]

    assert words("eu-west-1") == []
    assert words("us-east-1") == [f"running-code (account {A}, {kind}, us-east-1)"]
    assert words("*") == [f"running-code (account {A}, {kind}, other regions)"]


def test_kinds_of_code_say_nothing_of_functions_and_instances() -> None:
    collected = CollectedData(
        [CoverageScope("running-code", A, "eu-west-1", "ecs:task")]
    )
    missing = f"running-code (account {A}, eu-west-1)"
    assert collected.name_missing_data("running-code", A, "eu-west-1") == missing
    assert collected.name_missing_data("running-code", A, "eu-west-1", "ecs:task") == ""


def test_nobody_edits_a_role_of_identity_center() -> None:
    build = AccountBuilder()
    build.identity(ANA)
    edits = held(["iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy"])
    build.policy(ANA, "identity", *edits)  # type: ignore[arg-type]
    build.identity(SSO)
    named = {"Federated": f"arn:aws:iam::{A}:saml-provider/AWSSSO_1"}
    saml = statement("t", action="sts:AssumeRoleWithSAML", principal=named)
    build.policy(SSO, "trust", saml)
    build.policy(SSO, "identity", statement("r", action="s3:*", resource="*"))
    graph = IdentityGraph(compile_accounts(build.facts(), catalogue()))
    ana = IdentityId(ANA)
    assert (
        subject_queries.answer_subject(graph, ana, *READ, direct=False).formula == FALSE
    )
    put = subject_queries.answer_subject(
        graph, ana, "iam:PutRolePolicy", SSO, direct=False
    )
    assert put.formula == FALSE
    assert put.determining[0].effect == "impossible"


def test_calls_of_the_owner_alone_are_in_the_catalogue() -> None:
    known = load_catalogue(["kms", "s3", "sqs"])
    assert [
        call for call in OWNER_ACCOUNT_ACTIONS if known.find_action(call) is None
    ] == []


def test_a_short_name_that_several_have_carries_its_account() -> None:
    both = (IdentityId(role("deploy")), IdentityId(role("deploy", B)))
    assert (
        tag_explanations._list_short_identity_names(both)
        == f"deploy ({A}), deploy ({B})"
    )
    assert (
        tag_explanations._list_short_identity_names((*both[:1], IdentityId(role("ci"))))
        == "deploy, ci"
    )


def test_layers_and_coverage_say_the_same_of_rcps() -> None:
    build = AccountBuilder()
    build.organization(A, "o-1", ["r-1"], management=True)
    build.identity(ANA)
    build.policy(ANA, "identity", statement("r", action="s3:*", resource="*"))
    build.resource("arn:aws:s3:::red", "s3:bucket", A)
    found = item(build)
    layers = {one["layer"]: one["state"] for one in found["layers"]}
    words = {word.partition(" ")[0] for word in found["coverage"]["not_collected"]}
    assert (layers["rcp"], "rcp" in words) == ("does-not-apply", False)


@pytest.mark.parametrize(
    ("names", "formula"),
    [
        ("role/agents/*", TRUE),
        ("role/aws-service-role/*", FALSE),
        ("role/aws-reserved/*", FALSE),
    ],
)
def test_no_role_is_created_among_those_whose_policies_only_aws_changes(
    names: str, formula: object
) -> None:
    build = AccountBuilder()
    build.identity(ANA)
    calls = ["iam:CreateRole", "iam:PutRolePolicy", "sts:AssumeRole"]
    created = statement("c", action=calls, resource=f"arn:aws:iam::{A}:{names}")
    build.policy(ANA, "identity", created)
    graph = IdentityGraph(compile_accounts(build.facts(), catalogue()))
    found = subject_queries.answer_subject(graph, IdentityId(ANA), *READ, direct=False)
    assert found.formula == formula

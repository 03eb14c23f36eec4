"""Service and resource control policies over the organisation tree."""

from collections.abc import Iterator, Sequence

from answerable.model.ids import PolicyId
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer, Statement
from bench.organization.policy_syntax import (
    ANY_PRINCIPAL,
    ORG_SEEN,
    allow,
    condition,
    deny,
    deny_not_action,
    number_statements,
)
from bench.organization.structure import (
    DEVELOPMENT,
    MANAGEMENT,
    ORGANIZATION,
    PRODUCTION,
    ROOT,
    SANDBOX,
    SECURITY,
    WORKLOADS,
    OrganizationPlan,
)

_AWS = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
_RCP = "arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess"
_EXCEPT = condition(
    "ArnNotLike",
    "aws:PrincipalArn",
    "arn:aws:iam::*:role/OrganizationAccountAccessRole",
    "arn:aws:iam::*:role/deploy/*",
)
_GLOBAL = (
    "a4b:*",
    "acm:*",
    "budgets:*",
    "ce:*",
    "cloudfront:*",
    "ecr-public:*",
    "globalaccelerator:*",
    "health:*",
    "iam:*",
    "kms:*",
    "organizations:*",
    "route53:*",
    "route53domains:*",
    "s3:GetAccountPublic*",
    "s3:ListAllMyBuckets",
    "s3:PutAccountPublic*",
    "shield:*",
    "sts:*",
    "support:*",
    "waf:*",
    "wafv2:*",
)
_SANDBOX_MAY = (
    "athena:*",
    "bedrock:*",
    "cloudwatch:*",
    "dynamodb:*",
    "ec2:*",
    "events:*",
    "iam:*",
    "kms:*",
    "lambda:*",
    "logs:*",
    "s3:*",
    "secretsmanager:*",
    "sns:*",
    "sqs:*",
    "ssm:*",
    "sts:*",
)


def generate_control_policies(
    plan: OrganizationPlan,
) -> Iterator[tuple[Policy, tuple[PolicyAttachment, ...]]]:
    """Generate the control policies, on three levels of each account's path."""
    targets = dict.fromkeys(
        step for a in plan.accounts if a.parents for step in (*a.parents, a.id)
    )
    open_targets = [one for one in targets if one != SANDBOX]
    yield _build_policy(PolicyLayer.SCP, _AWS, [allow("*", "*")], open_targets)
    yield _build_policy(
        PolicyLayer.RCP, _RCP, [allow("*", "*", to=ANY_PRINCIPAL)], list(targets)
    )
    for name, statements, target in _scp_statements(plan):
        place = f"arn:aws:organizations::{MANAGEMENT}:policy/{ORGANIZATION}/"
        yield _build_policy(
            PolicyLayer.SCP,
            f"{place}service_control_policy/p-{name}",
            statements,
            target,
        )
    for name, statements, target in _rcp_statements():
        place = f"arn:aws:organizations::{MANAGEMENT}:policy/{ORGANIZATION}/"
        yield _build_policy(
            PolicyLayer.RCP,
            f"{place}resource_control_policy/p-{name}",
            statements,
            target,
        )


def _build_policy(
    layer: PolicyLayer,
    name: str,
    statements: Sequence[Statement],
    targets: Sequence[str],
) -> tuple[Policy, tuple[PolicyAttachment, ...]]:
    policy = PolicyId(name)
    short = name.rpartition("/")[2]
    return (
        Policy(policy, short, number_statements(statements), (), ORG_SEEN),
        tuple(
            PolicyAttachment(policy, target, layer, "", ORG_SEEN) for target in targets
        ),
    )


ControlPolicy = tuple[str, Sequence[Statement], Sequence[str]]


def _scp_statements(plan: OrganizationPlan) -> Iterator[ControlPolicy]:
    away = condition("StringNotEquals", "aws:RequestedRegion", "us-east-1", "eu-west-1")
    farther = condition("StringNotLike", "aws:RequestedRegion", "us-*", "eu-*", "ap-*")
    yield "regions", [deny_not_action(_GLOBAL, farther, _EXCEPT)], (ROOT,)
    leave = deny(("organizations:LeaveOrganization", "account:CloseAccount"))
    rooted = deny(
        "*", "*", condition("StringLike", "aws:PrincipalArn", "arn:aws:iam::*:root")
    )
    yield "leave", [leave, rooted], (ROOT,)
    watch = (
        "cloudtrail:StopLogging",
        "cloudtrail:DeleteTrail",
        "config:DeleteConfigurationRecorder",
        "config:StopConfigurationRecorder",
        "guardduty:Delete*",
        "guardduty:Disassociate*",
        "securityhub:Disable*",
    )
    yield "watch", [deny(watch, "*", _EXCEPT)], (WORKLOADS, SECURITY)
    people = ("iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile")
    bare = condition(
        "StringNotLike", "iam:PermissionsBoundary", "arn:aws:iam::*:policy/*"
    )
    yield (
        "production",
        [
            deny(people, "*", _EXCEPT),
            deny_not_action(_GLOBAL, away, _EXCEPT),
            deny(("iam:CreateRole", "iam:PutRolePermissionsBoundary"), "*", bare),
            deny("s3:PutAccountPublicAccessBlock"),
        ],
        (PRODUCTION,),
    )
    large = condition("StringNotLike", "ec2:InstanceType", "t3.*", "m6i.*")
    untagged = condition("Null", "aws:RequestTag/team", "true")
    machines = "arn:aws:ec2:*:*:instance/*"
    yield (
        "development",
        [
            deny("ec2:RunInstances", machines, large),
            deny("ec2:RunInstances", machines, untagged),
            deny(("sagemaker:Create*TrainingJob", "redshift:*", "es:Create*")),
        ],
        (DEVELOPMENT,),
    )
    yield "sandbox", [allow(_SANDBOX_MAY, "*")], (SANDBOX,)
    # One of its own for every account: what one team once asked for.
    services = sorted(plan.catalogue.services)
    for account in plan.accounts:
        if account.parents and not account.management:
            picked = plan.random.sample(services, 12)
            unwanted = tuple(f"{name}:*" for name in picked)
            yield f"unused-{account.id}", [deny(unwanted)], (account.id,)


def _rcp_statements() -> Iterator[ControlPolicy]:
    outside = condition("StringNotEqualsIfExists", "aws:PrincipalOrgID", ORGANIZATION)
    human = condition("BoolIfExists", "aws:PrincipalIsAWSService", "false")
    data = ("s3:*", "sqs:*", "secretsmanager:*", "kms:*", "ecr:*")
    yield "perimeter", [deny(data, "*", outside, human, to=ANY_PRINCIPAL)], (WORKLOADS,)
    plain = condition("BoolIfExists", "aws:SecureTransport", "false")
    yield "transport", [deny(("s3:*", "sqs:*"), "*", plain, to=ANY_PRINCIPAL)], (ROOT,)
    foreign = condition("StringNotEqualsIfExists", "aws:SourceOrgID", ORGANIZATION)
    present = condition("Null", "aws:SourceAccount", "false")
    by = condition("Bool", "aws:PrincipalIsAWSService", "true")
    deputies = [deny(data, "*", foreign, present, by, to=ANY_PRINCIPAL)]
    yield "deputies", deputies, (PRODUCTION,)
    old = condition("NumericLessThan", "s3:TlsVersion", "1.2")
    yield "tls", [deny("s3:*", "*", old, to=ANY_PRINCIPAL)], (SECURITY,)

"""Service and resource control policies over the organisation tree."""

from collections.abc import Iterator, Sequence

from answerable.model.ids import PolicyId
from answerable.model.policy import Attachment, Layer, Policy, Statement
from bench.organization.policy_syntax import (
    ANYBODY,
    ORG_SEEN,
    allow,
    deny,
    deny_all_but,
    numbered,
    when,
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
    Plan,
)

_AWS = "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
_RCP = "arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess"
_EXCEPT = when(
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


def policies(plan: Plan) -> Iterator[tuple[Policy, tuple[Attachment, ...]]]:
    """Generate the control policies, on three levels of each account's path."""
    targets = dict.fromkeys(
        step for a in plan.accounts if a.parents for step in (*a.parents, a.id)
    )
    open_targets = [one for one in targets if one != SANDBOX]
    yield _at(Layer.SCP, _AWS, [allow("*", "*")], open_targets)
    yield _at(Layer.RCP, _RCP, [allow("*", "*", to=ANYBODY)], list(targets))
    for name, statements, target in _services(plan):
        place = f"arn:aws:organizations::{MANAGEMENT}:policy/{ORGANIZATION}/"
        yield _at(
            Layer.SCP, f"{place}service_control_policy/p-{name}", statements, target
        )
    for name, statements, target in _resources():
        place = f"arn:aws:organizations::{MANAGEMENT}:policy/{ORGANIZATION}/"
        yield _at(
            Layer.RCP, f"{place}resource_control_policy/p-{name}", statements, target
        )


def _at(
    layer: Layer, name: str, statements: Sequence[Statement], targets: Sequence[str]
) -> tuple[Policy, tuple[Attachment, ...]]:
    policy = PolicyId(name)
    short = name.rpartition("/")[2]
    return (
        Policy(policy, short, numbered(statements), (), ORG_SEEN),
        tuple(Attachment(policy, target, layer, "", ORG_SEEN) for target in targets),
    )


Control = tuple[str, Sequence[Statement], Sequence[str]]


def _services(plan: Plan) -> Iterator[Control]:
    away = when("StringNotEquals", "aws:RequestedRegion", "us-east-1", "eu-west-1")
    farther = when("StringNotLike", "aws:RequestedRegion", "us-*", "eu-*", "ap-*")
    yield "regions", [deny_all_but(_GLOBAL, farther, _EXCEPT)], (ROOT,)
    leave = deny(("organizations:LeaveOrganization", "account:CloseAccount"))
    rooted = deny(
        "*", "*", when("StringLike", "aws:PrincipalArn", "arn:aws:iam::*:root")
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
    bare = when("StringNotLike", "iam:PermissionsBoundary", "arn:aws:iam::*:policy/*")
    yield (
        "production",
        [
            deny(people, "*", _EXCEPT),
            deny_all_but(_GLOBAL, away, _EXCEPT),
            deny(("iam:CreateRole", "iam:PutRolePermissionsBoundary"), "*", bare),
            deny("s3:PutAccountPublicAccessBlock"),
        ],
        (PRODUCTION,),
    )
    large = when("StringNotLike", "ec2:InstanceType", "t3.*", "m6i.*")
    untagged = when("Null", "aws:RequestTag/team", "true")
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


def _resources() -> Iterator[Control]:
    outside = when("StringNotEqualsIfExists", "aws:PrincipalOrgID", ORGANIZATION)
    human = when("BoolIfExists", "aws:PrincipalIsAWSService", "false")
    data = ("s3:*", "sqs:*", "secretsmanager:*", "kms:*", "ecr:*")
    yield "perimeter", [deny(data, "*", outside, human, to=ANYBODY)], (WORKLOADS,)
    plain = when("BoolIfExists", "aws:SecureTransport", "false")
    yield "transport", [deny(("s3:*", "sqs:*"), "*", plain, to=ANYBODY)], (ROOT,)
    foreign = when("StringNotEqualsIfExists", "aws:SourceOrgID", ORGANIZATION)
    present = when("Null", "aws:SourceAccount", "false")
    by = when("Bool", "aws:PrincipalIsAWSService", "true")
    deputies = [deny(data, "*", foreign, present, by, to=ANYBODY)]
    yield "deputies", deputies, (PRODUCTION,)
    old = when("NumericLessThan", "s3:TlsVersion", "1.2")
    yield "tls", [deny("s3:*", "*", old, to=ANYBODY)], (SECURITY,)

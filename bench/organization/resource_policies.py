"""Generator of resource policies, grants and public access blocks."""

from collections.abc import Callable, Iterator, Mapping

from answerable.model.ids import PolicyId
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer, Statement
from answerable.model.resource import PublicAccessBlock
from bench.organization.policy_syntax import (
    ANY_PRINCIPAL,
    RESOURCES_SEEN,
    account_principal,
    allow,
    condition,
    deny,
    number_statements,
    service_principal,
)
from bench.organization.resources import OrgResources, OwnedResource
from bench.organization.structure import (
    AUDIT,
    LOGS,
    ORGANIZATION,
    TOOLING,
    VENDOR,
    OrganizationPlan,
)

Written = Callable[[OrganizationPlan, OwnedResource], list[Statement]]
_BUCKET_READ = ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket")
_OBJECTS = ("s3:GetObject", "s3:PutObject")
_KEY_USE = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncrypt*",
    "kms:GenerateDataKey*",
    "kms:DescribeKey",
)
_KEY_ADMIN = (
    "kms:Create*",
    "kms:Describe*",
    "kms:Enable*",
    "kms:List*",
    "kms:Put*",
    "kms:Update*",
    "kms:Revoke*",
    "kms:Disable*",
    "kms:Get*",
    "kms:Delete*",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
)


def generate_resource_policies(
    plan: OrganizationPlan, found: OrgResources
) -> Iterator[tuple[Policy, PolicyAttachment]]:
    """Generate the policy of each resource that can have one.

    One that was asked and has none holds an empty one; two in a hundred were not asked.
    """
    for one in found.owned:
        write = _WRITERS.get(one.resource.kind)
        if write is None or plan.draw(0.02):
            continue
        yield _resource_policy(one, "policy", write(plan, one))
        if one.resource.kind == "kms:key" and plan.draw(0.15):
            yield _resource_policy(one, "grants", _key_grants(plan, one))


def generate_public_access_blocks(
    plan: OrganizationPlan, found: OrgResources
) -> Iterator[PublicAccessBlock]:
    """Block public access on most accounts, half of the buckets and access points."""
    for account in plan.accounts:
        if plan.draw(0.7):
            yield PublicAccessBlock(account.id, True, True, RESOURCES_SEEN)
    for one in found.owned:
        if one.resource.kind in ("s3:bucket", "s3:accesspoint") and plan.draw(0.5):
            whole = plan.draw(0.9)
            yield PublicAccessBlock(one.resource.id, whole, whole, RESOURCES_SEEN)


def _resource_policy(
    one: OwnedResource, what: str, statements: list[Statement]
) -> tuple[Policy, PolicyAttachment]:
    policy = PolicyId(f"{one.resource.id}#{what}")
    return (
        Policy(policy, what, number_statements(statements), (), RESOURCES_SEEN),
        PolicyAttachment(
            policy, one.resource.id, PolicyLayer.RESOURCE, "", RESOURCES_SEEN
        ),
    )


def _bucket_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    arn, account = one.resource.id, one.team.account
    both = (arn, f"{arn}/*")
    found = []
    if plan.draw(0.65):
        plain = condition("Bool", "aws:SecureTransport", "false")
        found.append(deny("s3:*", both, plain, to=ANY_PRINCIPAL))
    if plan.draw(0.12):
        other = account_principal(plan.other_account(account))
        found.append(allow(_BUCKET_READ, both, to=(other,)))
    if plan.draw(0.08):
        mine = condition("StringEquals", "aws:PrincipalOrgID", ORGANIZATION)
        found.append(allow(_BUCKET_READ, both, mine, to=ANY_PRINCIPAL))
    if plan.draw(0.05):
        source = f"arn:aws:cloudfront::{account}:distribution/E{one.team.name.upper()}"
        edge = condition("StringEquals", "AWS:SourceArn", source)
        to = (service_principal("cloudfront"),)
        found.append(allow("s3:GetObject", f"{arn}/*", edge, to=to))
    if plan.draw(0.02):
        found.append(allow("s3:GetObject", f"{arn}/public/*", to=ANY_PRINCIPAL))
    if plan.draw(0.06):
        network = condition(
            "StringNotEquals", "aws:SourceVpce", f"vpce-{one.team.name}"
        )
        by = condition("BoolIfExists", "aws:PrincipalIsAWSService", "false")
        found.append(deny(_OBJECTS, both, network, by, to=ANY_PRINCIPAL))
    if plan.draw(0.1):
        kms = condition("StringNotEquals", "s3:x-amz-server-side-encryption", "aws:kms")
        found.append(deny("s3:PutObject", f"{arn}/*", kms, to=ANY_PRINCIPAL))
    if plan.draw(0.1):
        user = (("AWS", plan.choose_role(plan.random.choice(plan.teams))),)
        found.append(allow(_OBJECTS, f"{arn}/jobs/*", to=user))
    if plan.draw(0.03):
        source = condition("StringEquals", "aws:SourceAccount", account)
        to = (service_principal("logging.s3"), service_principal("delivery.logs"))
        found.append(allow("s3:PutObject", f"{arn}/audit/*", source, to=to))
    return found


def _access_point_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    arn = one.resource.id
    if plan.draw(0.3):
        return []
    to = (("AWS", plan.choose_role(one.team)),)
    return [allow(_OBJECTS, f"{arn}/object/jobs/*", to=to)]


def _key_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    account, region = one.team.account, one.team.region
    default = allow("kms:*", "*", to=(account_principal(account),))
    mine = plan.choose_role(one.team)
    shape = plan.random.random()
    if shape < 0.5:
        return [default]
    if shape < 0.65:
        admin = (("AWS", f"arn:aws:iam::{account}:role/deploy/keys"), ("AWS", mine))
        users = (
            ("AWS", plan.choose_role(one.team)),
            ("AWS", plan.choose_role(one.team)),
        )
        return [allow(_KEY_ADMIN, "*", to=admin), allow(_KEY_USE, "*", to=users)]
    if shape < 0.85:
        name = plan.choose(("s3", "sqs", "secretsmanager", "dynamodb"))
        via = condition(
            "StringEquals", "kms:ViaService", f"{name}.{region}.amazonaws.com"
        )
        caller = condition("StringEquals", "kms:CallerAccount", account)
        return [default, allow(_KEY_USE, "*", via, caller, to=ANY_PRINCIPAL)]
    if shape < 0.95:
        other = account_principal(plan.other_account(account))
        return [default, allow(_KEY_USE, "*", to=(other, ("AWS", mine)))]
    resource = condition("Bool", "kms:GrantIsForAWSResource", "true")
    to = (("AWS", mine),)
    return [
        default,
        allow(("kms:CreateGrant", "kms:RevokeGrant"), "*", resource, to=to),
    ]


def _key_grants(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    to = (("AWS", plan.choose_role(one.team)),)
    arn = one.resource.id
    context = condition("StringEquals", "kms:EncryptionContext:team", one.team.name)
    some = (context,) if plan.draw(0.5) else ()
    return [allow(("kms:Decrypt", "kms:GenerateDataKey"), arn, *some, to=to)]


def _queue_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    arn, account, region = one.resource.id, one.team.account, one.team.region
    found = []
    if plan.draw(0.45):
        topic = f"arn:aws:sns:{region}:{account}:{one.team.name}-*"
        source = condition("ArnLike", "aws:SourceArn", topic)
        found.append(
            allow("sqs:SendMessage", arn, source, to=(service_principal("sns"),))
        )
    if plan.draw(0.1):
        other = account_principal(plan.other_account(account))
        found.append(allow(("sqs:SendMessage", "sqs:GetQueueUrl"), arn, to=(other,)))
    if plan.draw(0.2):
        plain = condition("Bool", "aws:SecureTransport", "false")
        found.append(deny("sqs:*", arn, plain, to=ANY_PRINCIPAL))
    return found


_TOPIC = ("Publish", "Subscribe", "GetTopicAttributes", "ListSubscriptionsByTopic")


def _topic_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    arn, account = one.resource.id, one.team.account
    found = []
    if plan.draw(0.8):
        owner = condition("StringEquals", "AWS:SourceOwner", account)
        actions = tuple(f"SNS:{name}" for name in _TOPIC)
        found.append(allow(actions, arn, owner, to=ANY_PRINCIPAL))
    if plan.draw(0.3):
        source = condition("StringEquals", "aws:SourceAccount", account)
        name = plan.choose(("s3", "events", "cloudwatch", "budgets"))
        found.append(allow("sns:Publish", arn, source, to=(service_principal(name),)))
    if plan.draw(0.05):
        mine = condition("StringEquals", "aws:PrincipalOrgID", ORGANIZATION)
        found.append(allow("sns:Subscribe", arn, mine, to=ANY_PRINCIPAL))
    return found


def _function_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    arn, account, region = one.resource.id, one.team.account, one.team.region
    found = []
    if plan.draw(0.6):
        name = plan.choose(("apigateway", "events", "s3", "sns", "config"))
        sources = f"arn:aws:{name}:{region}:{account}:{one.team.name}*"
        source = condition("ArnLike", "AWS:SourceArn", sources)
        mine = condition("StringEquals", "AWS:SourceAccount", account)
        to = (service_principal(name),)
        found.append(allow("lambda:InvokeFunction", arn, source, mine, to=to))
    if plan.draw(0.04):
        other = account_principal(plan.other_account(account))
        found.append(allow("lambda:InvokeFunction", arn, to=(other,)))
    return found


def _secret_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    if plan.draw(0.8):
        return []
    reader = plan.choose_role(one.team)
    if plan.draw(0.5):
        to = (("AWS", reader), account_principal(plan.other_account(one.team.account)))
        return [allow("secretsmanager:GetSecretValue", "*", to=to)]
    but = condition("ArnNotEquals", "aws:PrincipalArn", reader)
    return [deny("secretsmanager:GetSecretValue", "*", but, to=ANY_PRINCIPAL)]


_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def _repository_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    found = []
    if plan.draw(0.4):
        mine = condition("StringEquals", "aws:PrincipalOrgID", ORGANIZATION)
        found.append(allow(_PULL, (), mine, to=ANY_PRINCIPAL))
    if plan.draw(0.3):
        to = (
            account_principal(TOOLING),
            account_principal(plan.other_account(one.team.account)),
        )
        found.append(allow((*_PULL, "ecr:PutImage"), (), to=to))
    if plan.draw(0.2):
        functions = f"arn:aws:lambda:{one.team.region}:{one.team.account}:function:*"
        source = condition("StringLike", "aws:sourceArn", functions)
        found.append(allow(_PULL, (), source, to=(service_principal("lambda"),)))
    return found


def _table_policy(plan: OrganizationPlan, one: OwnedResource) -> list[Statement]:
    if plan.draw(0.94):
        return []
    to = (account_principal(plan.choose((AUDIT, LOGS, VENDOR))),)
    return [allow(("dynamodb:GetItem", "dynamodb:Query"), one.resource.id, to=to)]


_WRITERS: Mapping[str, Written] = {
    "s3:bucket": _bucket_policy,
    "s3:accesspoint": _access_point_policy,
    "kms:key": _key_policy,
    "sqs:queue": _queue_policy,
    "sns:topic": _topic_policy,
    "lambda:function": _function_policy,
    "secretsmanager:secret": _secret_policy,
    "ecr:repository": _repository_policy,
    "dynamodb:table": _table_policy,
}

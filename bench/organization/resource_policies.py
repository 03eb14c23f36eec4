"""Generator of resource policies, grants and public access blocks."""

from collections.abc import Callable, Iterator, Mapping

from answerable.model.ids import PolicyId
from answerable.model.policy import Attachment, Layer, Policy, Statement
from answerable.model.resource import PublicAccessBlock
from bench.organization.policy_syntax import (
    ANYBODY,
    RESOURCES_SEEN,
    allow,
    deny,
    numbered,
    root,
    service,
    when,
)
from bench.organization.resources import Owned, Things
from bench.organization.structure import (
    AUDIT,
    LOGS,
    ORGANIZATION,
    TOOLING,
    VENDOR,
    Plan,
)

Written = Callable[[Plan, Owned], list[Statement]]
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


def policies(plan: Plan, found: Things) -> Iterator[tuple[Policy, Attachment]]:
    """Generate the policy of each resource that can have one.

    One that was asked and has none holds an empty one; two in a hundred were not asked.
    """
    for one in found.owned:
        write = _WRITERS.get(one.resource.kind)
        if write is None or plan.chance(0.02):
            continue
        yield _held(one, "policy", write(plan, one))
        if one.resource.kind == "kms:key" and plan.chance(0.15):
            yield _held(one, "grants", _grants(plan, one))


def blocks(plan: Plan, found: Things) -> Iterator[PublicAccessBlock]:
    """Block public access on most accounts, half of the buckets and access points."""
    for account in plan.accounts:
        if plan.chance(0.7):
            yield PublicAccessBlock(account.id, True, True, RESOURCES_SEEN)
    for one in found.owned:
        if one.resource.kind in ("s3:bucket", "s3:accesspoint") and plan.chance(0.5):
            whole = plan.chance(0.9)
            yield PublicAccessBlock(one.resource.id, whole, whole, RESOURCES_SEEN)


def _held(
    one: Owned, what: str, statements: list[Statement]
) -> tuple[Policy, Attachment]:
    policy = PolicyId(f"{one.resource.id}#{what}")
    return (
        Policy(policy, what, numbered(statements), (), RESOURCES_SEEN),
        Attachment(policy, one.resource.id, Layer.RESOURCE, "", RESOURCES_SEEN),
    )


def _bucket(plan: Plan, one: Owned) -> list[Statement]:
    arn, account = one.resource.id, one.team.account
    both = (arn, f"{arn}/*")
    found = []
    if plan.chance(0.65):
        plain = when("Bool", "aws:SecureTransport", "false")
        found.append(deny("s3:*", both, plain, to=ANYBODY))
    if plan.chance(0.12):
        other = root(plan.other_account(account))
        found.append(allow(_BUCKET_READ, both, to=(other,)))
    if plan.chance(0.08):
        mine = when("StringEquals", "aws:PrincipalOrgID", ORGANIZATION)
        found.append(allow(_BUCKET_READ, both, mine, to=ANYBODY))
    if plan.chance(0.05):
        source = f"arn:aws:cloudfront::{account}:distribution/E{one.team.name.upper()}"
        edge = when("StringEquals", "AWS:SourceArn", source)
        to = (service("cloudfront"),)
        found.append(allow("s3:GetObject", f"{arn}/*", edge, to=to))
    if plan.chance(0.02):
        found.append(allow("s3:GetObject", f"{arn}/public/*", to=ANYBODY))
    if plan.chance(0.06):
        network = when("StringNotEquals", "aws:SourceVpce", f"vpce-{one.team.name}")
        by = when("BoolIfExists", "aws:PrincipalIsAWSService", "false")
        found.append(deny(_OBJECTS, both, network, by, to=ANYBODY))
    if plan.chance(0.1):
        kms = when("StringNotEquals", "s3:x-amz-server-side-encryption", "aws:kms")
        found.append(deny("s3:PutObject", f"{arn}/*", kms, to=ANYBODY))
    if plan.chance(0.1):
        user = (("AWS", plan.role_of(plan.random.choice(plan.teams))),)
        found.append(allow(_OBJECTS, f"{arn}/jobs/*", to=user))
    if plan.chance(0.03):
        source = when("StringEquals", "aws:SourceAccount", account)
        to = (service("logging.s3"), service("delivery.logs"))
        found.append(allow("s3:PutObject", f"{arn}/audit/*", source, to=to))
    return found


def _point(plan: Plan, one: Owned) -> list[Statement]:
    arn = one.resource.id
    if plan.chance(0.3):
        return []
    to = (("AWS", plan.role_of(one.team)),)
    return [allow(_OBJECTS, f"{arn}/object/jobs/*", to=to)]


def _key(plan: Plan, one: Owned) -> list[Statement]:
    account, region = one.team.account, one.team.region
    default = allow("kms:*", "*", to=(root(account),))
    mine = plan.role_of(one.team)
    shape = plan.random.random()
    if shape < 0.5:
        return [default]
    if shape < 0.65:
        admin = (("AWS", f"arn:aws:iam::{account}:role/deploy/keys"), ("AWS", mine))
        users = (("AWS", plan.role_of(one.team)), ("AWS", plan.role_of(one.team)))
        return [allow(_KEY_ADMIN, "*", to=admin), allow(_KEY_USE, "*", to=users)]
    if shape < 0.85:
        name = plan.one(("s3", "sqs", "secretsmanager", "dynamodb"))
        via = when("StringEquals", "kms:ViaService", f"{name}.{region}.amazonaws.com")
        caller = when("StringEquals", "kms:CallerAccount", account)
        return [default, allow(_KEY_USE, "*", via, caller, to=ANYBODY)]
    if shape < 0.95:
        other = root(plan.other_account(account))
        return [default, allow(_KEY_USE, "*", to=(other, ("AWS", mine)))]
    resource = when("Bool", "kms:GrantIsForAWSResource", "true")
    to = (("AWS", mine),)
    return [
        default,
        allow(("kms:CreateGrant", "kms:RevokeGrant"), "*", resource, to=to),
    ]


def _grants(plan: Plan, one: Owned) -> list[Statement]:
    to = (("AWS", plan.role_of(one.team)),)
    arn = one.resource.id
    context = when("StringEquals", "kms:EncryptionContext:team", one.team.name)
    some = (context,) if plan.chance(0.5) else ()
    return [allow(("kms:Decrypt", "kms:GenerateDataKey"), arn, *some, to=to)]


def _queue(plan: Plan, one: Owned) -> list[Statement]:
    arn, account, region = one.resource.id, one.team.account, one.team.region
    found = []
    if plan.chance(0.45):
        topic = f"arn:aws:sns:{region}:{account}:{one.team.name}-*"
        source = when("ArnLike", "aws:SourceArn", topic)
        found.append(allow("sqs:SendMessage", arn, source, to=(service("sns"),)))
    if plan.chance(0.1):
        other = root(plan.other_account(account))
        found.append(allow(("sqs:SendMessage", "sqs:GetQueueUrl"), arn, to=(other,)))
    if plan.chance(0.2):
        plain = when("Bool", "aws:SecureTransport", "false")
        found.append(deny("sqs:*", arn, plain, to=ANYBODY))
    return found


_TOPIC = ("Publish", "Subscribe", "GetTopicAttributes", "ListSubscriptionsByTopic")


def _topic(plan: Plan, one: Owned) -> list[Statement]:
    arn, account = one.resource.id, one.team.account
    found = []
    if plan.chance(0.8):
        owner = when("StringEquals", "AWS:SourceOwner", account)
        actions = tuple(f"SNS:{name}" for name in _TOPIC)
        found.append(allow(actions, arn, owner, to=ANYBODY))
    if plan.chance(0.3):
        source = when("StringEquals", "aws:SourceAccount", account)
        name = plan.one(("s3", "events", "cloudwatch", "budgets"))
        found.append(allow("sns:Publish", arn, source, to=(service(name),)))
    if plan.chance(0.05):
        mine = when("StringEquals", "aws:PrincipalOrgID", ORGANIZATION)
        found.append(allow("sns:Subscribe", arn, mine, to=ANYBODY))
    return found


def _function(plan: Plan, one: Owned) -> list[Statement]:
    arn, account, region = one.resource.id, one.team.account, one.team.region
    found = []
    if plan.chance(0.6):
        name = plan.one(("apigateway", "events", "s3", "sns", "config"))
        sources = f"arn:aws:{name}:{region}:{account}:{one.team.name}*"
        source = when("ArnLike", "AWS:SourceArn", sources)
        mine = when("StringEquals", "AWS:SourceAccount", account)
        to = (service(name),)
        found.append(allow("lambda:InvokeFunction", arn, source, mine, to=to))
    if plan.chance(0.04):
        other = root(plan.other_account(account))
        found.append(allow("lambda:InvokeFunction", arn, to=(other,)))
    return found


def _secret(plan: Plan, one: Owned) -> list[Statement]:
    if plan.chance(0.8):
        return []
    reader = plan.role_of(one.team)
    if plan.chance(0.5):
        to = (("AWS", reader), root(plan.other_account(one.team.account)))
        return [allow("secretsmanager:GetSecretValue", "*", to=to)]
    but = when("ArnNotEquals", "aws:PrincipalArn", reader)
    return [deny("secretsmanager:GetSecretValue", "*", but, to=ANYBODY)]


_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")


def _repository(plan: Plan, one: Owned) -> list[Statement]:
    found = []
    if plan.chance(0.4):
        mine = when("StringEquals", "aws:PrincipalOrgID", ORGANIZATION)
        found.append(allow(_PULL, (), mine, to=ANYBODY))
    if plan.chance(0.3):
        to = (root(TOOLING), root(plan.other_account(one.team.account)))
        found.append(allow((*_PULL, "ecr:PutImage"), (), to=to))
    if plan.chance(0.2):
        functions = f"arn:aws:lambda:{one.team.region}:{one.team.account}:function:*"
        source = when("StringLike", "aws:sourceArn", functions)
        found.append(allow(_PULL, (), source, to=(service("lambda"),)))
    return found


def _table(plan: Plan, one: Owned) -> list[Statement]:
    if plan.chance(0.94):
        return []
    to = (root(plan.one((AUDIT, LOGS, VENDOR))),)
    return [allow(("dynamodb:GetItem", "dynamodb:Query"), one.resource.id, to=to)]


_WRITERS: Mapping[str, Written] = {
    "s3:bucket": _bucket,
    "s3:accesspoint": _point,
    "kms:key": _key,
    "sqs:queue": _queue,
    "sns:topic": _topic,
    "lambda:function": _function,
    "secretsmanager:secret": _secret,
    "ecr:repository": _repository,
    "dynamodb:table": _table,
}

"""What was not collected, or not evaluated, and could change this very answer.

What only denies cannot change a `never`, what only allows cannot change an `always`.
"""

from collections.abc import Collection, Iterable, Iterator

from answerable.model.ids import IdentityId
from answerable.reach.clauses import UNCOLLECTED, UNREAD, Gap
from answerable.reach.estate import Estate
from answerable.reach.formula import Verdict, verdict
from answerable.reach.naming import account_of
from answerable.reach.questions import Reply

# Services whose resources take a policy of their own. Source: AWS IAM User Guide, "AWS
# services that work with IAM", column "Resource-based policies".
RESOURCE_POLICIES = frozenset(
    [
        "acm-pca",
        "aoss",
        "apigateway",
        "backup",
        "bedrock",
        "bedrock-agentcore",
        "cloudtrail",
        "codeartifact",
        "codebuild",
        "cloudwatch",
        "dynamodb",
        "ecr",
        "elasticfilesystem",
        "es",
        "eventbridge",
        "events",
        "execute-api",
        "glacier",
        "glue",
        "iot",
        "kinesis",
        "kms",
        "lambda",
        "logs",
        "mediastore",
        "network-firewall",
        "organizations",
        "ram",
        "redshift-serverless",
        "rekognition",
        "route53-recovery-readiness",
        "s3",
        "s3-outposts",
        "s3express",
        "s3tables",
        "schemas",
        "secretsmanager",
        "serverlessrepo",
        "ses",
        "signer",
        "sns",
        "sqs",
        "ssm",
        "ssm-contacts",
        "ssm-incidents",
        "vpc-lattice",
        "xray",
    ]
)


def not_collected(
    estate: Estate,
    collected: Collection[str],
    action: str,
    resource: str,
    reply: Reply,
) -> Iterator[str]:
    """Name what could change one answer.

    Args:
        estate: The estate.
        collected: Words for the kinds that were collected.
        action: The action asked about, or a pattern.
        resource: The resource asked about, or a pattern.
        reply: The answer.
    """
    held = verdict(reply.formula)
    if held is not Verdict.NEVER:
        yield from _limiting(estate, collected, reply)
    service = action.lower().partition(":")[0]
    if "*" in service or service in RESOURCE_POLICIES:
        yield "resource-policies"
    if _is_foreign(estate, reply.subject):
        yield "identity-policies"
    yield from _unread(reply.gaps)
    yield from _trusts(estate, action, resource, reply)


def _is_foreign(estate: Estate, subject: str) -> bool:
    """Tell whether a subject is an AWS principal outside the snapshot."""
    if subject in estate.principals:
        return False
    named = ":user/" in subject or ":role/" in subject or ":assumed-role/" in subject
    return subject == "*" or named or bool(account_of(subject))


def _limiting(
    estate: Estate, collected: Collection[str], reply: Reply
) -> Iterator[str]:
    actors = [hop.to for hop in reply.path] or [reply.subject]
    accounts = {_account(estate, actor) for actor in (*actors, reply.actor)}
    management = {a.id for a in estate.accounts.values() if a.management}
    if not accounts <= management:
        yield "scp"  # control policies do not bind the management account
    yield "rcp"
    yield "endpoint-policies"
    if reply.actor in estate.trusts:
        yield "session-policies"
    if "boundaries" not in collected:
        yield "boundaries"


_AT = {"boundary": "boundaries", "trust": "role-trust"}


def _unread(gaps: Iterable[Gap]) -> Iterator[str]:
    for gap in gaps:
        if gap.key == UNCOLLECTED:
            yield _AT.get(gap.layer.value, "identity-policies")
            yield gap.policy


def _trusts(estate: Estate, action: str, resource: str, reply: Reply) -> Iterator[str]:
    roles = [hop.to for hop in reply.path]
    if action.lower() == "sts:assumerole":
        trust = estate.trusts.get(IdentityId(resource))
        if trust is None or not trust.collected:
            yield "role-trust"
    for role in roles:
        known = estate.trusts.get(IdentityId(role))
        if known and not known.collected:
            yield "role-trust"


def is_partial(replies: Iterable[Reply]) -> bool:
    """Tell whether something that could not be read bears on an answer."""
    return any(gap.key == UNREAD for reply in replies for gap in reply.gaps)


def _account(estate: Estate, actor: str) -> str:
    principal = estate.principals.get(IdentityId(actor))
    return principal.identity.account if principal else ""

"""S3 Block Public Access: which public policies it restricts.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage",
"Block public access settings" and "The meaning of public".
"""

import ipaddress
from dataclasses import replace

from answerable.model.ids import ResourceId
from answerable.model.policy import ConditionClause, Effect
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_element import is_account
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.request import IMPLICIT, Determining, Request, Side
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, negation

PUBLIC_POLICY = "answerable:public-policy"


def kept_out(estate: Estate, own: ResourcePolicy, call: Request, side: Side) -> Side:
    """Apply a public-access block to the result of a resource policy.

    Under a public policy, with `RestrictPublicBuckets` set for the bucket, the access
    point or the owner's account, only principals of the owner's account and services
    get in.
    """
    shut = shut_by(estate, own) if call.action.startswith("s3:") else None
    if shut is None:
        return side
    open_ = negation(shut[0])
    by = Determining("public-access", shut[1].target, "", IMPLICIT)
    return replace(
        side,
        escaping=both(side.escaping, open_),
        direct=both(side.direct, open_),
        account=both(side.account, open_),
        determining=(*side.determining, by),
    )


def shut_by(
    estate: Estate, own: ResourcePolicy
) -> tuple[Formula, PublicAccessBlock] | None:
    """Return the block that closes a policy to other accounts, and when."""
    block = _restricting(estate, own)
    if block is None:
        return None
    public = is_public(own, estate.doors.get(ResourceId(own.resource)))
    return (public, block) if public != FALSE else None


def _over(estate: Estate, own: ResourcePolicy) -> list[str]:
    """List the targets of blocks that bind a policy.

    "If you apply a setting to a bucket, it applies to all access points associated with
    that bucket"; the same of an account.
    """
    found = [own.resource, own.account]
    door = estate.doors.get(ResourceId(own.resource))
    if door and door.behind:
        found += [door.behind, estate.place(door.behind).owner]
    return found


def _restricting(estate: Estate, own: ResourcePolicy) -> PublicAccessBlock | None:
    for target in _over(estate, own):
        block = estate.public_access.get(target)
        if block and block.restrict_public_buckets:
            return block
    return None


def is_public(own: ResourcePolicy, door: Resource | None) -> Formula:
    """Evaluate whether a policy counts as public; open where it was not fully read.

    Args:
        own: The policy.
        door: Its access point, if it is an access point policy.
    """
    if door and door.network:
        return FALSE  # "always considered non-public"
    if any(_is_public(g.clause, at_door=bool(door)) for g in own.grants):
        return TRUE
    if own.gaps:
        return atom(PUBLIC_POLICY, "Matches", (own.policy,))
    return FALSE


def _is_public(clause: Clause, *, at_door: bool) -> bool:
    if clause.effect is not Effect.ALLOW:
        return False
    naming = clause.naming
    anyone = naming.everyone or naming.providers or clause.not_principals
    return bool(anyone) and not any(_pins(c, at_door) for c in clause.conditions)


_PINNING = frozenset(
    [
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    ]
)
_POSITIVE = frozenset(
    [
        "stringequals",
        "stringequalsignorecase",
        "stringlike",
        "arnequals",
        "arnlike",
        "ipaddress",
    ]
)


def _pins(condition: ConditionClause, at_door: bool) -> bool:
    """Tell whether a condition restricts a relevant key to fixed values."""
    operator = condition.operator.lower().removeprefix("foranyvalue:")
    key = condition.key.lower()
    if operator not in _POSITIVE or key not in _PINNING:
        return False
    if key == "aws:sourceip":
        return all(map(_is_narrow, condition.values))
    if key == "s3:dataaccesspointarn":
        return not at_door and all(map(_is_of_one_account, condition.values))
    return not any(wild in v for v in condition.values for wild in ("*", "?", "${"))


def _is_of_one_account(arn: str) -> bool:
    parts = arn.split(":", 5)
    return len(parts) == 6 and is_account(parts[4])


_PRIVATE = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)


def _is_narrow(text: str) -> bool:
    """Tell whether a range is not "very broad": /8 or narrower, /32 for IPv6."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    if isinstance(network, ipaddress.IPv6Network):
        return network.prefixlen >= 32
    return network.prefixlen >= 8 or any(network.subnet_of(p) for p in _PRIVATE)

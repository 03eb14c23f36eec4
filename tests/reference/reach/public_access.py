"""S3 public policies, and the public-access block.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage":
sections "Block public access settings" and "The meaning of public".
"""

import ipaddress

from answerable.model.policy import ConditionClause, PolicyEffect, Statement
from tests.reference.reach.facts import PlacedPolicy, World, get_account
from tests.reference.reach.situation import Situation

_PINNING = {
    "aws:sourceip",
    "aws:principalorgid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgpaths",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:userid",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
}
_SAYING_IT_IS = {
    "ipaddress",
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
    "arnequals",
    "arnlike",
}


def is_blocked(
    world: World, places: list[str], policy: str, here: PlacedPolicy, now: Situation
) -> bool:
    """Return whether a stranger is kept from what a resource's own policy grants.

    Args:
        world: Facts.
        places: ARNs and accounts whose public-access block counts, the resource first.
        policy: The name of the policy.
        here: What it says.
        now: Decides whether what was not read in it makes it public.
    """
    blocks = world.facts.public_access
    if not any(b.restrict_public_buckets and b.target in places for b in blocks):
        return False
    point = world.resources.get(places[0])
    if point and point.network:
        return False  # "Amazon S3 never considers" such an access point public
    door = point is not None and bool(point.behind)
    if any(is_public(s, door=door) for s in here.statements):
        return True
    return bool(here.gaps) and now.holds(
        "answerable:public-policy", "Matches", [policy]
    )


def is_public(statement: Statement, *, door: bool) -> bool:
    """Return whether a statement lets in everybody.

    To be non-public it "must grant access only to fixed values (values that don't
    contain a wildcard or an AWS IAM policy variable)" of a principal or a listed key.

    Args:
        statement: Of the resource's own policy.
        door: Whether that is an access point's, whose own ARN pins nothing.
    """
    if statement.effect is not PolicyEffect.ALLOW:
        return False
    everybody = statement.not_principals or any(
        principal == ("AWS", "*") or principal[0] == "Federated"
        for principal in statement.principals
    )
    return bool(everybody) and not any(
        _restricts_access(c, door) for c in statement.conditions
    )


def _restricts_access(clause: ConditionClause, door: bool) -> bool:
    operator = clause.operator.lower().removeprefix("foranyvalue:")
    key = clause.key.lower()
    if operator not in _SAYING_IT_IS or key not in _PINNING:
        return False
    if key == "s3:dataaccesspointarn" and door:
        return False
    return all(_is_fixed_value(key, value) for value in clause.values)


def _is_fixed_value(key: str, value: str) -> bool:
    if key == "aws:sourceip":
        return _is_narrow_range(value)
    if key == "s3:dataaccesspointarn":
        return bool(get_account(value))  # the name may hold a wildcard
    return not any(mark in value for mark in ("*", "?", "${"))


def _is_narrow_range(cidr: str) -> bool:
    """Ranges broader than /8 (IPv4) or /32 (IPv6) count as public."""
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return network.prefixlen >= (8 if network.version == 4 else 32)

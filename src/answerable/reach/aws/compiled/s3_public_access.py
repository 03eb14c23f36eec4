"""Apply S3 Block Public Access: decide which public policies it restricts.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage",
"Block public access settings" and "The meaning of public".
"""

import ipaddress
from dataclasses import replace

from answerable.model.ids import ResourceId
from answerable.model.policy import ConditionClause, PolicyEffect
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import is_account_number
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.request import (
    IMPLICIT_DENY,
    AwsRequest,
    ResourcePolicyResult,
)
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    negate,
)
from answerable.reach.platform import DeterminingStatement

PUBLIC_POLICY = "answerable:public-policy"


def apply_public_access_block(
    accounts: CompiledAccounts,
    policy: ResourcePolicy,
    request: AwsRequest,
    policy_result: ResourcePolicyResult,
) -> ResourcePolicyResult:
    """Apply a public access block to the result of a bucket policy.

    Under a public policy, with `RestrictPublicBuckets` set for the bucket, the access
    point or the owner's account, only principals of the owner's account and services
    get in.
    """
    shut = (
        find_public_access_block(accounts, policy)
        if request.action.startswith("s3:")
        else None
    )
    if shut is None:
        return policy_result
    open_ = negate(shut[0])
    by = DeterminingStatement("public-access", shut[1].target, "", IMPLICIT_DENY)
    return replace(
        policy_result,
        escaping=conjoin(policy_result.escaping, open_),
        direct=conjoin(policy_result.direct, open_),
        account=conjoin(policy_result.account, open_),
        determining=(*policy_result.determining, by),
    )


def find_public_access_block(
    accounts: CompiledAccounts, policy: ResourcePolicy
) -> tuple[Formula, PublicAccessBlock] | None:
    """Return the block that restricts a policy, and when; None for none."""
    block = _find_restricting_public_access_block(accounts, policy)
    if block is None:
        return None
    public = evaluate_whether_policy_is_public(
        policy, accounts.access_points.get(ResourceId(policy.resource))
    )
    return (public, block) if public != FALSE else None


def _list_public_access_block_targets(
    accounts: CompiledAccounts, policy: ResourcePolicy
) -> list[str]:
    """List the buckets and accounts whose public access block binds a policy.

    "If you apply a setting to a bucket, it applies to all access points associated with
    that bucket"; the same of an account.
    """
    found = [policy.resource, policy.account]
    access_point = accounts.access_points.get(ResourceId(policy.resource))
    if access_point and access_point.behind:
        found += [
            access_point.behind,
            accounts.look_up_resource(access_point.behind).owner,
        ]
    return found


def _find_restricting_public_access_block(
    accounts: CompiledAccounts, policy: ResourcePolicy
) -> PublicAccessBlock | None:
    """Return the first block with `RestrictPublicBuckets` that binds a policy."""
    for target in _list_public_access_block_targets(accounts, policy):
        block = accounts.public_access.get(target)
        if block and block.restrict_public_buckets:
            return block
    return None


def evaluate_whether_policy_is_public(
    policy: ResourcePolicy, access_point: Resource | None
) -> Formula:
    """Evaluate whether a policy counts as public; open where it was not fully read.

    Args:
        policy: The policy.
        access_point: Its access point, if it is an access point policy.
    """
    if access_point and access_point.network:
        return FALSE  # "always considered non-public"
    if any(
        _is_public_statement(g.clause, on_access_point=bool(access_point))
        for g in policy.grants
    ):
        return TRUE
    if policy.gaps:
        return build_atom(PUBLIC_POLICY, "Matches", (policy.policy,))
    return FALSE


def _is_public_statement(
    statement: CompiledStatement, *, on_access_point: bool
) -> bool:
    """Return whether a statement allows anyone without a restricting condition."""
    if statement.effect is not PolicyEffect.ALLOW:
        return False
    naming = statement.naming
    anyone = naming.everyone or naming.providers or statement.not_principals
    return bool(anyone) and not any(
        _restricts_to_fixed_values(c, on_access_point) for c in statement.conditions
    )


_RESTRICTING_KEYS = frozenset(
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
_RESTRICTING_OPERATORS = frozenset(
    [
        "stringequals",
        "stringequalsignorecase",
        "stringlike",
        "arnequals",
        "arnlike",
        "ipaddress",
    ]
)


def _restricts_to_fixed_values(
    condition: ConditionClause, on_access_point: bool
) -> bool:
    """Return whether a condition restricts a relevant key to fixed values."""
    operator = condition.operator.lower().removeprefix("foranyvalue:")
    key = condition.key.lower()
    if operator not in _RESTRICTING_OPERATORS or key not in _RESTRICTING_KEYS:
        return False
    if key == "aws:sourceip":
        return all(map(_is_narrow_ip_range, condition.values))
    if key == "s3:dataaccesspointarn":
        return not on_access_point and all(
            map(_has_literal_account_number, condition.values)
        )
    return not any(wild in v for v in condition.values for wild in ("*", "?", "${"))


def _has_literal_account_number(arn: str) -> bool:
    """Return whether an ARN has an account number without wildcards."""
    parts = arn.split(":", 5)
    return len(parts) == 6 and is_account_number(parts[4])


_PRIVATE_NETWORKS = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)


def _is_narrow_ip_range(text: str) -> bool:
    """Return whether a range is not "very broad": /8 or narrower, /32 for IPv6."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    if isinstance(network, ipaddress.IPv6Network):
        return network.prefixlen >= 32
    return network.prefixlen >= 8 or any(
        network.subnet_of(p) for p in _PRIVATE_NETWORKS
    )

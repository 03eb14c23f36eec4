"""Evaluate requests on a resource pattern: find resource policies that may deny it.

A resource policy grants no pattern as a whole; it may deny a part of one. Where a
resource policy is required, it is not known for every resource that may match.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.compiled.resources import (
    ACCESS_POINT_PATTERN,
    list_covered_arn_patterns,
)
from answerable.reach.aws.compiled.service_facts import TRUST_POLICY_ACTIONS
from answerable.reach.aws.compiled.statements import (
    PolicyGap,
    PolicyStatement,
    evaluate_on_whole_pattern,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.policy_layers import build_partial_deny
from answerable.reach.aws.evaluation.request import (
    AwsRequest,
    ResourcePolicyResult,
    describe_statement,
)
from answerable.reach.aws.evaluation.resource_policies import (
    Namer,
    ResourcePolicy,
    build_neutral_policy_result,
)
from answerable.reach.aws.patterns.arn_matching import (
    ArnParts,
    matches_arn,
    overlaps_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import encode_glob
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ALL_RESOURCES,
    RESOURCES,
    PatternTerm,
    covers,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
)

RESOURCE_POLICY_KEY = "answerable:resource-policy"
KMS_KEY_PATTERN = split_glob_arn(encode_glob("arn:*:kms:*:*:key/*"))


def evaluate_resource_policies_on_pattern(
    accounts: CompiledAccounts,
    request: AwsRequest,
    known_keys: ContextKeys,
    match_caller: Namer,
    *,
    same_account: bool,
) -> ResourcePolicyResult:
    """Evaluate the resource policies that may deny a part of a pattern."""
    found = [
        pair
        for own in list_policies_overlapping_pattern(accounts, request)
        for pair in list_policy_denies_on_pattern(
            own, request, known_keys, match_caller
        )
    ]
    gaps = tuple(_list_unread_statements_on_pattern(accounts, request))
    return build_resource_pattern_result(
        accounts, request, found, gaps, same_account=same_account
    )


def build_resource_pattern_result(
    accounts: CompiledAccounts,
    request: AwsRequest,
    denies: Sequence[tuple[PolicyStatement, Formula]],
    gaps: tuple[PolicyGap, ...],
    *,
    same_account: bool,
) -> ResourcePolicyResult:
    """Build the result for a pattern from the denies of resource policies.

    Args:
        accounts: The compiled accounts.
        request: The request on a pattern.
        denies: The denies, each with the condition under which it applies.
        gaps: Statements of the policies that were not read.
        same_account: Whether the resources may be of the caller's own account.
    """
    also = TRUE
    if (
        not same_account
        or may_pattern_require_resource_policy(request)
        or _may_involve_s3_access_points(accounts, request)
    ):
        also = build_atom(RESOURCE_POLICY_KEY, "Matches", (request.resource,))
    side = build_neutral_policy_result(
        f"{request.resource}#policy", PolicyLayer.RESOURCE, further_condition=also
    )
    if not denies and not gaps:
        return side
    denied = disjoin(*(formula for _, formula in denies))
    by = tuple(dict.fromkeys(describe_statement(grant) for grant, _ in denies))
    return replace(side, denied=denied, determining=by, gaps=gaps)


def may_pattern_require_resource_policy(request: AwsRequest) -> bool:
    """Return whether some resource of an ARN pattern needs its own policy's allow."""
    if request.action in TRUST_POLICY_ACTIONS:
        return True
    return request.action.startswith("kms:") and overlaps_arn(
        KMS_KEY_PATTERN, request.parts
    )


def _may_involve_s3_access_points(
    accounts: CompiledAccounts, request: AwsRequest
) -> bool:
    """Return whether a pattern names access points, or includes conditional ones."""
    if not request.action.startswith("s3:"):
        return False
    if request.parts[2:3] == ("s3",) and request.parts[5].startswith("accesspoint/"):
        return True
    return has_conditional_s3_access_points(accounts, PatternTerm(request.parts))


def has_conditional_s3_access_points(
    accounts: CompiledAccounts, resources: PatternTerm[ArnParts]
) -> bool:
    """Return whether some access points add conditions to those of `resources`.

    They do if they are bound to a VPC, if their bucket is of another account, and if
    that bucket is not in `resources` as a whole: a request through an access point must be
    allowed on the bucket too.
    """
    if not overlaps_arn(ACCESS_POINT_PATTERN, resources.pattern):
        return False
    everything = resources == ALL_RESOURCES
    return any(
        not (
            _access_point_adds_no_condition(accounts, access_point)
            and (everything or _pattern_contains_bucket(resources, access_point.behind))
        )
        and any(
            overlaps_arn(part, resources.pattern) for part in _list_policy_scope(arn)
        )
        for arn, access_point in accounts.access_points.items()
    )


_list_policy_scope = lru_cache(maxsize=1 << 12)(
    list_covered_arn_patterns
)  # every row asks for each access point


def _access_point_adds_no_condition(
    accounts: CompiledAccounts, access_point: Resource
) -> bool:
    """Return whether an access point has no VPC limit and its bucket's account."""
    return not access_point.network and _shares_account_with_bucket(
        accounts, access_point
    )


def _pattern_contains_bucket(resources: PatternTerm[ArnParts], bucket: str) -> bool:
    """Return whether a resource pattern contains a whole bucket."""
    return all(
        covers(RESOURCES, resources, PatternTerm(part))
        for part in _list_policy_scope(bucket)
    )


def _shares_account_with_bucket(
    accounts: CompiledAccounts, access_point: Resource
) -> bool:
    """Return whether an access point and its bucket share an account."""
    owner = (
        accounts.look_up_resource(access_point.behind).owner
        if access_point.behind
        else "unknown"
    )
    return owner in ("", get_arn_account(access_point.id))


def list_policy_denies_on_pattern(
    policy: ResourcePolicy,
    request: AwsRequest,
    known_keys: ContextKeys,
    match_caller: Namer,
) -> Iterator[tuple[PolicyStatement, Formula]]:
    """List the denies of one policy that may apply to a part of a pattern.

    Args:
        policy: The policy.
        request: The request on the pattern.
        known_keys: Known keys.
        match_caller: Matches the Principal element against the caller.
    """
    for grant in policy.select_statements(request.action):
        if grant.clause.effect is PolicyEffect.DENY:
            named = disjoin(*(when for _, when in match_caller(grant.clause)))
            formula = conjoin(
                named, _evaluate_deny_on_pattern(policy, grant, request, known_keys)
            )
            if formula != FALSE:
                yield grant, formula


def _list_unread_statements_on_pattern(
    accounts: CompiledAccounts, request: AwsRequest
) -> Iterator[PolicyGap]:
    """List the unreadable statements of policies that may deny part of a pattern."""
    for own in list_policies_overlapping_pattern(accounts, request):
        yield from own.gaps


def list_policies_overlapping_pattern(
    accounts: CompiledAccounts, request: AwsRequest
) -> Iterator[ResourcePolicy]:
    """List the policies that may deny a part of a pattern."""
    for own in accounts.list_denying_policies(request.action):
        if any(overlaps_arn(parts, request.parts) for parts in own.spoken_of):
            yield own


def _evaluate_deny_on_pattern(
    policy: ResourcePolicy,
    statement: PolicyStatement,
    request: AwsRequest,
    known_keys: ContextKeys,
) -> Formula:
    """Build the condition under which a deny applies to part of a pattern."""
    part = build_partial_deny(statement, request, known_keys)
    if part != FALSE and any(matches_arn(p, request.parts) for p in policy.spoken_of):
        return disjoin(
            evaluate_on_whole_pattern(statement.clause, request.parts, known_keys), part
        )
    return part

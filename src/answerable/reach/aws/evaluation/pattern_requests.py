"""Requests on a resource pattern: effect of the policies of matching resources.

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
    list_policy_scope,
)
from answerable.reach.aws.compiled.service_facts import TRUST_POLICY_ACTIONS
from answerable.reach.aws.compiled.statements import (
    PolicyGap,
    PolicyStatement,
    evaluate_for_all,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.policy_layers import evaluate_partial_deny
from answerable.reach.aws.evaluation.request import (
    AwsRequest,
    ResourcePolicyResult,
    name_statement,
)
from answerable.reach.aws.evaluation.resource_policies import (
    Namer,
    ResourcePolicy,
    build_neutral_result,
)
from answerable.reach.aws.patterns.arns import (
    ArnParts,
    matches_arn,
    overlaps_arn,
    split_pattern,
)
from answerable.reach.aws.patterns.globs import encode_glob
from answerable.reach.aws.patterns.terms import (
    ALL_RESOURCES,
    RESOURCES,
    PatternTerm,
    covers,
)
from answerable.reach.formula import FALSE, TRUE, Formula, build_atom, conjoin, disjoin

RESOURCE_POLICY_KEY = "answerable:resource-policy"
KMS_KEY_PATTERN = split_pattern(encode_glob("arn:*:kms:*:*:key/*"))


def evaluate_policies_on_pattern(
    estate: CompiledAccounts,
    call: AwsRequest,
    known: ContextKeys,
    namer: Namer,
    *,
    near: bool,
) -> ResourcePolicyResult:
    """Evaluate the resource policies that may deny a part of a pattern."""
    found = [
        pair
        for own in list_overlapping_policies(estate, call)
        for pair in list_denies_on_pattern(own, call, known, namer)
    ]
    gaps = tuple(_list_gaps(estate, call))
    return build_pattern_result(estate, call, found, gaps, near=near)


def build_pattern_result(
    estate: CompiledAccounts,
    call: AwsRequest,
    found: Sequence[tuple[PolicyStatement, Formula]],
    gaps: tuple[PolicyGap, ...],
    *,
    near: bool,
) -> ResourcePolicyResult:
    """Build a result from the denies found in resource policies.

    Args:
        estate: The compiled accounts.
        call: The request on a pattern.
        found: The denies, each with the condition under which it applies.
        gaps: Statements of the policies that were not read.
        near: Whether the resources may be of the caller's own account.
    """
    also = TRUE
    if (
        not near
        or may_require_resource_policy(call)
        or _involves_access_points(estate, call)
    ):
        also = build_atom(RESOURCE_POLICY_KEY, "Matches", (call.resource,))
    side = build_neutral_result(
        f"{call.resource}#policy", PolicyLayer.RESOURCE, also=also
    )
    if not found and not gaps:
        return side
    denied = disjoin(*(formula for _, formula in found))
    by = tuple(dict.fromkeys(name_statement(grant) for grant, _ in found))
    return replace(side, denied=denied, determining=by, gaps=gaps)


def may_require_resource_policy(call: AwsRequest) -> bool:
    """Tell whether some resource of a pattern requires a resource policy."""
    if call.action in TRUST_POLICY_ACTIONS:
        return True
    return call.action.startswith("kms:") and overlaps_arn(KMS_KEY_PATTERN, call.parts)


def _involves_access_points(estate: CompiledAccounts, call: AwsRequest) -> bool:
    """Tell whether a pattern names access points, or includes conditional ones."""
    if not call.action.startswith("s3:"):
        return False
    if call.parts[2:3] == ("s3",) and call.parts[5].startswith("accesspoint/"):
        return True
    return has_conditional_access_points(estate, PatternTerm(call.parts))


def has_conditional_access_points(
    estate: CompiledAccounts, on: PatternTerm[ArnParts]
) -> bool:
    """Tell whether some access points add conditions to those of `on`.

    They do if they are bound to a VPC, if their bucket is of another account, and if
    that bucket is not in `on` as a whole: a request through an access point must be
    allowed on the bucket too.
    """
    if not overlaps_arn(ACCESS_POINT_PATTERN, on.pattern):
        return False
    everything = on == ALL_RESOURCES
    return any(
        not (
            _adds_no_condition(estate, door)
            and (everything or _contains_bucket(on, door.behind))
        )
        and any(overlaps_arn(part, on.pattern) for part in _list_policy_scope(arn))
        for arn, door in estate.doors.items()
    )


_list_policy_scope = lru_cache(maxsize=1 << 12)(
    list_policy_scope
)  # every row asks for each access point


def _adds_no_condition(estate: CompiledAccounts, door: Resource) -> bool:
    return not door.network and _is_same_account(estate, door)


def _contains_bucket(on: PatternTerm[ArnParts], bucket: str) -> bool:
    return all(
        covers(RESOURCES, on, PatternTerm(part)) for part in _list_policy_scope(bucket)
    )


def _is_same_account(estate: CompiledAccounts, door: Resource) -> bool:
    """Tell whether an access point and its bucket share an account."""
    owner = estate.describe_resource(door.behind).owner if door.behind else "unknown"
    return owner in ("", get_arn_account(door.id))


def list_denies_on_pattern(
    own: ResourcePolicy, call: AwsRequest, known: ContextKeys, namer: Namer
) -> Iterator[tuple[PolicyStatement, Formula]]:
    """List the denies of one policy that may apply to a part of a pattern.

    Args:
        own: The policy.
        call: The request on the pattern.
        known: Known keys.
        namer: Matches the Principal element against the caller.
    """
    for grant in own.select_statements(call.action):
        if grant.clause.effect is PolicyEffect.DENY:
            named = disjoin(*(when for _, when in namer(grant.clause)))
            formula = conjoin(named, _evaluate_deny_on_pattern(own, grant, call, known))
            if formula != FALSE:
                yield grant, formula


def _list_gaps(estate: CompiledAccounts, call: AwsRequest) -> Iterator[PolicyGap]:
    for own in list_overlapping_policies(estate, call):
        yield from own.gaps


def list_overlapping_policies(
    estate: CompiledAccounts, call: AwsRequest
) -> Iterator[ResourcePolicy]:
    """List the policies that may deny a part of a pattern."""
    for own in estate.list_denying_policies(call.action):
        if any(overlaps_arn(parts, call.parts) for parts in own.spoken_of):
            yield own


def _evaluate_deny_on_pattern(
    own: ResourcePolicy, grant: PolicyStatement, call: AwsRequest, known: ContextKeys
) -> Formula:
    part = evaluate_partial_deny(grant, call, known)
    if part != FALSE and any(matches_arn(p, call.parts) for p in own.spoken_of):
        return disjoin(evaluate_for_all(grant.clause, call.parts, known), part)
    return part

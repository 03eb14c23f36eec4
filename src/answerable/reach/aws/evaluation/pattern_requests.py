"""Requests on a resource pattern: effect of the policies of matching resources.

A resource policy grants no pattern as a whole; it may deny a part of one. Where a
resource policy is required, it is not known for every resource that may match.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from answerable.model.policy import Effect, Layer
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_element import owner_in
from answerable.reach.aws.compiled.resources import DOORS, spoken_of
from answerable.reach.aws.compiled.service_facts import TRUST_CALLS
from answerable.reach.aws.compiled.statements import Gap, Grant, applies_to_all
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.policy_layers import denying_part
from answerable.reach.aws.evaluation.request import Request, Side, name
from answerable.reach.aws.evaluation.resource_policies import (
    Namer,
    ResourcePolicy,
    silent,
)
from answerable.reach.aws.patterns.arns import (
    Parts,
    matches_parts,
    overlaps_parts,
    pattern_parts,
)
from answerable.reach.aws.patterns.globs import inward
from answerable.reach.aws.patterns.terms import ALL_RESOURCES, RESOURCES, Term, covers
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, either

RESOURCE_POLICY = "answerable:resource-policy"
KEYS = pattern_parts(inward("arn:*:kms:*:*:key/*"))


def side_of_all(
    estate: Estate, call: Request, known: Known, namer: Namer, *, near: bool
) -> Side:
    """Evaluate the resource policies that may deny a part of a pattern."""
    found = [
        pair
        for own in overlapping(estate, call)
        for pair in denies_in(own, call, known, namer)
    ]
    gaps = tuple(_unread(estate, call))
    return side_with(estate, call, found, gaps, near=near)


def side_with(
    estate: Estate,
    call: Request,
    found: Sequence[tuple[Grant, Formula]],
    gaps: tuple[Gap, ...],
    *,
    near: bool,
) -> Side:
    """Build a result from the denies found in resource policies.

    Args:
        estate: The compiled accounts.
        call: The request on a pattern.
        found: The denies, each with the condition under which it applies.
        gaps: Statements of the policies that were not read.
        near: Whether the resources may be of the caller's own account.
    """
    also = TRUE
    if not near or is_required_in(call) or _has_doors(estate, call):
        also = atom(RESOURCE_POLICY, "Matches", (call.resource,))
    side = silent(f"{call.resource}#policy", Layer.RESOURCE, also=also)
    if not found and not gaps:
        return side
    denied = either(*(formula for _, formula in found))
    by = tuple(dict.fromkeys(name(grant) for grant, _ in found))
    return replace(side, denied=denied, determining=by, gaps=gaps)


def is_required_in(call: Request) -> bool:
    """Tell whether some resource of a pattern requires a resource policy."""
    if call.action in TRUST_CALLS:
        return True
    return call.action.startswith("kms:") and overlaps_parts(KEYS, call.parts)


def _has_doors(estate: Estate, call: Request) -> bool:
    """Tell whether a pattern names access points, or includes conditional ones."""
    if not call.action.startswith("s3:"):
        return False
    if call.parts[2:3] == ("s3",) and call.parts[5].startswith("accesspoint/"):
        return True
    return has_unsure_doors(estate, Term(call.parts))


def has_unsure_doors(estate: Estate, on: Term[Parts]) -> bool:
    """Tell whether some access points add conditions to those of `on`.

    They do if they are bound to a VPC, if their bucket is of another account, and if
    that bucket is not in `on` as a whole: a request through an access point must be
    allowed on the bucket too.
    """
    if not overlaps_parts(DOORS, on.pattern):
        return False
    everything = on == ALL_RESOURCES
    return any(
        not (_is_simple(estate, door) and (everything or _holds(on, door.behind)))
        and any(overlaps_parts(part, on.pattern) for part in _inside(arn))
        for arn, door in estate.doors.items()
    )


_inside = lru_cache(maxsize=1 << 12)(spoken_of)  # every row asks for each access point


def _is_simple(estate: Estate, door: Resource) -> bool:
    return not door.network and _is_near(estate, door)


def _holds(on: Term[Parts], bucket: str) -> bool:
    return all(covers(RESOURCES, on, Term(part)) for part in _inside(bucket))


def _is_near(estate: Estate, door: Resource) -> bool:
    """Tell whether an access point and its bucket share an account."""
    owner = estate.place(door.behind).owner if door.behind else "unknown"
    return owner in ("", owner_in(door.id))


def denies_in(
    own: ResourcePolicy, call: Request, known: Known, namer: Namer
) -> Iterator[tuple[Grant, Formula]]:
    """List the denies of one policy that may apply to a part of a pattern.

    Args:
        own: The policy.
        call: The request on the pattern.
        known: Known keys.
        namer: Matches the Principal element against the caller.
    """
    for grant in own.speaking(call.action):
        if grant.clause.effect is Effect.DENY:
            named = either(*(when for _, when in namer(grant.clause)))
            formula = both(named, _denied_in(own, grant, call, known))
            if formula != FALSE:
                yield grant, formula


def _unread(estate: Estate, call: Request) -> Iterator[Gap]:
    for own in overlapping(estate, call):
        yield from own.gaps


def overlapping(estate: Estate, call: Request) -> Iterator[ResourcePolicy]:
    """List the policies that may deny a part of a pattern."""
    for own in estate.denying(call.action):
        if any(overlaps_parts(parts, call.parts) for parts in own.spoken_of):
            yield own


def _denied_in(
    own: ResourcePolicy, grant: Grant, call: Request, known: Known
) -> Formula:
    part = denying_part(grant, call, known)
    if part != FALSE and any(matches_parts(p, call.parts) for p in own.spoken_of):
        return either(applies_to_all(grant.clause, call.parts, known), part)
    return part

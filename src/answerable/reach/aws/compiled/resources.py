"""Look up a requested resource: its account, condition keys and resource policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from answerable.model.identity import Account
from answerable.model.ids import IdentityId, ResourceId
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.principal_element import (
    get_account_of_arn_parts,
    get_arn_account,
)
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    encode_tags_as_condition_keys,
)
from answerable.reach.aws.evaluation.context_keys import (
    ABSENT_KEY,
    NO_KEYS,
    ContextKeys,
)
from answerable.reach.aws.patterns.arn_matching import (
    ArnParts,
    overlaps_arn,
    split_arn_uncached,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import ANY_TEXT, encode_glob


@dataclass(frozen=True, slots=True)
class S3AccessPoint:
    """S3 access point.

    Attributes:
        point: Its ARN.
        behind: ARN of the requested object in the bucket behind it, empty where the
            bucket is not known.
        network: The only VPC that may use it, empty for any network.
    """

    point: str
    behind: str
    network: str


class RequestedResource(NamedTuple):
    """Resource of a request; a named tuple, since there are very many.

    Attributes:
        parts: Its ARN, split.
        owner: Its account, empty where not known.
        known: Condition keys known for every request on it.
        holder: ARN of the resource whose policy applies to it.
        access_point: Access point that it is reached through.
    """

    parts: ArnParts
    owner: str
    known: ContextKeys
    holder: str
    access_point: S3AccessPoint | None = None


# Prefixes of the condition keys that a resource gives to the requests on it.
RESOURCE_KEY_PREFIXES = ("aws:resource", "iam:resourcetag/", "s3:")


@dataclass(frozen=True, slots=True)
class ResourceLookup:
    """Tables in which resources are looked up."""

    principals: Mapping[IdentityId, CompiledPrincipal]
    accounts: Mapping[str, Account]
    resources: Mapping[ResourceId, Resource]
    tags_collected: bool
    tags_open: bool = False


def look_up_requested_resource(
    lookup: ResourceLookup, resource: str, *, is_pattern: bool
) -> RequestedResource:
    """Look up a resource, or a pattern, in the collected data."""
    access_point = None if is_pattern else _find_s3_access_point(lookup, resource)
    holder = access_point.point if access_point else get_policy_holder(resource)
    split = resource.split(":", 5)
    owner = find_resource_account(lookup.resources, resource, holder, split)
    if is_pattern:
        parts = split_glob_arn(encode_glob(resource))
        access_points = overlaps_arn(ACCESS_POINT_PATTERN, parts)
    else:
        parts, access_points = split_arn_uncached(resource, split), bool(access_point)
    no_access_point = not access_points and split[2:3] == ["s3"]
    known = _collect_resource_condition_keys(
        lookup, resource, owner, access_point, without_access_point=no_access_point
    )
    return RequestedResource(parts, owner, known, holder, access_point)


def list_covered_arn_patterns(resource: str) -> tuple[ArnParts, ...]:
    """List the ARN patterns a resource policy applies to: resource and contents."""
    parts = split_arn_uncached(resource)
    if len(parts) == 6 and parts[2] == "s3":
        return parts, (*parts[:5], f"{parts[5]}/{ANY_TEXT}")
    return (parts,)


def get_policy_holder(resource: str) -> str:
    """Return the ARN whose policy applies: an object's bucket, else the resource."""
    if ":s3:::" not in resource:
        return resource
    parts = resource.split(":", 5)
    if len(parts) == 6 and parts[2] == "s3" and not parts[3] and not parts[4]:
        bucket, slash, _ = parts[5].partition("/")
        return ":".join((*parts[:5], bucket)) if slash else resource
    return resource


def find_resource_account(
    resources: Mapping[ResourceId, Resource],
    resource: str,
    policy_holder: str,
    arn_parts: Sequence[str] = (),
) -> str:
    """Find the account of a resource: in its ARN, else in its sighting.

    Args:
        resources: Collected resources.
        resource: The ARN.
        policy_holder: ARN of the resource whose policy applies.
        arn_parts: Parts of the ARN, if at hand.
    """
    owner = (
        get_account_of_arn_parts(arn_parts) if arn_parts else get_arn_account(resource)
    )
    for arn in (resource, policy_holder) if not owner else ():
        known = resources.get(ResourceId(arn))
        if known and known.account:
            return known.account
    return owner


_ACCESS_POINT = "accesspoint/"
ACCESS_POINT_PATTERN = split_glob_arn(encode_glob(f"arn:*:s3:*:?*:{_ACCESS_POINT}*"))


def _find_s3_access_point(
    lookup: ResourceLookup, resource: str
) -> S3AccessPoint | None:
    """Return the S3 access point that an ARN goes through, None for none."""
    if _ACCESS_POINT not in resource:
        return None
    parts = resource.split(":", 5)
    if len(parts) != 6 or parts[2] != "s3" or not parts[5].startswith(_ACCESS_POINT):
        return None
    name, slash, key = parts[5].removeprefix(_ACCESS_POINT).partition("/")
    point = ":".join((*parts[:5], f"{_ACCESS_POINT}{name}"))
    known = lookup.resources.get(ResourceId(point))
    behind = str(known.behind) if known else ""
    if behind and slash:
        behind = f"{behind}/{key.removeprefix('object/')}"
    return S3AccessPoint(point, behind, known.network if known else "")


def _collect_resource_condition_keys(
    lookup: ResourceLookup,
    resource: str,
    owner: str,
    access_point: S3AccessPoint | None,
    *,
    without_access_point: bool,
) -> ContextKeys:
    """Collect the condition keys known for every request on a resource."""
    tags: tuple[tuple[str, str], ...] = ()
    complete: tuple[str, ...] = ()
    seen = lookup.resources.get(ResourceId(resource))
    if seen and not lookup.tags_open:
        tags = seen.tags
        told = bool(tags) or seen.seen.source.startswith("aws-resources:")
        complete = ("aws:resourcetag/",) if lookup.tags_collected and told else ()
    account = lookup.accounts.get(owner) if owner else None
    organization = account.organization if account else ""
    parents = account.parents if account else ()
    known = _build_resource_condition_keys(
        tags, complete, owner, organization, parents, without_access_point
    )
    principal = lookup.principals.get(IdentityId(resource))
    if not principal and not access_point:
        return known
    values = dict(known.values)
    if principal and not lookup.tags_open:
        values.update(
            encode_tags_as_condition_keys("aws:resourcetag/", principal.identity.tags)
        )
        values.update(
            encode_tags_as_condition_keys("iam:resourcetag/", principal.identity.tags)
        )
        if principal.collected:
            complete = ("aws:resourcetag/", "iam:resourcetag/")
    if access_point:
        values.update(build_access_point_condition_keys(access_point))
    return ContextKeys(values, complete)


@lru_cache(maxsize=1 << 14)
def _build_resource_condition_keys(
    tags: tuple[tuple[str, str], ...],
    complete: tuple[str, ...],
    owner: str,
    organization: str,
    parents: tuple[str, ...],
    without_access_point: bool,
) -> ContextKeys:
    """Build a resource's tag, account and organisation keys; cached."""
    values = encode_tags_as_condition_keys("aws:resourcetag/", tags)
    if without_access_point:
        values.update(NO_ACCESS_POINT_KEYS.values)
    if owner:
        values["s3:resourceaccount"] = (owner,)
        values["aws:resourceaccount"] = (owner,)
        values.update(_build_resource_organization_keys(organization, parents))
    return ContextKeys(values, complete) if values or complete else NO_KEYS


# The access point of a request is known also where there is none.
NO_ACCESS_POINT_KEYS = ContextKeys(
    dict.fromkeys(
        (
            "s3:dataaccesspointarn",
            "s3:dataaccesspointaccount",
            "s3:accesspointnetworkorigin",
        ),
        ABSENT_KEY,
    )
)


def build_access_point_condition_keys(
    access_point: S3AccessPoint,
) -> dict[str, tuple[str, ...]]:
    """Build the condition keys of a request through an S3 access point.

    The network of one that was not collected is not known.
    """
    values: dict[str, tuple[str, ...]] = {
        "s3:dataaccesspointarn": (access_point.point,),
        "s3:dataaccesspointaccount": (get_arn_account(access_point.point),),
    }
    if access_point.behind:
        origin = "VPC" if access_point.network else "Internet"
        values["s3:accesspointnetworkorigin"] = (origin,)
    return values


def _build_resource_organization_keys(
    organization: str, parents: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Build the `aws:ResourceOrg...` condition keys of an account."""
    if not organization:
        return {}
    values: dict[str, tuple[str, ...]] = {"aws:resourceorgid": (organization,)}
    if parents:
        path = "/".join((organization, *parents, ""))
        values["aws:resourceorgpaths"] = (path,)
    return values

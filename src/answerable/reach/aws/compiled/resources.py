"""Lookup of a requested resource: account, known condition keys, policy holder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from answerable.model.identity import Account
from answerable.model.ids import IdentityId, ResourceId
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.principal_element import owner_among, owner_in
from answerable.reach.aws.compiled.principals import Principal, tag_values
from answerable.reach.aws.evaluation.context_keys import ABSENT, NOTHING, Known
from answerable.reach.aws.patterns.arns import (
    Parts,
    overlaps_parts,
    pattern_parts,
    split_text,
)
from answerable.reach.aws.patterns.globs import STAR, inward


@dataclass(frozen=True, slots=True)
class Door:
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


class Place(NamedTuple):
    """Resource of a request; a named tuple, since there are very many.

    Attributes:
        parts: Its ARN, split.
        owner: Its account, empty where not known.
        known: Condition keys known for every request on it.
        holder: ARN of the resource whose policy applies to it.
        door: Access point that it is reached through.
    """

    parts: Parts
    owner: str
    known: Known
    holder: str
    door: Door | None = None


@dataclass(frozen=True, slots=True)
class Land:
    """Tables in which resources are looked up."""

    principals: Mapping[IdentityId, Principal]
    accounts: Mapping[str, Account]
    resources: Mapping[ResourceId, Resource]
    tags_collected: bool
    tags_open: bool = False


def place_of(land: Land, resource: str, *, wild: bool) -> Place:
    """Look up a resource, or all resources that a pattern matches."""
    door = None if wild else _door(land, resource)
    holder = door.point if door else holder_of(resource)
    split = resource.split(":", 5)
    owner = owner_of(land.resources, resource, holder, split)
    if wild:
        parts = pattern_parts(inward(resource))
        doors = overlaps_parts(DOORS, parts)
    else:
        parts, doors = split_text(resource, split), bool(door)
    no_door = not doors and split[2:3] == ["s3"]
    known = _known(land, resource, owner, door, no_door=no_door)
    return Place(parts, owner, known, holder, door)


def spoken_of(resource: str) -> tuple[Parts, ...]:
    """List the ARN patterns a resource policy applies to: resource and contents."""
    parts = split_text(resource)
    if len(parts) == 6 and parts[2] == "s3":
        return parts, (*parts[:5], f"{parts[5]}/{STAR}")
    return (parts,)


def holder_of(resource: str) -> str:
    """Return the ARN whose policy applies: an object's bucket, else the resource."""
    if ":s3:::" not in resource:
        return resource
    parts = resource.split(":", 5)
    if len(parts) == 6 and parts[2] == "s3" and not parts[3] and not parts[4]:
        bucket, slash, _ = parts[5].partition("/")
        return ":".join((*parts[:5], bucket)) if slash else resource
    return resource


def owner_of(
    resources: Mapping[ResourceId, Resource],
    resource: str,
    holder: str,
    split: Sequence[str] = (),
) -> str:
    """Find the account of a resource: in its ARN, else in its sighting.

    Args:
        resources: Collected resources.
        resource: The ARN.
        holder: ARN of the resource whose policy applies.
        split: Parts of the ARN, if at hand.
    """
    owner = owner_among(split) if split else owner_in(resource)
    for arn in (resource, holder) if not owner else ():
        known = resources.get(ResourceId(arn))
        if known and known.account:
            return known.account
    return owner


_POINT = "accesspoint/"
DOORS = pattern_parts(inward(f"arn:*:s3:*:?*:{_POINT}*"))


def _door(land: Land, resource: str) -> Door | None:
    if _POINT not in resource:
        return None
    parts = resource.split(":", 5)
    if len(parts) != 6 or parts[2] != "s3" or not parts[5].startswith(_POINT):
        return None
    name, slash, key = parts[5].removeprefix(_POINT).partition("/")
    point = ":".join((*parts[:5], f"{_POINT}{name}"))
    known = land.resources.get(ResourceId(point))
    behind = str(known.behind) if known else ""
    if behind and slash:
        behind = f"{behind}/{key.removeprefix('object/')}"
    return Door(point, behind, known.network if known else "")


def _known(
    land: Land, resource: str, owner: str, door: Door | None, *, no_door: bool
) -> Known:
    tags: tuple[tuple[str, str], ...] = ()
    complete: tuple[str, ...] = ()
    seen = land.resources.get(ResourceId(resource))
    if seen and not land.tags_open:
        tags = seen.tags
        told = bool(tags) or seen.seen.source.startswith("aws-resources:")
        complete = ("aws:resourcetag/",) if land.tags_collected and told else ()
    account = land.accounts.get(owner) if owner else None
    organization = account.organization if account else ""
    parents = account.parents if account else ()
    known = _alike(tags, complete, owner, organization, parents, no_door)
    principal = land.principals.get(IdentityId(resource))
    if not principal and not door:
        return known
    values = dict(known.values)
    if principal and not land.tags_open:
        values.update(tag_values("aws:resourcetag/", principal.identity.tags))
        values.update(tag_values("iam:resourcetag/", principal.identity.tags))
        if principal.collected:
            complete = ("aws:resourcetag/", "iam:resourcetag/")
    if door:
        values.update(through(door))
    return Known(values, complete)


@lru_cache(maxsize=1 << 14)
def _alike(
    tags: tuple[tuple[str, str], ...],
    complete: tuple[str, ...],
    owner: str,
    organization: str,
    parents: tuple[str, ...],
    no_door: bool,
) -> Known:
    """Build the known keys of resources; cached, since many resources share them."""
    values = tag_values("aws:resourcetag/", tags)
    if no_door:
        values.update(NO_DOOR.values)
    if owner:
        values["s3:resourceaccount"] = (owner,)
        values["aws:resourceaccount"] = (owner,)
        values.update(_of_organization(organization, parents))
    return Known(values, complete) if values or complete else NOTHING


# The access point of a request is known also where there is none.
NO_DOOR = Known(
    dict.fromkeys(
        (
            "s3:dataaccesspointarn",
            "s3:dataaccesspointaccount",
            "s3:accesspointnetworkorigin",
        ),
        ABSENT,
    )
)


def through(door: Door) -> dict[str, tuple[str, ...]]:
    """Build the keys of a request that comes through an access point.

    The network of one that was not collected is not known.
    """
    values: dict[str, tuple[str, ...]] = {
        "s3:dataaccesspointarn": (door.point,),
        "s3:dataaccesspointaccount": (owner_in(door.point),),
    }
    if door.behind:
        origin = "VPC" if door.network else "Internet"
        values["s3:accesspointnetworkorigin"] = (origin,)
    return values


def _of_organization(
    organization: str, parents: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    if not organization:
        return {}
    values: dict[str, tuple[str, ...]] = {"aws:resourceorgid": (organization,)}
    if parents:
        path = "/".join((organization, *parents, ""))
        values["aws:resourceorgpaths"] = (path,)
    return values

"""Limits of access that a principal may change: denials, boundaries, keys and tags.

Sources, below https://docs.cloud.google.com/: iam/docs/deny-access, "Required
permissions"; iam/docs/principal-access-boundary-policies-edit and
iam/docs/principal-access-boundary-policies-remove, "Roles required";
resource-manager/docs/organization-policy/using-constraints; and
iam/docs/service-accounts-tags, "Required permissions".
"""

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from answerable.model.google_cloud_ids import expand_resource_name, get_container
from answerable.reach.gcp.catalogue import GoogleBoundaryBinding, GoogleDenyPolicy
from answerable.reach.gcp.estate_index import FreeTags, GoogleCloudIndex
from answerable.reach.gcp.step_rules import (
    BOUNDARY_CHANGES,
    BOUNDARY_UNBIND,
    DENY_CHANGES,
    KEY_POLICY_CHANGES,
    TAG_CHANGE_ENDINGS,
    TAG_VALUE_CHANGES,
)

if TYPE_CHECKING:
    from answerable.reach.gcp.estate_access import EstateAccess

Call = tuple[str, str]  # permission, resource
_BINDING_CHANGES = ("deletePolicyBinding", "updatePolicyBinding")
_HIERARCHY_SERVICE = "resourcemanager"
_HIERARCHY_CHANGES = tuple(
    f"{_HIERARCHY_SERVICE}.hierarchyNodes{ending}" for ending in TAG_CHANGE_ENDINGS
)
_TAGGED = "tags of "


@dataclass(frozen=True, slots=True)
class LimitChange:
    """Limit of access, and the permissions to take it away.

    Attributes:
        name: Changed object, for the path.
        ways: Alternatives: each needs all of its permissions; the first names the step.
    """

    name: str
    ways: tuple[tuple[Call, ...], ...]
    denial: GoogleDenyPolicy | None = None
    boundary: str = ""
    binding: GoogleBoundaryBinding | None = None
    key_policy: str = ""
    tags: FreeTags | None = None


def list_limit_changes(access: "EstateAccess", principal: str) -> Iterator[LimitChange]:
    """Yield the limits that are in force, with the permissions to change them."""
    yield from list_common_changes(access.index)
    if access.index.header.tag_conditions:
        yield from _list_tag_changes(access, principal)


def list_common_changes(index: GoogleCloudIndex) -> Iterator[LimitChange]:
    """Yield the limits in force that are the same for all principals."""
    for place, policies in index.deny_policies.items():
        ways = tuple(((via, place),) for via in DENY_CHANGES)
        for policy in policies:
            yield LimitChange(policy.name, ways, denial=policy)
    yield from _list_boundary_changes(index)
    for place, enforced in index.key_creation.items():
        if enforced:
            ways = tuple(((via, place),) for via in KEY_POLICY_CHANGES)
            yield LimitChange(place, ways, key_policy=place)


def _list_boundary_changes(index: GoogleCloudIndex) -> Iterator[LimitChange]:
    """Yield the access boundaries, and their bindings, that are in force."""
    seen: set[str] = set()
    for binding in index.boundary_bindings:
        name = binding.policy
        organization = expand_resource_name("/".join(name.split("/")[:2]))
        if name in index.lifted_boundaries:
            continue
        if name not in seen:
            seen.add(name)
            ways = tuple(((via, organization),) for via in BOUNDARY_CHANGES)
            yield LimitChange(name, ways, boundary=name)
        kind, place = _find_set_owner(index, binding.principal_set, organization)
        unbound = tuple(
            ((BOUNDARY_UNBIND, organization), (f"{kind}.{change}", place))
            for change in _BINDING_CHANGES
        )
        yield LimitChange(binding.name, unbound, binding=binding)


def _find_set_owner(
    index: GoogleCloudIndex, principal_set: str, organization: str
) -> Call:
    """Find the kind of a set of principals, and the resource that it belongs to."""
    name = principal_set.removeprefix("principalSet:")
    kind, _ = get_container(name)
    if kind:
        return f"resourcemanager.{kind}", index.tree.normalise(name)
    path = name.removeprefix("//iam.googleapis.com/")
    if path.startswith("projects/"):
        project = expand_resource_name("/".join(path.split("/")[:2]))
        return "iam.workloadIdentityPools", index.tree.normalise(project)
    pools = "workforcePools" if "workforcePools" in path else "workspacePools"
    return f"iam.{pools}", organization


def _list_tag_changes(access: "EstateAccess", principal: str) -> Iterator[LimitChange]:
    """Yield the places whose tags a principal may hold the permissions to change."""
    index = access.index
    values: dict[Call, None] = {}
    places: dict[tuple[str, str], str] = {}  # place and service -> permission
    for place, via in _list_tag_permissions(access, principal):
        if via in TAG_VALUE_CHANGES:
            values[via, place] = None
        else:
            places.setdefault((place, via.partition(".")[0]), via)
    if index.deny_policies:  # one may refuse the change of a container, but not below
        for tagged in index.tags:
            for (place, service), via in tuple(places.items()):
                if index.tree.contains(place, tagged):
                    places.setdefault((tagged, service), via)
    for (place, service), via in places.items():
        for value in values:
            tags = FreeTags(place, service, value[1])
            if tags not in index.free_tags:
                ways = (((via, place), value),)
                yield LimitChange(_TAGGED + place, ways, tags=tags)


def _list_tag_permissions(access: "EstateAccess", principal: str) -> Iterator[Call]:
    """Yield the places of permissions on tags that a principal, or its steps, may give."""
    index = access.index
    for reached in access.search.search_from(principal, with_gaps=True):
        for place, _, _ in access.list_controlled(reached.principal):
            if get_container(place)[0]:
                yield place, TAG_VALUE_CHANGES[0]
                yield place, _HIERARCHY_CHANGES[0]
        for binding in index.list_bindings_of(reached.principal):
            for via in select_tag_permissions(index, binding.role, binding.resource):
                yield binding.resource, via


def select_tag_permissions(
    index: GoogleCloudIndex, role: str, place: str
) -> Iterable[str]:
    """Select the permissions of a role to change tags on a place, one for each service.

    The tags of a container apply to everything in it.
    """
    permissions = index.roles.get_permissions(role)
    if permissions is None:
        permissions = frozenset((*TAG_VALUE_CHANGES, *_HIERARCHY_CHANGES))
    value = next((each for each in TAG_VALUE_CHANGES if each in permissions), "")
    found = {_HIERARCHY_SERVICE: value} if value else {}
    if get_container(place)[0]:
        whole = next((each for each in _HIERARCHY_CHANGES if each in permissions), "")
        if whole:
            return (*found.values(), whole)
    for each in sorted(permissions):
        if each.endswith(TAG_CHANGE_ENDINGS) and each not in _HIERARCHY_CHANGES:
            found.setdefault(each.partition(".")[0], each)
    return tuple(found.values())


def apply_changes(
    index: GoogleCloudIndex, changes: Iterable[LimitChange]
) -> GoogleCloudIndex:
    """Return an index without some limits."""
    listed = tuple(changes)
    lifted = copy(index)
    denials = {each.denial for each in listed if each.denial}
    bindings = {each.binding for each in listed if each.binding}
    keys = {each.key_policy for each in listed if each.key_policy}
    lifted.deny_policies = {
        place: kept
        for place, policies in index.deny_policies.items()
        if (kept := tuple(each for each in policies if each not in denials))
    }
    lifted.lifted_boundaries = index.lifted_boundaries | {
        each.boundary for each in listed if each.boundary
    }
    lifted.boundary_bindings = tuple(
        each for each in index.boundary_bindings if each not in bindings
    )
    lifted.key_creation = {
        place: enforced and place not in keys
        for place, enforced in index.key_creation.items()
    }
    lifted.free_tags = (*index.free_tags, *(e.tags for e in listed if e.tags))
    return lifted

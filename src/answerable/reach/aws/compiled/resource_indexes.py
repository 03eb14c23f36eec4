"""Indexes of resources: by the identity that their code runs as, and by kind."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from answerable.model.ids import IdentityId, ResourceId
from answerable.model.resource import Resource

_ResourceIds = tuple[ResourceId, ...]


def get_owner_account(resource: Resource) -> str:
    """Return the account of a resource: that of its ARN, or the collected one."""
    owner = (*resource.id.split(":", 5), "", "", "", "", "")[4]
    return owner or resource.account


def format_kind_key(kind: str, account: str) -> str:
    """Format the key of an account's resources of one kind."""
    return f"{kind} {account}"


def index_resources_by_code_identity(
    resources: Iterable[Resource],
) -> Mapping[IdentityId, _ResourceIds]:
    """Index the resources that run code by the identity that the code runs as."""
    found: dict[IdentityId, list[ResourceId]] = defaultdict(list)
    for resource in resources:
        if resource.runs_as:
            found[resource.runs_as].append(resource.id)
    return {identity: tuple(sorted(ids)) for identity, ids in found.items()}


def index_resources_by_kind(
    resources: Iterable[Resource],
) -> Mapping[str, _ResourceIds]:
    """Index resources by kind and account, see `format_kind_key`."""
    found: dict[str, list[ResourceId]] = defaultdict(list)
    for resource in resources:
        key = format_kind_key(resource.kind, get_owner_account(resource))
        found[key].append(resource.id)
    return {key: tuple(sorted(ids)) for key, ids in found.items()}

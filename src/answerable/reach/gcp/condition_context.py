"""Values of conditions: the resource, its tags, the time, and the principal.

Sources: https://docs.cloud.google.com/iam/docs/conditions-attribute-reference and
https://docs.cloud.google.com/iam/docs/conditions-resource-attributes, "Resource name
format"; https://docs.cloud.google.com/iam/docs/principal-access-boundary-policies, for
`principal.type` and `principal.subject`.
"""

from collections.abc import Mapping, Sequence

from answerable.model.google_cloud_ids import (
    USER,
    get_container,
    get_permission_service,
    is_service_account,
    split_pool_principal,
)
from answerable.reach.condition_formula import TRUE, Formula, build_atom
from answerable.reach.gcp.cel_evaluation import CelContext, evaluate_condition
from answerable.reach.gcp.cel_values import CelValue, LaterTime
from answerable.reach.gcp.estate_index import TAGS, GoogleCloudIndex

# Services whose resources have the attributes `resource.name`, `.type` and `.service`.
_NAMED_SERVICES = frozenset(
    str.split(
        "apigee apihub backupdr bigquery bigtable binaryauthorization cloudkms cloudsql "
        "compute connectors container dataform datastore integrations logging "
        "managedkafka parametermanager pubsublite secretmanager spanner storage"
    )
)
_STORAGE = "//storage.googleapis.com/"
_OBJECTS = "/objects/"
_RESOURCE_MANAGER = "resourcemanager"
_CONTAINERS = "//cloudresourcemanager.googleapis.com/"
_TAG = f"{_CONTAINERS}tag"  # of `tagKeys/N` and `tagValues/N`
_CONTAINER_TYPES = {"projects": "Project", "folders": "Folder"}
# Permissions that are checked on the bucket, not on one of its objects.
_ON_BUCKET = ("storage.buckets.", "storage.objects.list", "storage.managedFolders.")


def evaluate_resource_condition(
    index: GoogleCloudIndex, expression: str, permission: str, resource: str
) -> Formula:
    """Evaluate the condition of a binding or deny rule for one request."""
    if not expression:
        return TRUE
    names = _list_names(index, permission, resource)
    results = {
        evaluate_condition(
            expression, _build_context(index, permission, resource, name)
        )
        for name in names or ("",)
    }
    if len(results) == 1:
        return results.pop()
    # Whether the service names a project by its id or its number is not known.
    return build_atom("resource.name", "CEL", (" ".join(expression.split())[:300],))


def evaluate_principal_condition(expression: str, principal: str) -> Formula:
    """Evaluate the condition of a binding of a principal access boundary."""
    values: dict[str, CelValue] = {"principal.subject": principal.removeprefix(USER)}
    pool, part = split_pool_principal(principal)
    if is_service_account(principal):
        values["principal.type"] = "iam.googleapis.com/ServiceAccount"
    elif principal.startswith(USER):
        values["principal.type"] = "iam.googleapis.com/WorkspaceIdentity"
    elif pool:
        kind = "Workforce" if "workforcePools" in pool else "Workload"
        values = {"principal.type": f"iam.googleapis.com/{kind}PoolIdentity"}
        if part.startswith("subject/"):
            values["principal.subject"] = part.removeprefix("subject/")
    else:
        values = {}
    return evaluate_condition(expression, CelContext(values))


def _build_context(
    index: GoogleCloudIndex, permission: str, resource: str, name: str
) -> CelContext:
    """Build the context of a request on a resource."""
    values: dict[str, CelValue] = {"request.time": LaterTime(index.seen_at)}
    if name:
        values["resource.name"] = name
    service = get_permission_service(resource)
    if _is_target(permission, resource) and service in _NAMED_SERVICES:
        host = resource.removeprefix("//").partition("/")[0]
        values["resource.service"] = host
    kind = _get_type(index, permission, resource)
    if kind:
        values["resource.type"] = kind
        values["resource.service"] = kind.partition("/")[0]

    def test_tag(method: str, arguments: Sequence[str]) -> bool | None:
        return _test_tag(index, resource, method, arguments)

    return CelContext(values, test_tag)


def _is_target(permission: str, resource: str) -> bool:
    """Return whether a request with a permission names this very resource.

    A project is the container of the resources of its services; a bucket is that of its
    objects.
    """
    if get_container(resource)[0]:
        return permission.startswith(f"{_RESOURCE_MANAGER}.")
    if resource.startswith(_STORAGE) and _OBJECTS not in resource:
        return permission.startswith(_ON_BUCKET)
    return True


def _list_names(
    index: GoogleCloudIndex, permission: str, resource: str
) -> tuple[str, ...]:
    """List the possible values of `resource.name`; none if it is not known."""
    service = get_permission_service(resource)
    if service not in _NAMED_SERVICES or not _is_target(permission, resource):
        return ()
    host, _, path = resource.removeprefix("//").partition("/")
    if host == "storage.googleapis.com":
        bucket, mark, name = path.partition(_OBJECTS)
        rest = f"{_OBJECTS}{name}" if mark else ""
        return (f"projects/_/buckets/{bucket}{rest}",)
    head, _, tail = path.partition("/")
    project, slash, rest = tail.partition("/")
    number = index.tree.get_project_number(project) if head == "projects" else ""
    if not number or number == project:
        return (path,)
    return (path, f"{head}/{number}{slash}{rest}")


def _get_type(index: GoogleCloudIndex, permission: str, resource: str) -> str:
    """Return `resource.type`; empty if it is not known."""
    if not _is_target(permission, resource):
        return ""
    kind, _ = get_container(resource)
    if kind:
        name = _CONTAINER_TYPES.get(kind)
        return f"cloudresourcemanager.googleapis.com/{name}" if name else ""
    if resource.startswith(_STORAGE):
        name = "Object" if _OBJECTS in resource else "Bucket"
        return f"storage.googleapis.com/{name}"
    known = index.tree.resources.get(resource)
    if known is None or get_permission_service(resource) not in _NAMED_SERVICES:
        return ""
    return known.kind


def _test_tag(
    index: GoogleCloudIndex, resource: str, method: str, arguments: Sequence[str]
) -> bool | None:
    """Test the tags of a resource, which inherits those of its ancestors.

    Source: https://docs.cloud.google.com/iam/docs/tags-access-control.
    """
    if _may_change_tag(index, resource, arguments):
        return None
    held: dict[str, tuple[str, str]] = {}
    for each in reversed(index.tree.get_chain(resource)):
        held |= index.tags.get(each, {})
    found = _find_tag(held, method, arguments)
    if found:
        return True
    is_whole = TAGS in index.collected and index.tree.reaches_root(resource)
    return False if is_whole and found is not None else None


def _may_change_tag(
    index: GoogleCloudIndex, resource: str, arguments: Sequence[str]
) -> bool:
    """Return whether a principal has the permissions to change the tag of a test."""
    if not index.free_tags or not arguments:
        return False
    chain = index.tree.get_chain(resource)
    owner, is_named, _ = arguments[0].partition("/")
    of_key = {
        place
        for kind in ("organizations", "projects")
        for place in index.tree.get_chain(
            index.tree.normalise(f"{_CONTAINERS}{kind}/{owner}")
        )
    }
    return any(
        each.place in chain
        and each.service in (_RESOURCE_MANAGER, get_permission_service(resource))
        and (not is_named or each.values in of_key or _TAG in each.values)
        for each in index.free_tags
    )


def _find_tag(
    held: Mapping[str, tuple[str, str]], method: str, arguments: Sequence[str]
) -> bool | None:
    """Return whether collected tags meet a test; None for a test by the id of a key."""
    match method, *arguments:
        case ["hasTagKey", key]:
            return key in held
        case ["matchTag", key, value]:
            return key in held and held[key][0] == value
        case ["matchTagId", _, value]:
            return any(each[1] == value for each in held.values())
        case _:
            return None

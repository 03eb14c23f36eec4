"""Format and parse ids of Google Cloud principals, permissions and resources.

Principals: `NAME@PROJECT.iam.gserviceaccount.com`, `user:EMAIL`, `group:EMAIL`,
`domain:DOMAIN`, `allUsers`, `allAuthenticatedUsers`, `principal://...` and
`principalSet://...` of identity pools, and `serviceAccount:PROJECT.svc.id.goog[NS/NAME]`
for a Kubernetes service account of GKE. Resources: full resource names,
`//SERVICE.googleapis.com/PATH`.

Sources: https://docs.cloud.google.com/iam/docs/principal-identifiers,
https://docs.cloud.google.com/iam/docs/full-resource-names.
"""

import re

ALL_USERS = "allUsers"
ALL_AUTHENTICATED = "allAuthenticatedUsers"
SERVICE_ACCOUNT_SUFFIX = ".gserviceaccount.com"
GROUP, USER, DOMAIN = "group:", "user:", "domain:"
_CONTAINERS = "//cloudresourcemanager.googleapis.com/"
_SERVICE_ACCOUNT = "serviceAccount:"
_POOL = re.compile(
    r"principal(?:Set)?://iam\.googleapis\.com/((?:projects/[^/]+/)?"
    r"locations/global/work(?:load|force)(?:Identity)?Pools/[^/]+)/(.+)"
)
_GKE_SUBJECT = re.compile(
    r"principal://iam\.googleapis\.com/projects/[^/]+/locations/global/"
    r"workloadIdentityPools/([^/]+\.svc\.id\.goog)/subject/ns/([^/]+)/sa/([^/]+)"
)
_RESOURCE = re.compile(r"//[a-z0-9.-]+\.googleapis\.com/\S+")
_OWNED = re.compile(
    r"(?:user|group|domain|serviceAccount|projectOwner|projectEditor|projectViewer):\S+"
    r"|principal(?:Set)?://(?:goog|iam\.googleapis\.com|cloudresourcemanager\.googleapis"
    r"\.com|agents\.global\.[\w.-]+\.system\.id\.goog)/\S+"
    r"|allUsers|allAuthenticatedUsers|[^\s@/:]+@[\w.-]+\.gserviceaccount\.com"
)
_PREFIXES = (
    ("principal://goog/subject/", USER),
    ("principalSet://goog/group/", GROUP),
    ("principal://iam.googleapis.com/projects/-/serviceAccounts/", ""),
)
# Services whose name in a permission differs from the first label of their host.
_PERMISSION_SERVICES = {
    "cloudresourcemanager": "resourcemanager",
    "sqladmin": "cloudsql",
    "cloudbilling": "billing",
    "bigtableadmin": "bigtable",
    "artifactregistry": "artifactregistry",
}
_SERVICE_HOSTS = {service: host for host, service in _PERMISSION_SERVICES.items()}
_STORAGE = "//storage.googleapis.com/"
_LOGGED_BUCKET = re.compile(r"projects/_/buckets/(.+)", re.DOTALL)


def normalise_principal(text: str) -> str:
    """Return the canonical form of a principal; empty for one that matches no identity.

    Deny policies and boundaries write `principal://goog/subject/a@example.com` for
    `user:a@example.com`. A deleted principal matches no identity.
    """
    if text.startswith("deleted:") or not text:
        return ""
    if text == "principalSet://goog/public:all":
        return ALL_USERS
    for prefix, kind in _PREFIXES:
        if text.startswith(prefix):
            return _normalise_address(kind, text.removeprefix(prefix))
    gke = _GKE_SUBJECT.fullmatch(text)
    if gke:
        return f"{_SERVICE_ACCOUNT}{gke[1]}[{gke[2]}/{gke[3]}]"
    kind, mark, name = text.partition(":")
    if mark and kind in ("user", "group", "domain", "serviceAccount"):
        prefix = "" if kind == "serviceAccount" else f"{kind}:"
        return _normalise_address(prefix, name)
    return text


def _normalise_address(kind: str, address: str) -> str:
    """Return an address in lower case; a service account without a prefix."""
    if address.endswith("]"):
        return f"{_SERVICE_ACCOUNT}{address}"
    name = address.lower()
    return name if name.endswith(SERVICE_ACCOUNT_SUFFIX) else f"{kind}{name}"


def is_principal(text: str) -> bool:
    """Return whether a text is the id of a Google Cloud principal."""
    return _OWNED.fullmatch(text) is not None


def is_resource(text: str) -> bool:
    """Return whether a text is a full resource name."""
    return _RESOURCE.fullmatch(text) is not None


def is_service_account(principal: str) -> bool:
    """Return whether a principal is a service account."""
    return principal.endswith(SERVICE_ACCOUNT_SUFFIX) and ":" not in principal


def is_service_agent(principal: str) -> bool:
    """Return whether a principal is the Google APIs Service Agent of a project.

    Google alone makes it and acts as it. The domains of other agents begin with
    `gcp-sa-`, as the id of a customer's project may.
    Source: https://docs.cloud.google.com/iam/docs/service-account-types
    """
    return principal.partition("@")[2] == "cloudservices.gserviceaccount.com"


def split_pool_principal(principal: str) -> tuple[str, str]:
    """Split a principal of an identity pool into the pool and the part in it."""
    found = _POOL.fullmatch(principal)
    return (found[1], found[2]) if found else ("", "")


def get_project_of_service_account(email: str) -> str:
    """Return the project id or number in the address of a service account."""
    name, _, host = email.partition("@")
    label = host.partition(".")[0]
    if host.endswith(".iam.gserviceaccount.com"):
        return "" if label.startswith("gcp-sa-") else label
    if label == "developer":
        return name.partition("-")[0]
    return name if label in ("appspot", "cloudservices") else ""


def expand_resource_name(text: str) -> str:
    """Return the full resource name for a short form; the text itself for others.

    Short: `projects/P`, `folders/N`, `organizations/N`, `gs://BUCKET/OBJECT`, and the
    address of a service account.
    """
    if text.startswith("//"):
        return text
    if text.startswith("gs://"):
        bucket, mark, name = text.removeprefix("gs://").partition("/")
        rest = f"/objects/{name}" if mark and name else ""
        return f"//storage.googleapis.com/{bucket}{rest}"
    if re.fullmatch(r"(?:projects|folders|organizations)/[^/\s]+", text):
        return _CONTAINERS + text
    if is_service_account(text):
        project = get_project_of_service_account(text) or "-"
        return build_service_account_resource(project, text)
    return text


def expand_logged_resource_name(name: str, service: str) -> str:
    """Return the full resource name for the name in an audit log.

    Args:
        service: First word of the permission, e.g. `storage`.
    """
    bucket = _LOGGED_BUCKET.fullmatch(name)
    if bucket:
        return f"{_STORAGE}{bucket[1]}"
    full = expand_resource_name(name)
    if full.startswith("//"):
        return full
    host = _SERVICE_HOSTS.get(service, service)
    return f"//{host}.googleapis.com/{name}"


def build_log_name(resource: str) -> str:
    """Build the name in an audit log for a full resource name."""
    if resource.startswith(_STORAGE):
        return f"projects/_/buckets/{resource.removeprefix(_STORAGE)}"
    return resource.removeprefix("//").partition("/")[2]


def build_service_account_resource(project: str, email: str) -> str:
    """Build the full resource name of a service account."""
    return f"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}"


def get_container(resource: str) -> tuple[str, str]:
    """Return the kind and id of a project, folder or organization; empty for others."""
    if not resource.startswith(_CONTAINERS):
        return "", ""
    kind, _, name = resource.removeprefix(_CONTAINERS).partition("/")
    return (kind, name) if "/" not in name else ("", "")


def normalise_permission(text: str) -> str:
    """Return `iam.roles.list` for `iam.googleapis.com/roles.list`."""
    service, mark, rest = text.partition("/")
    if not mark or not service.endswith(".googleapis.com"):
        return text
    label = service.removesuffix(".googleapis.com")
    return f"{_PERMISSION_SERVICES.get(label, label)}.{rest}"


def get_permission_service(resource: str) -> str:
    """Return the service of the permissions that a resource takes."""
    host = resource.removeprefix("//").partition("/")[0]
    label = host.removesuffix(".googleapis.com")
    return _PERMISSION_SERVICES.get(label, label)

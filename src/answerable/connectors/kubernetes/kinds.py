"""List the kinds of objects that the connector reads, with their API paths.

Source: https://kubernetes.io/docs/reference/kubernetes-api/; kagent.dev kinds:
https://kagent.dev/docs/kagent/resources/api-ref
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """Kind of object.

    Attributes:
        plural: Resource name in the API, e.g. `rolebindings`.
        kind: `kind` of its objects.
        group: API group; empty for the core group.
        version: Version that a live scan lists.
        namespaced: Whether its objects are in a namespace.
        metadata_only: Whether a live scan asks for metadata alone.
        optional: Whether a cluster may lack it (a custom resource).
        present: Name of an object that every cluster has, with its namespace; a list
            without it was filtered. Empty where there is none.
    """

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    metadata_only: bool = False
    optional: bool = False
    present: tuple[str, str] = ("", "")

    @property
    def path(self) -> str:
        """Return the path that lists the kind in all namespaces."""
        root = f"/apis/{self.group}" if self.group else "/api"
        return f"{root}/{self.version}/{self.plural}"


_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_KAGENT = "kagent.dev"
# Bootstrap objects: kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy; the API
# server creates them again at each start.
KINDS: tuple[ObjectKind, ...] = (
    ObjectKind("namespaces", "Namespace", namespaced=False, present=("", "default")),
    ObjectKind("nodes", "Node", namespaced=False),
    ObjectKind("serviceaccounts", "ServiceAccount", present=("default", "default")),
    ObjectKind("secrets", "Secret", metadata_only=True),
    ObjectKind("services", "Service", present=("default", "kubernetes")),
    ObjectKind("pods", "Pod"),
    ObjectKind("deployments", "Deployment", "apps"),
    ObjectKind("statefulsets", "StatefulSet", "apps"),
    ObjectKind("daemonsets", "DaemonSet", "apps"),
    ObjectKind("jobs", "Job", "batch"),
    ObjectKind("cronjobs", "CronJob", "batch"),
    ObjectKind(
        "clusterroles",
        "ClusterRole",
        _RBAC,
        namespaced=False,
        present=("", "cluster-admin"),
    ),
    ObjectKind(
        "clusterrolebindings",
        "ClusterRoleBinding",
        _RBAC,
        namespaced=False,
        present=("", "cluster-admin"),
    ),
    ObjectKind(
        "roles",
        "Role",
        _RBAC,
        present=("kube-system", "extension-apiserver-authentication-reader"),
    ),
    ObjectKind(
        "rolebindings",
        "RoleBinding",
        _RBAC,
        present=("kube-system", "system::extension-apiserver-authentication-reader"),
    ),
    ObjectKind(
        "certificatesigningrequests",
        "CertificateSigningRequest",
        "certificates.k8s.io",
        namespaced=False,
    ),
    ObjectKind(
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        _ADMISSION,
        namespaced=False,
    ),
    ObjectKind(
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        _ADMISSION,
        namespaced=False,
    ),
    ObjectKind("agents", "Agent", _KAGENT, "v1alpha2", optional=True),
    ObjectKind("modelconfigs", "ModelConfig", _KAGENT, "v1alpha2", optional=True),
    ObjectKind(
        "remotemcpservers", "RemoteMCPServer", _KAGENT, "v1alpha2", optional=True
    ),
    ObjectKind("mcpservers", "MCPServer", _KAGENT, "v1alpha1", optional=True),
    ObjectKind("sandboxes", "Sandbox", "agents.x-k8s.io", "v1beta1", optional=True),
)
AWS_AUTH = "aws-auth"
ACCESS_ENTRIES = "access-entries"
POD_IDENTITIES = "pod-identity-associations"
EKS_KINDS = (ACCESS_ENTRIES, AWS_AUTH, POD_IDENTITIES)

_BY_KIND = {(each.group, each.kind): each for each in KINDS}
_BY_PLURAL = {each.plural: each for each in KINDS}


def find_kind(api_version: str, kind: str) -> ObjectKind | None:
    """Find the kind of an object by its `apiVersion` and `kind`."""
    group, mark, _ = api_version.rpartition("/")
    return _BY_KIND.get((group if mark else "", kind))


def find_plural(name: str) -> ObjectKind | None:
    """Find a kind by the name of its resource: `pods`, `roles.rbac.authorization...`."""
    plural, _, group = name.partition(".")
    found = _BY_PLURAL.get(plural)
    return found if found and group in ("", found.group) else None


def build_coverage_word(plural: str) -> str:
    """Return the word of coverage for a kind: `k8s-pods`."""
    return f"k8s-{plural}"

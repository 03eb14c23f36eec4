"""Format and parse ids of Kubernetes identities and resources.

Identities: `k8s:CLUSTER/NAMESPACE/serviceaccount/NAME`, `k8s:CLUSTER/user/NAME`,
`k8s:CLUSTER/group/NAME`. Resources: `k8s:CLUSTER/NAMESPACE/RESOURCE[.GROUP][/NAME[/SUB]]`
with `-` as the namespace of cluster-scoped resources and `*` for all of a part, and
`k8s:CLUSTER/url/PATH` for non-resource URLs.
"""

import re
from dataclasses import dataclass

PREFIX = "k8s:"
CLUSTER_SCOPE = "-"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
NODE_PREFIX = "system:node:"
_EKS_CLUSTER = re.compile(r"arn:[a-z-]+:eks:([a-z0-9-]+):(\d{12}):cluster/([\w-]+)")
_RESERVED = re.compile(r"[%/\x00-\x20\x7f]")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")


def normalise_cluster_name(name: str) -> str:
    """Return the name of a cluster in ids: of an EKS ARN `NAME.REGION.ACCOUNT`.

    `aws eks update-kubeconfig` names a cluster by its ARN.
    """
    found = _EKS_CLUSTER.fullmatch(name)
    return f"{found[3]}.{found[1]}.{found[2]}" if found else name


def _escape_id_part(part: str) -> str:
    """Escape the characters that a part of an id may not hold."""
    return _RESERVED.sub(
        lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()), part
    )


def _unescape_id_part(part: str) -> str:
    """Return a part of an id as it was before `_escape_id_part`."""
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)), part)


@dataclass(frozen=True, slots=True)
class KubernetesSubject:
    """Parsed id of an identity.

    Attributes:
        kind: `serviceaccount`, `user` or `group`.
        namespace: Namespace of a service account, else empty.
    """

    cluster: str
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        parts = (self.cluster, self.namespace, self.kind, self.name)
        return PREFIX + "/".join(_escape_id_part(each) for each in parts if each)

    @property
    def username(self) -> str:
        """User name that the API server authenticates; empty for a group.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/,
        "Service account tokens"
        """
        if self.kind == "serviceaccount":
            return f"{SERVICE_ACCOUNT_PREFIX}{self.namespace}:{self.name}"
        return self.name if self.kind == "user" else ""


def parse_subject_id(text: str) -> KubernetesSubject | None:
    """Parse the id of an identity; None for any other text."""
    if not text.startswith(PREFIX):
        return None
    parts = [_unescape_id_part(each) for each in text.removeprefix(PREFIX).split("/")]
    if not all(parts):
        return None
    if len(parts) == 3 and parts[1] in ("user", "group"):
        return KubernetesSubject(parts[0], parts[1], parts[2])
    if len(parts) == 4 and parts[2] == "serviceaccount":
        return KubernetesSubject(parts[0], parts[2], parts[3], parts[1])
    return None


def build_user_subject(cluster: str, username: str) -> KubernetesSubject:
    """Build the identity of a user name; that of a service account for its user name."""
    namespace, mark, name = username.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
    if username.startswith(SERVICE_ACCOUNT_PREFIX) and mark and namespace and name:
        return KubernetesSubject(cluster, "serviceaccount", name, namespace)
    return KubernetesSubject(cluster, "user", username)


@dataclass(frozen=True, slots=True)
class KubernetesResource:
    """Parsed id of a resource, or of a pattern of resources.

    Attributes:
        namespace: Namespace; empty for cluster scope, `*` for every namespace.
        resource: Plural name, e.g. `pods`; empty for a non-resource URL.
        group: API group; empty for the core group.
        name: Name of the object; empty where the call names none.
        subresource: E.g. `exec`; empty for the object itself.
        url: Path of a non-resource URL, with its leading slash, else empty.
    """

    cluster: str
    namespace: str = ""
    resource: str = ""
    group: str = ""
    name: str = ""
    subresource: str = ""
    url: str = ""

    def __str__(self) -> str:
        if self.url:
            return f"{PREFIX}{_escape_id_part(self.cluster)}/url{self.url}"
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        parts = [self.cluster, self.namespace or CLUSTER_SCOPE, kind]
        if self.name or self.subresource:
            parts.append(self.name or "*")
        if self.subresource:
            parts.append(self.subresource)
        return PREFIX + "/".join(map(_escape_id_part, parts))


def parse_resource_id(text: str) -> KubernetesResource | None:
    """Parse the id of a resource; None for any other text."""
    cluster, mark, rest = text.removeprefix(PREFIX).partition("/")
    if not text.startswith(PREFIX) or not (cluster and mark):
        return None
    if rest.startswith("url/"):
        return KubernetesResource(
            _unescape_id_part(cluster), url=rest.removeprefix("url")
        )
    parts = [_unescape_id_part(each) for each in rest.split("/")]
    if not 2 <= len(parts) <= 4 or not all(parts) or parts[1] == "serviceaccount":
        return None
    resource, _, group = parts[1].partition(".")
    namespace = "" if parts[0] == CLUSTER_SCOPE else parts[0]
    name, subresource = (*parts[2:], "", "")[:2]
    return KubernetesResource(
        _unescape_id_part(cluster), namespace, resource, group, name, subresource
    )

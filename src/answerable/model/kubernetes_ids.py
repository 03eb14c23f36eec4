"""Spell ids of Kubernetes identities.

Identities: `k8s:CLUSTER/NAMESPACE/serviceaccount/NAME`, `k8s:CLUSTER/user/NAME`,
`k8s:CLUSTER/group/NAME`.
"""

import re
from dataclasses import dataclass

PREFIX = "k8s:"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
NODE_PREFIX = "system:node:"
_EKS_CLUSTER = re.compile(r"arn:[a-z-]+:eks:([a-z0-9-]+):(\d{12}):cluster/([\w-]+)")
_RESERVED = re.compile(r"[%/\x00-\x20\x7f]")


def normalise_cluster_name(name: str) -> str:
    """Return the name of a cluster in ids: of an EKS ARN `NAME.REGION.ACCOUNT`.

    `aws eks update-kubeconfig` names a cluster by its ARN.
    """
    found = _EKS_CLUSTER.fullmatch(name)
    return f"{found[3]}.{found[1]}.{found[2]}" if found else name


def _escape(part: str) -> str:
    """Escape the characters that a part of an id may not hold."""
    return _RESERVED.sub(
        lambda m: "".join(f"%{byte:02X}" for byte in m[0].encode()), part
    )


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
        return PREFIX + "/".join(_escape(each) for each in parts if each)

    @property
    def username(self) -> str:
        """User name that the API server authenticates; empty for a group.

        Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/,
        "Service account tokens"
        """
        if self.kind == "serviceaccount":
            return f"{SERVICE_ACCOUNT_PREFIX}{self.namespace}:{self.name}"
        return self.name if self.kind == "user" else ""


def build_user_subject(cluster: str, username: str) -> KubernetesSubject:
    """Build the identity of a user name; that of a service account for its user name."""
    namespace, mark, name = username.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
    if username.startswith(SERVICE_ACCOUNT_PREFIX) and mark and namespace and name:
        return KubernetesSubject(cluster, "serviceaccount", name, namespace)
    return KubernetesSubject(cluster, "user", username)

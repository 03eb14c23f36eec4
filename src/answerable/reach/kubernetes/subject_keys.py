"""User names and groups of requests, and of the subjects of bindings."""

from collections.abc import Iterable, Iterator

from answerable.model.kubernetes_ids import (
    NODE_PREFIX,
    KubernetesSubject,
    build_user_subject,
)
from answerable.reach.kubernetes.catalogue import (
    AccessEntry,
    Cluster,
    RbacBinding,
    RbacSubject,
)

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = "system:anonymous"
MASTERS = "system:masters"
NODES = "system:nodes"
SERVICE_ACCOUNTS = "system:serviceaccounts"
SubjectKey = tuple[str, str]  # `user` or `group`, and its name


def build_subject_keys(
    subject: KubernetesSubject, groups: frozenset[str] = frozenset()
) -> frozenset[SubjectKey]:
    """Build the user name and the groups that a request of a subject carries.

    Sources: https://kubernetes.io/docs/reference/access-authn-authz/authentication/
    (service account tokens, anonymous requests),
    https://kubernetes.io/docs/reference/access-authn-authz/node/ (nodes)

    Args:
        groups: Groups that the authenticator gives the user.
    """
    names = {*groups, AUTHENTICATED}
    if subject.kind == "group":
        names.add(subject.name)
        if subject.name.startswith(f"{SERVICE_ACCOUNTS}:"):
            names.add(SERVICE_ACCOUNTS)
        if subject.name == UNAUTHENTICATED:
            names.discard(AUTHENTICATED)
    elif subject.kind == "serviceaccount":
        names |= {SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{subject.namespace}"}
    elif subject.name == ANONYMOUS:
        names = {UNAUTHENTICATED}
    elif subject.name.startswith(NODE_PREFIX):
        names.add(NODES)
    keys = {("group", each) for each in names}
    if subject.username:
        keys.add(("user", subject.username))
    return frozenset(keys)


def build_subject_key(subject: RbacSubject, binding: RbacBinding) -> SubjectKey | None:
    """Build the key of a binding's subject; None where it applies to no identity.

    A service account without a namespace is one of the RoleBinding's namespace, and
    no identity in a ClusterRoleBinding.

    Source: kubernetes pkg/registry/rbac/validation/rule.go, appliesToUser
    """
    if subject.kind == "ServiceAccount":
        namespace = subject.namespace or binding.namespace
        if not namespace:
            return None
        return "user", f"system:serviceaccount:{namespace}:{subject.name}"
    if subject.kind in ("User", "Group"):
        return subject.kind.lower(), subject.name
    return None


def build_bound_subject(
    cluster: str, subject: RbacSubject, binding: RbacBinding
) -> KubernetesSubject | None:
    """Build the identity of a binding's subject; None where it is none."""
    key = build_subject_key(subject, binding)
    if key is None or not key[1]:
        return None
    if key[0] == "group":
        return KubernetesSubject(cluster, "group", key[1])
    return build_user_subject(cluster, key[1])


def iterate_named_identities(
    cluster: Cluster, entries: Iterable[AccessEntry]
) -> Iterator[KubernetesSubject]:
    """Yield the identities that objects of a cluster are, or name; some twice."""
    name = cluster.name
    yield from _iterate_service_accounts(cluster)
    for binding in cluster.bindings:
        for each in binding.subjects:
            subject = build_bound_subject(name, each, binding)
            if subject is not None:
                yield subject
    for entry in entries:
        yield build_user_subject(name, entry.username)
        for group in entry.groups:
            yield KubernetesSubject(name, "group", group)
    for request in cluster.signing_requests:
        if request.issued and request.subject:
            yield build_user_subject(name, request.subject)
    for node in cluster.nodes:
        yield KubernetesSubject(name, "user", NODE_PREFIX + node.name)


def _iterate_service_accounts(cluster: Cluster) -> Iterator[KubernetesSubject]:
    """Yield the service accounts of a cluster, and those that its pods run as."""
    kind = "serviceaccount"
    for account in cluster.service_accounts:
        yield KubernetesSubject(cluster.name, kind, account.name, account.namespace)
    for pod in cluster.workloads:
        if pod.service_account:
            yield KubernetesSubject(
                cluster.name, kind, pod.service_account, pod.namespace
            )

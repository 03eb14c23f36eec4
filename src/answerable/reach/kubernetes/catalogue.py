"""Types of a collected cluster: roles, bindings, service accounts, workloads, cloud links.

A connector builds a `Cluster` from each source and stores it in a snapshot; several
sources may describe one cluster, each a part of it. No field holds a secret value.
"""

from dataclasses import dataclass

Labels = tuple[tuple[str, str], ...]  # sorted pairs


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """Rule of a role: each list is matched, all must match.

    Source: kubernetes staging/src/k8s.io/api/rbac/v1/types.go, PolicyRule
    """

    verbs: tuple[str, ...]
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """Requirement of a label selector: `In`, `NotIn`, `Exists` or `DoesNotExist`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RbacRole:
    """Role or ClusterRole.

    Attributes:
        namespace: Empty for a ClusterRole.
        aggregation: Label selectors of an aggregated ClusterRole; each selector is a
            conjunction, the union of all is aggregated. Live dumps hold the aggregated
            rules already; manifests do not.
        from_manifest: True where the rules of an aggregated role must be computed.
    """

    name: str
    namespace: str = ""
    rules: tuple[PolicyRule, ...] = ()
    aggregation: tuple[tuple[LabelRequirement, ...], ...] = ()
    labels: Labels = ()
    from_manifest: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class RbacSubject:
    """Subject of a binding: `User`, `Group` or `ServiceAccount`.

    Attributes:
        namespace: Namespace of a service account as written; empty where none.
    """

    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class RbacBinding:
    """RoleBinding or ClusterRoleBinding.

    Attributes:
        namespace: Empty for a ClusterRoleBinding.
        role_kind: `Role` or `ClusterRole`.
    """

    name: str
    namespace: str
    role_kind: str
    role: str
    subjects: tuple[RbacSubject, ...] = ()
    labels: Labels = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Service account with its cloud identity annotations and referenced secrets.

    Attributes:
        automount: automountServiceAccountToken; None where not set.
        aws_role: Annotation `eks.amazonaws.com/role-arn`.
        gcp_service_account: Annotation `iam.gke.io/gcp-service-account`.
        azure_client_id: Annotation `azure.workload.identity/client-id`.
        secrets: Names of its legacy token secrets.
        image_pull_secrets: Names of its image pull secrets.
    """

    namespace: str
    name: str
    automount: bool | None = None
    aws_role: str = ""
    gcp_service_account: str = ""
    azure_client_id: str = ""
    secrets: tuple[str, ...] = ()
    image_pull_secrets: tuple[str, ...] = ()
    labels: Labels = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class HostMount:
    """Path of the node that a container mounts."""

    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """Container of a pod specification, with its security facts.

    Attributes:
        capabilities: Added Linux capabilities, without `CAP_`.
        run_as_root: True for uid 0, False for another uid or runAsNonRoot, None where
            the image decides.
        secrets: Names of secrets in its environment and mounted volumes.
        host_mounts: Mounted paths of the node.
    """

    name: str
    image: str = ""
    privileged: bool = False
    privilege_escalation: bool | None = None
    capabilities: tuple[str, ...] = ()
    run_as_root: bool | None = None
    secrets: tuple[str, ...] = ()
    host_mounts: tuple[HostMount, ...] = ()
    tokens_mounted: bool = True


@dataclass(frozen=True, slots=True)
class Workload:
    """Pod, or controller with a pod template.

    Attributes:
        kind: `Pod`, `Deployment`, `StatefulSet`, `DaemonSet`, `Job`, `CronJob`, ...
        service_account: `default` where the specification names none.
        automount: automountServiceAccountToken of the pod; None where not set.
        node: Name of the node that runs it; empty where not scheduled.
        controller: `KIND/NAME` that owns it, else empty.
    """

    kind: str
    namespace: str
    name: str
    service_account: str = "default"
    automount: bool | None = None
    node: str = ""
    host_pid: bool = False
    host_network: bool = False
    host_ipc: bool = False
    containers: tuple[Container, ...] = ()
    image_pull_secrets: tuple[str, ...] = ()
    labels: Labels = ()
    controller: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class SecretObject:
    """Secret by name, as metadata or references name it; never its data.

    Attributes:
        kind: Type, e.g. `kubernetes.io/service-account-token`; empty where not known.
        service_account: Service account of a legacy token.
        listed: True where the secret itself was listed (metadata only), False for a
            reference.
    """

    namespace: str
    name: str
    kind: str = ""
    service_account: str = ""
    listed: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """Node of the cluster."""

    name: str
    provider_id: str = ""
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class ClusterNamespace:
    """Namespace with its labels (pod security admission among them)."""

    name: str
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """CertificateSigningRequest, as a client certificate's record.

    Attributes:
        username: User that made the request, with its groups.
        subject: Common name of the requested certificate: the user that it proves.
        subject_groups: Organizations of the requested certificate: its groups.
        issued: Whether the certificate was issued.
        expires_at: End of the certificate, UTC nanoseconds; 0 where not issued.
    """

    name: str
    signer: str
    username: str
    groups: tuple[str, ...] = ()
    approved: bool = False
    place: str = ""
    subject: str = ""
    subject_groups: tuple[str, ...] = ()
    issued: bool = False
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """EKS access entry, or a row of the aws-auth ConfigMap.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html

    Attributes:
        principal: ARN of the IAM principal; aws-auth ARNs have no path.
        username: Kubernetes user name.
        policies: Pairs of access policy name and scope: `cluster`, or a namespace.
        aws_auth: True for a row of aws-auth; an access entry of the same principal wins.
    """

    principal: str
    username: str
    groups: tuple[str, ...] = ()
    policies: tuple[tuple[str, str], ...] = ()
    aws_auth: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class PodIdentityAssociation:
    """EKS Pod Identity association of a service account with an IAM role.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html
    """

    namespace: str
    service_account: str
    role: str
    target_role: str = ""
    external_id: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Collected part of one cluster.

    Attributes:
        name: Name in ids.
        arn: ARN of an EKS cluster, else empty.
        issuer: Issuer URL of service account tokens, without a trailing slash.
        collected: Kinds that were collected completely, by plural name
            (`clusterroles`, `rolebindings`, `pods`, `access-entries`, ...).
        namespaces_collected: Namespaces that namespaced kinds were collected for; empty
            for all.
        unread: Objects that could not be parsed, one line each.
        webhook_kinds: Resources (`GROUP/RESOURCE`) that validating or mutating webhooks
            receive: admission may still refuse.
    """

    name: str
    arn: str = ""
    issuer: str = ""
    version: str = ""
    collected: tuple[str, ...] = ()
    namespaces_collected: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    roles: tuple[RbacRole, ...] = ()
    bindings: tuple[RbacBinding, ...] = ()
    service_accounts: tuple[ServiceAccount, ...] = ()
    workloads: tuple[Workload, ...] = ()
    secrets: tuple[SecretObject, ...] = ()
    nodes: tuple[ClusterNode, ...] = ()
    namespaces: tuple[ClusterNamespace, ...] = ()
    signing_requests: tuple[SigningRequest, ...] = ()
    access_entries: tuple[AccessEntry, ...] = ()
    pod_identities: tuple[PodIdentityAssociation, ...] = ()
    webhook_kinds: tuple[str, ...] = ()

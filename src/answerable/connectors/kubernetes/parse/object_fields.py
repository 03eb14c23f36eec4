"""Types of the fields that are read from Kubernetes objects; all others are dropped.

No type has `data`, `stringData` or the literal `value` of a variable, so the value of a
secret does not outlive the tree of its file.

Source: https://kubernetes.io/docs/reference/kubernetes-api/
"""

import msgspec

Texts = list[str] | None


class ObjectFields(msgspec.Struct, rename="camel", frozen=True):
    """Base of the types: names in camel case, unknown fields are dropped."""


class OwnerReference(ObjectFields, frozen=True):
    """Owner of an object."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class ObjectMetadata(ObjectFields, frozen=True):
    """Metadata of an object."""

    name: str = ""
    generate_name: str = ""
    namespace: str | None = None
    uid: str = ""
    labels: dict[str, str | None] | None = None
    annotations: dict[str, object] | None = None
    creation_timestamp: str | None = None
    owner_references: list[OwnerReference] | None = None


class RoleRule(ObjectFields, frozen=True):
    """Rule of a role."""

    verbs: Texts = None
    api_groups: Texts = None
    resources: Texts = None
    resource_names: Texts = None
    non_resource_urls: Texts = msgspec.field(default=None, name="nonResourceURLs")


class SelectorExpression(ObjectFields, frozen=True):
    """Expression of a label selector."""

    key: str
    operator: str
    values: Texts = None


class LabelSelector(ObjectFields, frozen=True):
    """Label selector."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[SelectorExpression] | None = None


class AggregationRule(ObjectFields, frozen=True):
    """Aggregation rule of a ClusterRole."""

    cluster_role_selectors: list[LabelSelector] | None = None


class RoleFields(ObjectFields, frozen=True):
    """Role or ClusterRole."""

    rules: list[RoleRule] | None = None
    aggregation_rule: AggregationRule | None = None


class SubjectFields(ObjectFields, frozen=True):
    """Subject of a binding."""

    kind: str
    name: str
    namespace: str | None = None


class RoleReference(ObjectFields, frozen=True):
    """Role that a binding refers to."""

    kind: str
    name: str


class BindingFields(ObjectFields, frozen=True):
    """RoleBinding or ClusterRoleBinding."""

    role_ref: RoleReference
    subjects: list[SubjectFields] | None = None


class NamedReference(ObjectFields, frozen=True):
    """Reference to an object by its name."""

    name: str = ""


class ServiceAccountFields(ObjectFields, frozen=True):
    """ServiceAccount."""

    automount_service_account_token: bool | None = None
    secrets: list[NamedReference] | None = None
    image_pull_secrets: list[NamedReference] | None = None


class SecretFields(ObjectFields, frozen=True):
    """Secret, without its data."""

    type: str = ""


class ValueSource(ObjectFields, frozen=True):
    """Source of a variable's value."""

    secret_key_ref: NamedReference | None = None


class EnvironmentVariable(ObjectFields, frozen=True):
    """Variable of a container, without a literal value."""

    name: str = ""
    value_from: ValueSource | None = None


class EnvironmentSource(ObjectFields, frozen=True):
    """Source of all variables."""

    secret_ref: NamedReference | None = None


class VolumeMount(ObjectFields, frozen=True):
    """Mount of a volume."""

    name: str = ""
    mount_path: str = ""
    read_only: bool | None = None


class Capabilities(ObjectFields, frozen=True):
    """Linux capabilities."""

    add: Texts = None


class SecurityContext(ObjectFields, frozen=True):
    """Security context of a pod or a container."""

    privileged: bool | None = None
    allow_privilege_escalation: bool | None = None
    capabilities: Capabilities | None = None
    run_as_user: int | None = None
    run_as_non_root: bool | None = None


class ContainerFields(ObjectFields, frozen=True):
    """Container of a pod."""

    name: str = ""
    image: str = ""
    env: list[EnvironmentVariable] | None = None
    env_from: list[EnvironmentSource] | None = None
    volume_mounts: list[VolumeMount] | None = None
    security_context: SecurityContext | None = None


class SecretVolume(ObjectFields, frozen=True):
    """Volume of a secret."""

    secret_name: str = ""


class HostPath(ObjectFields, frozen=True):
    """Volume of a path of the node."""

    path: str = ""


class ProjectedSource(ObjectFields, frozen=True):
    """Source of a projected volume."""

    secret: NamedReference | None = None
    service_account_token: dict[str, object] | None = None


class ProjectedVolume(ObjectFields, frozen=True):
    """Projected volume."""

    sources: list[ProjectedSource] | None = None


class Volume(ObjectFields, frozen=True):
    """Volume of a pod."""

    name: str = ""
    secret: SecretVolume | None = None
    host_path: HostPath | None = None
    projected: ProjectedVolume | None = None


class PodSpec(ObjectFields, frozen=True):
    """Specification of a pod."""

    service_account_name: str | None = None
    service_account: str | None = None
    automount_service_account_token: bool | None = None
    node_name: str | None = None
    host_pid: bool | None = msgspec.field(default=None, name="hostPID")
    host_ipc: bool | None = msgspec.field(default=None, name="hostIPC")
    host_network: bool | None = None
    containers: list[ContainerFields] | None = None
    init_containers: list[ContainerFields] | None = None
    ephemeral_containers: list[ContainerFields] | None = None
    volumes: list[Volume] | None = None
    image_pull_secrets: list[NamedReference] | None = None
    security_context: SecurityContext | None = None


class PodTemplate(ObjectFields, frozen=True):
    """Template of pods."""

    spec: PodSpec
    metadata: ObjectMetadata = ObjectMetadata()


class _TemplateSpec(ObjectFields, frozen=True):
    template: PodTemplate


class TemplateFields(ObjectFields, frozen=True):
    """Controller with a pod template: Deployment, StatefulSet, DaemonSet, Job."""

    spec: _TemplateSpec


class _JobTemplateSpec(ObjectFields, frozen=True):
    job_template: TemplateFields


class CronJobFields(ObjectFields, frozen=True):
    """CronJob."""

    spec: _JobTemplateSpec


class _SandboxSpec(ObjectFields, frozen=True):
    pod_template: PodTemplate


class SandboxFields(ObjectFields, frozen=True):
    """Sandbox of agents.x-k8s.io.

    Source: https://github.com/kubernetes-sigs/agent-sandbox/blob/main/docs/api.md
    """

    spec: _SandboxSpec


class PodFields(ObjectFields, frozen=True):
    """Pod."""

    spec: PodSpec


class _ServiceSpec(ObjectFields, frozen=True):
    selector: dict[str, str] | None = None


class ServiceFields(ObjectFields, frozen=True):
    """Service."""

    spec: _ServiceSpec = _ServiceSpec()


class _NodeSpec(ObjectFields, frozen=True):
    provider_id: str = msgspec.field(default="", name="providerID")


class NodeFields(ObjectFields, frozen=True):
    """Node."""

    spec: _NodeSpec = _NodeSpec()


class _Condition(ObjectFields, frozen=True):
    type: str = ""
    status: str = ""


class SigningRequestStatus(ObjectFields, frozen=True):
    """Status of a CertificateSigningRequest."""

    conditions: list[_Condition] | None = None
    certificate: str | None = None


class SigningRequestSpec(ObjectFields, frozen=True):
    """Specification of a CertificateSigningRequest."""

    request: str = ""
    signer_name: str = ""
    username: str = ""
    groups: Texts = None


class SigningRequestFields(ObjectFields, frozen=True):
    """CertificateSigningRequest."""

    spec: SigningRequestSpec
    status: SigningRequestStatus = SigningRequestStatus()


class _WebhookRule(ObjectFields, frozen=True):
    api_groups: Texts = None
    resources: Texts = None


class _Webhook(ObjectFields, frozen=True):
    rules: list[_WebhookRule] | None = None


class WebhookFields(ObjectFields, frozen=True):
    """ValidatingWebhookConfiguration or MutatingWebhookConfiguration."""

    webhooks: list[_Webhook] | None = None


class AwsAuthData(ObjectFields, frozen=True):
    """Data of the ConfigMap aws-auth: no credential is in it."""

    map_roles: str = ""
    map_users: str = ""
    map_accounts: str = ""


class AwsAuthFields(ObjectFields, frozen=True):
    """ConfigMap aws-auth."""

    data: AwsAuthData = AwsAuthData()

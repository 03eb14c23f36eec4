"""Read each kind of Kubernetes object into the cluster."""

from collections.abc import Callable, Mapping

import msgspec

from answerable.connectors.formats.client_certificates import (
    read_certificate_expiry,
    read_request_subject,
)
from answerable.connectors.kubernetes.parse.cluster_builder import (
    ClusterBuilder,
    ObjectSource,
    convert_labels,
    describe_validation_error,
    hide_secret,
)
from answerable.connectors.kubernetes.parse.object_fields import (
    BindingFields,
    CronJobFields,
    LabelSelector,
    NodeFields,
    PodFields,
    PodSpec,
    RoleFields,
    RoleRule,
    SandboxFields,
    SecretFields,
    ServiceAccountFields,
    ServiceFields,
    SigningRequestFields,
    TemplateFields,
    WebhookFields,
)
from answerable.connectors.kubernetes.parse.pod_specs import (
    build_containers,
    get_service_account_name,
    list_pull_secrets,
)
from answerable.reach.kubernetes.catalogue import (
    ClusterNamespace,
    ClusterNode,
    LabelRequirement,
    Labels,
    PolicyRule,
    RbacBinding,
    RbacRole,
    RbacSubject,
    SecretObject,
    ServiceAccount,
    SigningRequest,
    Workload,
)

AWS_ROLE = "eks.amazonaws.com/role-arn"
GCP_ACCOUNT = "iam.gke.io/gcp-service-account"
TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105 - a type
AZURE_CLIENT = "azure.workload.identity/client-id"
_TOKEN_OWNER = "kubernetes.io/service-account.name"  # noqa: S105 - an annotation


def read_object(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Add an object to the cluster; an invalid one is listed as unreadable."""
    try:
        _READERS[source.kind.kind](builder, source)
    except msgspec.ValidationError as error:
        builder.add_unread(source, describe_validation_error(error))
        return
    builder.recognised += 1


def _read_role(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a Role or ClusterRole."""
    fields = source.decode(RoleFields)
    selectors = (
        fields.aggregation_rule.cluster_role_selectors
        if fields.aggregation_rule
        else None
    ) or ()
    key = (source.namespace, source.name)
    known = builder.roles.get(key)
    made = RbacRole(
        name=source.name,
        namespace=source.namespace,
        rules=tuple(map(_build_rule, fields.rules or ())),
        aggregation=tuple(map(_build_selector, selectors)),
        labels=source.labels,
        from_manifest=bool(selectors) and not (source.admitted and fields.rules),
        place=source.place,
    )
    if known and (known.rules, known.aggregation) != (made.rules, made.aggregation):
        builder.add_unread(source, f"defined differently at {known.place}")
    builder.roles[key] = made


def _build_rule(rule: RoleRule) -> PolicyRule:
    """Build a rule."""
    return PolicyRule(
        verbs=tuple(rule.verbs or ()),
        api_groups=tuple(rule.api_groups or ()),
        resources=tuple(rule.resources or ()),
        resource_names=tuple(rule.resource_names or ()),
        non_resource_urls=tuple(rule.non_resource_urls or ()),
    )


def _build_selector(selector: LabelSelector) -> tuple[LabelRequirement, ...]:
    """Build the requirements of a label selector."""
    labels = sorted((selector.match_labels or {}).items())
    return (
        *(LabelRequirement(key, "In", (value,)) for key, value in labels),
        *(
            LabelRequirement(each.key, each.operator, tuple(each.values or ()))
            for each in selector.match_expressions or ()
        ),
    )


def _read_binding(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a RoleBinding or ClusterRoleBinding."""
    fields = source.decode(BindingFields)
    key = (source.namespace, source.name)
    known = builder.bindings.get(key)
    made = RbacBinding(
        name=source.name,
        namespace=source.namespace,
        role_kind=fields.role_ref.kind,
        role=fields.role_ref.name,
        subjects=tuple(
            RbacSubject(each.kind, hide_secret(each.name), each.namespace or "")
            for each in fields.subjects or ()
        ),
        labels=source.labels,
        place=source.place,
    )
    if known and (known.role_kind, known.role, known.subjects) != (
        made.role_kind,
        made.role,
        made.subjects,
    ):
        builder.add_unread(source, f"defined differently at {known.place}")
    builder.bindings[key] = made


def _read_service_account(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a ServiceAccount."""
    fields = source.decode(ServiceAccountFields)
    key = (source.namespace, source.name)
    builder.sources["ServiceAccount", *key] = source
    builder.service_accounts[key] = ServiceAccount(
        namespace=source.namespace,
        name=source.name,
        automount=fields.automount_service_account_token,
        aws_role=source.get_annotation(AWS_ROLE),
        gcp_service_account=source.get_annotation(GCP_ACCOUNT),
        azure_client_id=source.get_annotation(AZURE_CLIENT),
        secrets=tuple(e.name for e in fields.secrets or () if e.name),
        image_pull_secrets=tuple(
            e.name for e in fields.image_pull_secrets or () if e.name
        ),
        labels=source.labels,
        place=source.place,
    )


def _read_secret(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read the type of a Secret; its data is dropped, and metadata has no type."""
    owner = source.get_annotation(_TOKEN_OWNER)
    builder.secrets[source.namespace, source.name] = SecretObject(
        namespace=source.namespace,
        name=source.name,
        kind=source.decode(SecretFields).type or (TOKEN_SECRET if owner else ""),
        service_account=owner,
        listed=True,
        place=source.place,
    )


def _read_pod(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a Pod."""
    _add_workload(builder, source, source.decode(PodFields).spec, source.labels)


def _read_template(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a controller with a pod template."""
    template = source.decode(TemplateFields).spec.template
    labels = convert_labels(template.metadata.labels)
    _add_workload(builder, source, template.spec, labels)


def _read_cron_job(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a CronJob."""
    template = source.decode(CronJobFields).spec.job_template.spec.template
    labels = convert_labels(template.metadata.labels)
    _add_workload(builder, source, template.spec, labels)


def _read_sandbox(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a Sandbox."""
    template = source.decode(SandboxFields).spec.pod_template
    labels = convert_labels(template.metadata.labels)
    _add_workload(builder, source, template.spec, labels)


def _add_workload(
    builder: ClusterBuilder, source: ObjectSource, spec: PodSpec, pod_labels: Labels
) -> None:
    """Add a workload with its pod specification."""
    is_pod = source.kind.kind == "Pod"
    key = (source.kind.kind, source.namespace, source.name)
    builder.sources[key] = source
    builder.agent_objects.pod_labels[key] = pod_labels
    builder.workloads[key] = Workload(
        kind=source.kind.kind,
        namespace=source.namespace,
        name=source.name,
        service_account=get_service_account_name(spec),
        automount=spec.automount_service_account_token,
        node=spec.node_name or "",
        host_pid=bool(spec.host_pid),
        host_network=bool(spec.host_network),
        host_ipc=bool(spec.host_ipc),
        containers=build_containers(spec, admitted=is_pod and source.admitted),
        image_pull_secrets=list_pull_secrets(spec),
        labels=source.labels,
        controller=source.controller,
        place=source.place,
    )


def _read_node(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a Node."""
    provider = source.decode(NodeFields).spec.provider_id
    builder.nodes[source.name] = ClusterNode(source.name, provider, source.labels)


def _read_namespace(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a Namespace."""
    builder.namespaces[source.name] = ClusterNamespace(source.name, source.labels)


def _read_service(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read the selector of a Service."""
    selector = source.decode(ServiceFields).spec.selector
    key = (source.namespace, source.name)
    builder.agent_objects.services[key] = convert_labels(selector)


def _read_signing_request(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read a CertificateSigningRequest, and the subject that it asks for."""
    fields = source.decode(SigningRequestFields)
    states = {c.type for c in fields.status.conditions or () if c.status != "False"}
    subject, groups = read_request_subject(fields.spec.request)
    builder.signing_requests[source.name] = SigningRequest(
        name=source.name,
        signer=fields.spec.signer_name,
        username=fields.spec.username,
        groups=tuple(fields.spec.groups or ()),
        approved="Approved" in states and "Denied" not in states,
        place=source.place,
        subject=hide_secret(subject),
        subject_groups=groups,
        issued=bool(fields.status.certificate),
        expires_at=read_certificate_expiry(fields.status.certificate or ""),
    )


def _read_webhooks(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Read the kinds of objects that admission webhooks receive."""
    for webhook in source.decode(WebhookFields).webhooks or ():
        for rule in webhook.rules or ():
            builder.webhook_kinds |= {
                f"{group}/{resource}"
                for group in rule.api_groups or ()
                for resource in rule.resources or ()
            }


def _read_agent(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Keep a kagent Agent for the facts."""
    builder.agent_objects.agents.append(source)


def _read_model_config(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Keep a kagent ModelConfig for the facts."""
    builder.agent_objects.model_configs.append(source)


def _read_remote_server(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Keep a kagent RemoteMCPServer for the facts."""
    builder.agent_objects.remote_servers.append(source)


def _read_server(builder: ClusterBuilder, source: ObjectSource) -> None:
    """Keep a kagent MCPServer for the facts."""
    builder.agent_objects.servers.append(source)


_READERS: Mapping[str, Callable[[ClusterBuilder, ObjectSource], None]] = {
    "Role": _read_role,
    "ClusterRole": _read_role,
    "RoleBinding": _read_binding,
    "ClusterRoleBinding": _read_binding,
    "ServiceAccount": _read_service_account,
    "Secret": _read_secret,
    "Pod": _read_pod,
    "Deployment": _read_template,
    "StatefulSet": _read_template,
    "DaemonSet": _read_template,
    "Job": _read_template,
    "CronJob": _read_cron_job,
    "Sandbox": _read_sandbox,
    "Node": _read_node,
    "Namespace": _read_namespace,
    "Service": _read_service,
    "CertificateSigningRequest": _read_signing_request,
    "ValidatingWebhookConfiguration": _read_webhooks,
    "MutatingWebhookConfiguration": _read_webhooks,
    "Agent": _read_agent,
    "ModelConfig": _read_model_config,
    "RemoteMCPServer": _read_remote_server,
    "MCPServer": _read_server,
}

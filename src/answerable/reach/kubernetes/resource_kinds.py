"""Built-in resources of the Kubernetes API, as one table.

Source: `kubectl api-resources` of a cluster without extensions, as listed on
https://kubernetes.io/docs/reference/kubectl/#resource-types, and the virtual resources
of https://kubernetes.io/docs/reference/access-authn-authz/ (impersonation, signers).
"""

from dataclasses import dataclass

STANDARD_VERBS = (
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
)
# Verbs of https://kubernetes.io/docs/reference/access-authn-authz/authorization/,
# "Authorization verbs", and of certificates, resource claims and the node API.
SPECIAL_VERBS = ("approve", "attest", "bind", "escalate", "impersonate", "sign", "use")
URL_VERBS = ("get", "head", "post", "put", "patch", "delete", "options")


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """Resource of the API.

    Attributes:
        group: API group; empty for the core group.
        namespaced: False for a cluster-scoped resource.
        aliases: Short names, the singular name and the kind, in lower case.
    """

    name: str
    group: str
    namespaced: bool
    aliases: tuple[str, ...]


# Resource, group (`-` for core), scope (n: namespaced, c: cluster), kind, short names.
_TABLE = """
bindings - n Binding
componentstatuses - c ComponentStatus cs
configmaps - n ConfigMap cm
endpoints - n Endpoints ep
events - n Event ev
limitranges - n LimitRange limits
namespaces - c Namespace ns
nodes - c Node no
persistentvolumeclaims - n PersistentVolumeClaim pvc
persistentvolumes - c PersistentVolume pv
pods - n Pod po
podtemplates - n PodTemplate
replicationcontrollers - n ReplicationController rc
resourcequotas - n ResourceQuota quota
secrets - n Secret
serviceaccounts - n ServiceAccount sa
services - n Service svc
users - c User
groups - c Group
uids authentication.k8s.io c Uid
userextras authentication.k8s.io c UserExtra
signers certificates.k8s.io c Signer
mutatingwebhookconfigurations admissionregistration.k8s.io c MutatingWebhookConfiguration
validatingadmissionpolicies admissionregistration.k8s.io c ValidatingAdmissionPolicy
validatingadmissionpolicybindings admissionregistration.k8s.io c ValidatingAdmissionPolicyBinding
validatingwebhookconfigurations admissionregistration.k8s.io c ValidatingWebhookConfiguration
customresourcedefinitions apiextensions.k8s.io c CustomResourceDefinition crd crds
apiservices apiregistration.k8s.io c APIService
controllerrevisions apps n ControllerRevision
daemonsets apps n DaemonSet ds
deployments apps n Deployment deploy
replicasets apps n ReplicaSet rs
statefulsets apps n StatefulSet sts
selfsubjectreviews authentication.k8s.io c SelfSubjectReview
tokenreviews authentication.k8s.io c TokenReview
localsubjectaccessreviews authorization.k8s.io n LocalSubjectAccessReview
selfsubjectaccessreviews authorization.k8s.io c SelfSubjectAccessReview
selfsubjectrulesreviews authorization.k8s.io c SelfSubjectRulesReview
subjectaccessreviews authorization.k8s.io c SubjectAccessReview
horizontalpodautoscalers autoscaling n HorizontalPodAutoscaler hpa
cronjobs batch n CronJob cj
jobs batch n Job
certificatesigningrequests certificates.k8s.io c CertificateSigningRequest csr
leases coordination.k8s.io n Lease
endpointslices discovery.k8s.io n EndpointSlice
flowschemas flowcontrol.apiserver.k8s.io c FlowSchema
prioritylevelconfigurations flowcontrol.apiserver.k8s.io c PriorityLevelConfiguration
ingressclasses networking.k8s.io c IngressClass
ingresses networking.k8s.io n Ingress ing
networkpolicies networking.k8s.io n NetworkPolicy netpol
runtimeclasses node.k8s.io c RuntimeClass
poddisruptionbudgets policy n PodDisruptionBudget pdb
clusterrolebindings rbac.authorization.k8s.io c ClusterRoleBinding
clusterroles rbac.authorization.k8s.io c ClusterRole
rolebindings rbac.authorization.k8s.io n RoleBinding
roles rbac.authorization.k8s.io n Role
priorityclasses scheduling.k8s.io c PriorityClass pc
csidrivers storage.k8s.io c CSIDriver
csinodes storage.k8s.io c CSINode
csistoragecapacities storage.k8s.io n CSIStorageCapacity
storageclasses storage.k8s.io c StorageClass sc
volumeattachments storage.k8s.io c VolumeAttachment
agents kagent.dev n Agent
applications argoproj.io n Application
kustomizations kustomize.toolkit.fluxcd.io n Kustomization
helmreleases helm.toolkit.fluxcd.io n HelmRelease
"""


def _parse_row(line: str) -> ResourceKind:
    """Parse a row of the table."""
    name, group, scope, kind, *short = line.split()
    aliases = (kind.lower(), *short)
    return ResourceKind(name, "" if group == "-" else group, scope == "n", aliases)


RESOURCE_KINDS = tuple(_parse_row(line) for line in _TABLE.split("\n") if line)
KINDS_BY_NAME = {(each.name, each.group): each for each in RESOURCE_KINDS}
_BY_ALIAS: dict[str, list[ResourceKind]] = {}
for _kind in RESOURCE_KINDS:
    for _alias in (_kind.name, *_kind.aliases):
        _BY_ALIAS.setdefault(_alias, []).append(_kind)


def find_resource_kinds(name: str) -> tuple[ResourceKind, ...]:
    """Find built-in resources by name, short name or kind, the core group first."""
    return tuple(_BY_ALIAS.get(name.lower(), ()))


def is_namespaced(resource: str, group: str) -> bool | None:
    """Return whether a resource is namespaced; None for one that is not built in."""
    found = KINDS_BY_NAME.get((resource, group))
    return found.namespaced if found else None

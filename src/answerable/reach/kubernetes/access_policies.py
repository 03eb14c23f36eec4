"""EKS access policies: a second source of allow rules in addition to RBAC, without API objects.

Transcribed on 2026-11-29 from
https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html (source text
of 2025-11, after the change of 6 November 2025). A policy that the page describes
without a table of its rules is not listed: its rules are not known.
"""

from answerable.reach.kubernetes.catalogue import PolicyRule

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_WORKLOADS = (
    "daemonsets",
    "deployments",
    "deployments/rollback",
    "deployments/scale",
    "replicasets",
    "replicasets/scale",
)
_EXTENSIONS_WRITE = (
    *_WORKLOADS,
    "ingresses",
    "networkpolicies",
    "replicationcontrollers/scale",
)
_APPS_READ = (
    "controllerrevisions",
    "daemonsets",
    "daemonsets/status",
    "deployments",
    "deployments/scale",
    "deployments/status",
    "replicasets",
    "replicasets/scale",
    "replicasets/status",
    "statefulsets",
    "statefulsets/scale",
    "statefulsets/status",
)
_EXTENSIONS_READ = (
    *_APPS_READ[1:9],
    "ingresses",
    "ingresses/status",
    "networkpolicies",
    "replicationcontrollers/scale",
)
_CORE_READ = (
    "configmaps",
    "endpoints",
    "persistentvolumeclaims",
    "persistentvolumeclaims/status",
    "pods",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "serviceaccounts",
    "services",
    "services/status",
)
_CORE_STATUS = (
    "bindings",
    "events",
    "limitranges",
    "namespaces/status",
    "pods/log",
    "pods/status",
    "replicationcontrollers/status",
    "resourcequotas",
    "resourcequotas/status",
)
_CORE_WRITE = (
    "configmaps",
    "events",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "secrets",
    "serviceaccounts",
    "services",
    "services/proxy",
)
_PODS = ("pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy")

_VIEW = (
    PolicyRule(_READ, ("apps",), _APPS_READ),
    PolicyRule(
        _READ,
        ("autoscaling",),
        ("horizontalpodautoscalers", "horizontalpodautoscalers/status"),
    ),
    PolicyRule(
        _READ, ("batch",), ("cronjobs", "cronjobs/status", "jobs", "jobs/status")
    ),
    PolicyRule(_READ, ("discovery.k8s.io",), ("endpointslices",)),
    PolicyRule(_READ, ("extensions",), _EXTENSIONS_READ),
    PolicyRule(
        _READ,
        ("networking.k8s.io",),
        ("ingresses", "ingresses/status", "networkpolicies"),
    ),
    PolicyRule(
        _READ,
        ("policy",),
        ("poddisruptionbudgets", "poddisruptionbudgets/status"),
    ),
    PolicyRule(_READ, ("",), _CORE_READ),
    PolicyRule(_READ, ("",), _CORE_STATUS),
    PolicyRule(_READ, ("",), ("namespaces",)),
)
_EDIT = (
    *_VIEW,
    PolicyRule(_WRITE, ("apps",), (*_WORKLOADS, "statefulsets", "statefulsets/scale")),
    PolicyRule(_WRITE, ("autoscaling",), ("horizontalpodautoscalers",)),
    PolicyRule(_WRITE, ("batch",), ("cronjobs", "jobs")),
    PolicyRule(_WRITE, ("extensions",), _EXTENSIONS_WRITE),
    PolicyRule(_WRITE, ("networking.k8s.io",), ("ingresses", "networkpolicies")),
    PolicyRule(_WRITE, ("policy",), ("poddisruptionbudgets",)),
    PolicyRule(_READ, ("",), (*_PODS[1:], "secrets", "services/proxy")),
    PolicyRule(("impersonate",), ("",), ("serviceaccounts",)),
    PolicyRule(_WRITE, ("",), _PODS),
    PolicyRule(_WRITE, ("",), _CORE_WRITE),
)
ACCESS_POLICIES: dict[str, tuple[PolicyRule, ...]] = {
    "AmazonEKSAdminPolicy": (
        *_EDIT,
        PolicyRule(
            ("create",), ("authorization.k8s.io",), ("localsubjectaccessreviews",)
        ),
        PolicyRule(
            (*_WRITE, *_READ),
            ("rbac.authorization.k8s.io",),
            ("rolebindings", "roles"),
        ),
    ),
    "AmazonEKSAdminViewPolicy": (PolicyRule(_READ, ("*",), ("*",)),),
    "AmazonEKSClusterAdminPolicy": (
        PolicyRule(("*",), ("*",), ("*",)),
        PolicyRule(("*",), non_resource_urls=("*",)),
    ),
    "AmazonEKSEditPolicy": _EDIT,
    "AmazonEKSHybridPolicy": (PolicyRule(("list",), ("*",), ("nodes",)),),
    "AmazonEKSSecretReaderPolicy": (PolicyRule(_READ, ("",), ("secrets",)),),
    "AmazonEKSViewPolicy": _VIEW,
}

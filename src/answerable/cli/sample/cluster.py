"""Build a fictional EKS cluster: objects as `kubectl get` lists them, responses of EKS."""

import json

from answerable.cli.sample.account import Json
from answerable.cli.sample.platform_account import (
    CLUSTER_ISSUER,
    LEDGER_ROLE,
    PLATFORM_ACCOUNT,
    PREVIEW_ROLE,
    RELEASE_ROLE,
)

_RBAC = "rbac.authorization.k8s.io"
_AUTHENTICATION_READER = "extension-apiserver-authentication-reader"


def _build_object(kind: str, name: str, namespace: str = "", **fields: object) -> Json:
    """Build an object as the API server returns it."""
    grouped = kind.endswith(("Role", "RoleBinding"))
    metadata = {"name": name, "uid": f"{kind}-{namespace}-{name}".lower()}
    return {
        "apiVersion": f"{_RBAC}/v1" if grouped else "v1",
        "kind": kind,
        "metadata": {**metadata, **({"namespace": namespace} if namespace else {})},
        **fields,
    }


def _build_binding(name: str, namespace: str, role: str, group: str) -> Json:
    """Build a binding of a role to a group, in a namespace or in the cluster."""
    prefix = "" if namespace else "Cluster"
    return _build_object(
        f"{prefix}RoleBinding",
        name,
        namespace,
        roleRef={"apiGroup": _RBAC, "kind": f"{prefix}Role", "name": role},
        subjects=[{"apiGroup": _RBAC, "kind": "Group", "name": group}],
    )


def _build_pod(name: str, namespace: str, image: str) -> Json:
    """Build a running pod with one container."""
    spec = {"containers": [{"name": name, "image": image}]}
    return _build_object("Pod", f"{name}-0", namespace, spec=spec)


def build_cluster_objects() -> str:
    """Build the output of `kubectl get ... --all-namespaces -o json`."""
    pods = {"verbs": ["create", "get"], "apiGroups": [""], "resources": ["pods"]}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    ledger = _build_object("ServiceAccount", "ledger", "previews")
    annotated = {
        **ledger["metadata"],  # type: ignore[dict-item]
        "annotations": {"eks.amazonaws.com/role-arn": LEDGER_ROLE},
    }
    items = [
        *(
            _build_object("Namespace", name)
            for name in ("default", "kube-system", "previews")
        ),
        *(
            _build_object("ServiceAccount", "default", name)
            for name in ("default", "kube-system", "previews")
        ),
        {**ledger, "metadata": annotated},
        _build_object("ClusterRole", "cluster-admin", rules=[everything]),
        _build_binding("cluster-admin", "", "cluster-admin", "system:masters"),
        _build_object("Role", _AUTHENTICATION_READER, "kube-system", rules=[]),
        _build_binding(
            f"system::{_AUTHENTICATION_READER}",
            "kube-system",
            _AUTHENTICATION_READER,
            "system:authenticators",
        ),
        _build_object("Role", "preview", "previews", rules=[pods]),
        _build_binding("previewers", "previews", "preview", "previewers"),
        _build_pod("web", "previews", "example-corp/web"),
        _build_pod("dns", "kube-system", "coredns"),
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1)


def build_eks_answers() -> str:
    """Build the answers of `aws eks`, one after the other."""
    answers: list[Json] = [
        {
            "cluster": {
                "name": "prod",
                "arn": f"arn:aws:eks:eu-west-1:{PLATFORM_ACCOUNT}:cluster/prod",
                "version": "1.35",
                "identity": {"oidc": {"issuer": f"https://{CLUSTER_ISSUER}"}},
                "accessConfig": {"authenticationMode": "API"},
            }
        },
        {"accessEntries": [PREVIEW_ROLE, RELEASE_ROLE]},
    ]
    for role in (PREVIEW_ROLE, RELEASE_ROLE):
        answers += [
            {
                "accessEntry": {
                    "clusterName": "prod",
                    "principalArn": role,
                    "kubernetesGroups": ["previewers"],
                    "username": role.rpartition("/")[2],
                    "type": "STANDARD",
                }
            },
            {
                "clusterName": "prod",
                "principalArn": role,
                "associatedAccessPolicies": [],
            },
        ]
    answers.append({"associations": []})
    return "\n".join(map(json.dumps, answers)) + "\n"

"""Kubernetes objects for tests, written by hand after the API reference."""

import json
from pathlib import Path
from typing import Any

import msgspec

from answerable.connectors.kubernetes import fetch
from answerable.model.connector import SyncContext
from answerable.model.sighting import Sync
from answerable.reach.kubernetes.catalogue import Cluster

RBAC = "rbac.authorization.k8s.io/v1"


def made(kind: str, name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
    """An object of the API server: it has a uid."""
    version = fields.pop("apiVersion", "v1")
    metadata = {"name": name, "uid": f"uid-{name}", **fields.pop("metadata", {})}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def manifest(
    kind: str, name: str, namespace: str = "", **fields: Any
) -> dict[str, Any]:
    """An object of a file: it has no uid."""
    found = made(kind, name, namespace, **fields)
    del found["metadata"]["uid"]
    return found


def role(name: str, namespace: str = "", *, rules: Any = (), **more: Any) -> Any:
    kind = "Role" if namespace else "ClusterRole"
    return made(kind, name, namespace, apiVersion=RBAC, rules=list(rules), **more)


def binding(
    name: str, namespace: str, role_name: str, *subjects: Any, cluster: bool = True
) -> Any:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    reference = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole" if cluster else "Role",
        "name": role_name,
    }
    return made(
        kind,
        name,
        namespace,
        apiVersion=RBAC,
        roleRef=reference,
        subjects=list(subjects),
    )


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "name": name}


def group(name: str) -> dict[str, str]:
    return {"kind": "Group", "name": name}


def account(name: str, namespace: str = "") -> dict[str, str]:
    more = {"namespace": namespace} if namespace else {}
    return {"kind": "ServiceAccount", "name": name, **more}


def pod(name: str, namespace: str, spec: dict[str, Any], **more: Any) -> Any:
    return made("Pod", name, namespace, spec=spec, **more)


def bootstrap() -> list[dict[str, Any]]:
    """Objects that every cluster has, as far as completeness is judged by them."""
    hidden = "extension-apiserver-authentication-reader"
    return [
        made("Namespace", "default"),
        made("Namespace", "kube-system"),
        made("ServiceAccount", "default", "default"),
        made("ServiceAccount", "default", "kube-system"),
        role("cluster-admin", rules=[{"verbs": ["*"]}]),
        binding("cluster-admin", "", "cluster-admin", group("system:masters")),
        role(hidden, "kube-system"),
        role("leader", "kube-public"),
        binding(f"system::{hidden}", "kube-system", hidden, cluster=False),
        binding("info", "kube-public", "leader", cluster=False),
    ]


def listed(*items: Any, kind: str = "List") -> str:
    return json.dumps({"apiVersion": "v1", "items": list(items), "kind": kind})


def scan(location: str, now: int = 1) -> Sync:
    """Read a location."""
    return fetch.sync(location, SyncContext(now=now, fingerprint=lambda text: "f"))


def scan_text(tmp_path: Path, text: str, name: str = "dump.json") -> Sync:
    """Read one file as the cluster `c`."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return scan(f"{path},cluster=c")


def cluster_of(sync: Sync) -> Cluster:
    """Decode the catalogue."""
    (found,) = sync.facts.catalogues
    assert found.platform == "kubernetes"
    return msgspec.json.decode(found.body, type=Cluster)


def scan_objects(tmp_path: Path, *objects: Any) -> tuple[Cluster, Sync]:
    """Read a list of objects as the cluster `c`."""
    sync = scan_text(tmp_path, listed(*objects))
    return cluster_of(sync), sync

"""Clusters from manifests, for tests: RBAC objects, service accounts, pods."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from answerable.reach.kubernetes.catalogue import (
    AccessEntry,
    Cluster,
    ClusterNamespace,
    ClusterNode,
    Container,
    HostMount,
    LabelRequirement,
    PolicyRule,
    RbacBinding,
    RbacRole,
    RbacSubject,
    SecretObject,
    ServiceAccount,
    Workload,
)

RBAC_KINDS = (
    "clusterrolebindings",
    "clusterroles",
    "namespaces",
    "nodes",
    "pods",
    "rolebindings",
    "roles",
    "secrets",
    "serviceaccounts",
)
Object = Mapping[str, Any]


def load_objects(text: str) -> list[Object]:
    """Load the objects of YAML documents, with those of lists."""
    found: list[Object] = []
    for document in yaml.load_all(text, yaml.CSafeLoader):
        if document:
            found += document.get("items") or [document]
    return found


def load_rbac_lines(text: str) -> list[Object]:
    """Load the objects of JSON lines; of variants of one object the last counts."""
    found: dict[tuple[str, str, str], Object] = {}
    for line in text.splitlines():
        each = json.loads(line)["object"]
        meta = each["metadata"]
        found[each["kind"], meta.get("namespace", ""), meta["name"]] = each
    return list(found.values())


def build_cluster(
    objects: Iterable[Object],
    *,
    name: str = "prod",
    collected: Iterable[str] = RBAC_KINDS,
    default_namespace: str = "default",
    **more: Any,
) -> Cluster:
    """Build the catalogue of a cluster from objects."""
    parts: dict[str, list[Any]] = {}
    for each in objects:
        for key, value in _parse(each, default_namespace):
            parts.setdefault(key, []).append(value)
    lists: dict[str, Any] = {key: tuple(values) for key, values in parts.items()}
    return Cluster(name, collected=tuple(collected), **lists, **more)


def _parse(each: Object, default: str) -> Iterator[tuple[str, Any]]:
    kind = each["kind"]
    meta = each.get("metadata") or {}
    name = meta.get("name", "")
    namespace = meta.get("namespace") or default
    labels = tuple(sorted((meta.get("labels") or {}).items()))
    if kind in ("Role", "ClusterRole"):
        where = namespace if kind == "Role" else ""
        selectors = (each.get("aggregationRule") or {}).get(
            "clusterRoleSelectors"
        ) or ()
        yield (
            "roles",
            RbacRole(
                name,
                where,
                tuple(parse_rule(rule) for rule in each.get("rules") or ()),
                tuple(parse_selector(one) for one in selectors),
                labels,
                from_manifest=True,
            ),
        )
    elif kind in ("RoleBinding", "ClusterRoleBinding"):
        subjects = tuple(
            RbacSubject(one["kind"], one["name"], one.get("namespace", ""))
            for one in each.get("subjects") or ()
        )
        where = namespace if kind == "RoleBinding" else ""
        ref = each["roleRef"]
        yield "bindings", RbacBinding(name, where, ref["kind"], ref["name"], subjects)
    elif kind == "ServiceAccount":
        yield (
            "service_accounts",
            ServiceAccount(namespace, name, each.get("automountServiceAccountToken")),
        )
    elif kind == "Namespace":
        yield "namespaces", ClusterNamespace(name, labels)
    elif kind == "Node":
        yield "nodes", ClusterNode(name)
    elif kind == "Secret":
        annotations = meta.get("annotations") or {}
        account = annotations.get("kubernetes.io/service-account.name", "")
        yield (
            "secrets",
            SecretObject(namespace, name, each.get("type", ""), account, listed=True),
        )
    elif kind == "AccessEntry":
        yield (
            "access_entries",
            AccessEntry(
                each["principal"],
                each["username"],
                tuple(each.get("groups", ())),
                tuple((p, s) for p, s in each.get("policies", ())),
                aws_auth=each.get("aws_auth", False),
            ),
        )
    elif "spec" in each and kind != "Service":
        yield from _parse_workload(each, kind, namespace, name)


def _parse_workload(
    each: Object, kind: str, namespace: str, name: str
) -> Iterator[tuple[str, Any]]:
    spec = each["spec"]
    pod = spec if kind == "Pod" else (spec.get("template") or {}).get("spec")
    if not pod:
        return
    volumes = {
        one["name"]: one["hostPath"]["path"]
        for one in pod.get("volumes") or ()
        if "hostPath" in one
    }
    yield (
        "workloads",
        Workload(
            kind,
            namespace,
            name,
            pod.get("serviceAccountName", "default"),
            pod.get("automountServiceAccountToken"),
            pod.get("nodeName", ""),
            host_pid=pod.get("hostPID", False),
            host_network=pod.get("hostNetwork", False),
            containers=tuple(
                _parse_container(one, volumes) for one in pod.get("containers") or ()
            ),
        ),
    )


def _parse_container(one: Object, volumes: Mapping[str, str]) -> Container:
    security = one.get("securityContext") or {}
    mounts = tuple(
        HostMount(volumes[mount["name"]], mount.get("readOnly", False))
        for mount in one.get("volumeMounts") or ()
        if mount["name"] in volumes
    )
    secrets = tuple(
        variable["valueFrom"]["secretKeyRef"]["name"]
        for variable in one.get("env") or ()
        if "secretKeyRef" in (variable.get("valueFrom") or {})
    )
    return Container(
        one["name"],
        privileged=security.get("privileged", False),
        capabilities=tuple((security.get("capabilities") or {}).get("add") or ()),
        run_as_root=False if security.get("runAsNonRoot") else None,
        host_mounts=mounts,
        secrets=secrets,
    )


def parse_rule(rule: Object) -> PolicyRule:
    """Parse a rule of a role."""
    return PolicyRule(
        tuple(rule.get("verbs") or ()),
        tuple(rule.get("apiGroups") or ()),
        tuple(rule.get("resources") or ()),
        tuple(rule.get("resourceNames") or ()),
        tuple(rule.get("nonResourceURLs") or ()),
    )


def parse_selector(selector: Object) -> tuple[LabelRequirement, ...]:
    """Parse a label selector."""
    return (
        *(
            LabelRequirement(key, "In", (value,))
            for key, value in (selector.get("matchLabels") or {}).items()
        ),
        *(
            LabelRequirement(
                one["key"], one["operator"], tuple(one.get("values") or ())
            )
            for one in selector.get("matchExpressions") or ()
        ),
    )

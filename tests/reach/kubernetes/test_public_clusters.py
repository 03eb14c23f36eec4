"""Public clusters and charts: KubeHound's edges, the default RBAC, four charts.

The data is no part of the project; without it these tests are skipped.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.model.kubernetes_ids import KubernetesSubject, parse_subject_id
from answerable.reach.kubernetes.access_graph import iterate_bits
from answerable.reach.kubernetes.catalogue import Cluster, ClusterNode
from answerable.reach.kubernetes.cluster_access import ClusterAccess
from answerable.reach.kubernetes.rule_matching import build_request
from tests.reach.kubernetes.manifests import (
    build_cluster,
    load_objects,
    load_rbac_lines,
)
from tests.reference.kubernetes import rbac as reference

PLACES = [each / "shared" / "data" / "k8s" for each in Path(__file__).parents]
DATA = next((each for each in PLACES if each.is_dir()), PLACES[0])
KUBEHOUND = DATA / "kubehound"
CHARTS = ("argo-cd", "ingress-nginx", "kube-prometheus", "spire")
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the data is not here")
NODES = tuple(
    f"kubehound.test.local-{n}" for n in ("control-plane", "worker", "worker2")
)
# Edges whose facts are not RBAC and pod specifications, or that this model has not.
NOT_MODELLED = {"ENDPOINT_EXPLOIT", "SHARE_PS_NAMESPACE"}


def load_bootstrap() -> list[Any]:
    objects: list[Any] = []
    for path in sorted((DATA / "bootstrap").glob("*.yaml")):
        objects += load_objects(path.read_text(encoding="utf-8"))
    return objects


@pytest.fixture(scope="module")
def kubehound() -> ClusterAccess:
    """KubeHound's test cluster, with the default RBAC; secrets were not collected."""
    objects = load_bootstrap()
    for path in sorted((KUBEHOUND / "test-cluster" / "attacks").glob("*.yaml")):
        objects += load_objects(path.read_text(encoding="utf-8"))
    kinds = ("clusterrolebindings", "clusterroles", "pods", "rolebindings", "roles")
    cluster = build_cluster(
        objects, collected=(*kinds, "nodes", "serviceaccounts"), version="v1.30.0"
    )
    nodes = tuple(ClusterNode(name) for name in NODES)
    merged = Cluster(
        **{**{f: getattr(cluster, f) for f in cluster.__slots__}, "nodes": nodes}
    )
    return ClusterAccess([merged])


def account(name: str, namespace: str = "default") -> str:
    return str(KubernetesSubject("prod", "serviceaccount", name, namespace))


def reached(access: ClusterAccess, key: str) -> set[str]:
    """Return the ids that a node reaches by steps."""
    number = access.graph.get_bit(key).bit_length() - 1
    found = access.steps.search_from(number).found
    return {access.graph.ids[each] for each in iterate_bits(found)}


def subjects_of(access: ClusterAccess, permission_set: str) -> list[str]:
    """Return the identities that the binding of `ROLE::BINDING` names."""
    role, _, binding = permission_set.partition("::")
    found = [
        subject
        for each in access.index.cluster.bindings
        if (each.role, each.name) == (role, binding)
        for subject in access.index.identities
        for key in access.index.list_subject_keys(subject)
        if any(
            key
            == (
                "user",
                f"system:serviceaccount:{s.namespace or each.namespace}:{s.name}",
            )
            or key == (s.kind.lower(), s.name)
            for s in each.subjects
        )
    ]
    assert found, permission_set
    return [str(each) for each in found]


def edges() -> list[dict[str, Any]]:
    lines = (KUBEHOUND / "edges_shared.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def node_of(name: str) -> str:
    return str(KubernetesSubject("prod", "user", f"system:node:{name}"))


def holds_role(
    access: ClusterAccess, key: str, permission_set: str, scope: str
) -> bool:
    """Return whether an identity may do, after steps, all that a role allows in a scope."""
    role_name = permission_set.partition("::")[0]
    role = next(
        role
        for (where, name), role in access.index.roles.items()
        if name == role_name and where in ("", "default")
    )
    number = access.graph.get_bit(key).bit_length() - 1
    return all(
        access.find_path(
            number,
            build_request(verb, (resource.split("/")[0], group, ""), "", scope),
            direct=False,
        )
        for rule in role.rules
        for verb in rule.verbs
        for resource in rule.resources
        for group in rule.api_groups
    )


def is_found(access: ClusterAccess, row: dict[str, Any]) -> bool:
    """Return whether the engine has an expected edge."""
    edge, start, end = (str(row.get(key)) for key in ("edge", "start", "end"))
    pod = f"k8s:prod/default/pods/{start}"
    if edge == "PERMISSION_DISCOVER":
        return account(start) in subjects_of(access, end)
    if edge == "TOKEN_STEAL":
        return any(
            account(row["value"]) in reached(access, access.graph.ids[number])
            for number, key in enumerate(access.graph.ids)
            if "/pods/" in key
        )
    if edge == "IDENTITY_ASSUME":
        if start.endswith("worker"):
            subject = parse_subject_id(node_of(start))
            return subject is not None and ("group", end) in (
                access.index.list_subject_keys(subject)
            )
        return account(end) in reached(access, pod)
    if edge.startswith(("CE_", "EXPLOIT_HOST")):
        name = {"umh-core-container": "umh-core-pod"}.get(start, start)
        found = reached(access, f"k8s:prod/default/pods/{name}")
        return any(node_of(each) in found for each in NODES)
    (key, *_) = subjects_of(access, start)
    if edge == "ROLE_BIND":
        cluster = {"isNamespaced": "false"} in row["query"]
        return holds_role(access, key, end, "" if cluster else "default")
    found = reached(access, key)
    if edge == "POD_CREATE":
        return node_of(end) in found
    if edge in ("POD_EXEC", "POD_PATCH"):
        return f"k8s:prod/default/pods/{end}" in found
    return account(end) in found


def test_each_expected_edge_of_kubehound_is_found(kubehound: ClusterAccess) -> None:
    rows = [row for row in edges() if row["edge"] not in NOT_MODELLED]
    assert [row for row in rows if not is_found(kubehound, row)] == []
    assert len(rows) == 109


def test_no_negative_case_of_kubehound_binds_a_role(kubehound: ClusterAccess) -> None:
    masters = str(KubernetesSubject("prod", "group", "system:masters"))
    failing = [
        key
        for key in kubehound.graph.ids
        if key.endswith("-fail") and "/serviceaccount/" in key
    ]
    assert len(failing) >= 3
    for key in failing:
        found = reached(kubehound, key)
        assert masters not in found
        assert not any(each.endswith("/*") or "roles" in each for each in found)


def test_pods_that_may_be_executed_in_are_exactly_the_expected_number(
    kubehound: ClusterAccess,
) -> None:
    for edge, start in (
        ("POD_EXEC", "exec-pods::pod-exec-pods"),
        ("POD_PATCH", "patch-pods::pod-patch-pods"),
    ):
        expected = next(row["rows_in_test"] for row in edges() if row["edge"] == edge)
        (key,) = subjects_of(kubehound, start)
        number = kubehound.graph.get_bit(key).bit_length() - 1
        pods = 0
        for step in kubehound.steps.wide:
            if step.actors >> number & 1:
                pods |= step.targets
        count = sum("/pods/" in kubehound.graph.ids[n] for n in iterate_bits(pods))
        assert count == expected


def load_estates() -> Iterator[tuple[str, Cluster]]:
    """Yield the default cluster and the four charts."""
    yield "bootstrap", build_cluster(load_bootstrap(), default_namespace="kube-system")
    for name in CHARTS:
        text = (DATA / "rbac" / name / "rbac.jsonl").read_text(encoding="utf-8")
        yield name, build_cluster(load_rbac_lines(text), default_namespace=name)


def who_of(subject: KubernetesSubject) -> reference.Who:
    if subject.kind == "serviceaccount":
        return reference.service_account(subject.namespace, subject.name)
    if subject.kind == "group":
        extra = (
            ("system:serviceaccounts",) if ":serviceaccounts:" in subject.name else ()
        )
        implied = (
            ()
            if subject.name == "system:unauthenticated"
            else ("system:authenticated",)
        )
        return reference.Who("", (subject.name, *extra, *implied))
    if subject.name == "system:anonymous":
        return reference.Who(subject.name, ("system:unauthenticated",))
    return reference.user(subject.name)


def list_calls(cluster: Cluster) -> list[reference.Call]:
    """List a call for each verb and resource that any rule names."""
    calls: dict[reference.Call, None] = {}
    namespaces = sorted({"", *(each.namespace for each in cluster.bindings)})
    for role in cluster.roles:
        for rule in role.rules:
            for verb in rule.verbs:
                for resource in rule.resources:
                    for group in rule.api_groups:
                        kind, _, sub = resource.partition("/")
                        for name in ("", *rule.resource_names):
                            for namespace in namespaces:
                                call = reference.Call(
                                    verb, kind, group, sub, name, namespace
                                )
                                calls[call] = None
    return list(calls)


def test_who_can_equals_an_independent_count() -> None:
    counted: dict[str, int] = defaultdict(int)
    for name, cluster in load_estates():
        access = ClusterAccess([cluster])
        for call in list_calls(cluster)[::7]:
            request = build_request(
                call.verb,
                (call.resource, call.group, call.subresource),
                call.name,
                call.namespace,
            )
            allowed = access.graph.find_allowed(request) & access.graph.named
            got = {access.graph.subjects[n] for n in iterate_bits(allowed)}
            want = {
                subject
                for subject in access.index.identities
                if reference.may(cluster, who_of(subject), call)
            }
            # Nodes have the rules of the Node authorizer besides.
            got -= {s for s in got if s and s.name == "system:nodes"}
            want -= {s for s in want if s.name == "system:nodes"}
            assert got == want, (name, call)
            counted[name] += len(got)
    assert all(counted[name] for name in ("bootstrap", *CHARTS)), dict(counted)

"""Each kind of object becomes a part of the catalogue, and facts."""

from pathlib import Path
from typing import Any

import pytest

from answerable.model.provenance import WrittenBy
from answerable.reach.kubernetes.catalogue import (
    Container,
    HostMount,
    LabelRequirement,
    PolicyRule,
    RbacSubject,
)
from tests.connectors.kubernetes.kubernetes_objects import (
    RBAC,
    account,
    binding,
    group,
    made,
    manifest,
    pod,
    role,
    scan_objects,
    user,
)

RULE = {
    "verbs": ["get"],
    "apiGroups": [""],
    "resources": ["secrets"],
    "resourceNames": ["one"],
}


def test_roles_and_bindings_keep_every_field_that_decides(tmp_path: Path) -> None:
    selector = {
        "matchLabels": {"agg": "yes"},
        "matchExpressions": [{"key": "k", "operator": "Exists"}],
    }
    cluster, sync = scan_objects(
        tmp_path,
        role("r", "dev", rules=[RULE, {"verbs": ["get"], "nonResourceURLs": ["/x*"]}]),
        role(
            "a", rules=None or [], aggregationRule={"clusterRoleSelectors": [selector]}
        ),
        binding("b", "dev", "r", account("bot"), user("ana"), cluster=False),
        binding("cb", "", "a", group("ops"), account("bot", "dev")),
    )
    assert sync.problems == ()
    first, second = cluster.roles
    assert first.rules == (
        PolicyRule(("get",), ("",), ("secrets",), ("one",)),
        PolicyRule(("get",), non_resource_urls=("/x*",)),
    )
    assert second.aggregation == (
        (LabelRequirement("agg", "In", ("yes",)), LabelRequirement("k", "Exists")),
    )
    assert (first.from_manifest, second.from_manifest) == (False, True)
    local, wide = cluster.bindings
    assert (local.namespace, local.role_kind, local.role) == ("dev", "Role", "r")
    assert local.subjects == (
        RbacSubject("ServiceAccount", "bot"),
        RbacSubject("User", "ana"),
    )
    assert wide.subjects[1] == RbacSubject("ServiceAccount", "bot", "dev")


def test_an_aggregated_role_of_a_dump_holds_its_rules(tmp_path: Path) -> None:
    more = {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    dumped = role("view", rules=[RULE], **more)
    written = manifest("ClusterRole", "edit", apiVersion=RBAC, rules=[RULE], **more)
    cluster, _ = scan_objects(tmp_path, dumped, written)
    assert [each.from_manifest for each in cluster.roles] == [False, True]


def test_subjects_of_bindings_are_identities(tmp_path: Path) -> None:
    _, sync = scan_objects(
        tmp_path,
        binding("b", "dev", "r", account("bot"), user("ana@corp.example")),
        binding(
            "cb",
            "",
            "r",
            group("ops"),
            user("system:serviceaccount:dev:job"),
            user("system:node:n1"),
            account("nowhere"),
        ),
        made("Node", "n2", spec={"providerID": "aws:///eu-west-1a/i-1"}),
    )
    assert {(each.id, each.kind) for each in sync.facts.identities} == {
        ("k8s:c/dev/serviceaccount/bot", "k8s-serviceaccount"),
        ("k8s:c/user/ana@corp.example", "k8s-user"),
        ("k8s:c/group/ops", "k8s-group"),
        ("k8s:c/dev/serviceaccount/job", "k8s-serviceaccount"),
        ("k8s:c/user/system:node:n1", "k8s-node"),
        ("k8s:c/user/system:node:n2", "k8s-node"),
    }


def test_service_accounts_have_cloud_identities_and_secrets(tmp_path: Path) -> None:
    arn = "arn:aws:iam::111122223333:role/app"
    cluster, sync = scan_objects(
        tmp_path,
        made(
            "ServiceAccount",
            "app",
            "dev",
            metadata={
                "creationTimestamp": "2024-01-01T00:00:00Z",
                "labels": {"team": "payments"},
                "annotations": {
                    "eks.amazonaws.com/role-arn": arn,
                    "iam.gke.io/gcp-service-account": "a@p.iam.gserviceaccount.com",
                    "azure.workload.identity/client-id": "1-2",
                    "owner": "ana@corp.example",
                },
            },
            automountServiceAccountToken=False,
            secrets=[{"name": "app-token-x"}],
            imagePullSecrets=[{"name": "registry"}],
        ),
    )
    (found,) = cluster.service_accounts
    assert (found.aws_role, found.azure_client_id) == (arn, "1-2")
    assert found.gcp_service_account == "a@p.iam.gserviceaccount.com"
    assert (found.automount, found.secrets) == (False, ("app-token-x",))
    credentials = {each.id: each for each in sync.facts.credentials}
    assert {each.kind for each in credentials.values()} == {
        "k8s-token",
        "image-pull-secret",
        "aws-web-identity",
        "gcp-workload-identity",
        "azure-workload-identity",
    }
    web = credentials["cred:k8s/c/dev/app/aws-web-identity"]  # type: ignore[index]
    assert (web.account, web.name) == ("111122223333", arn)
    links = {(each.credential, each.identity, each.how) for each in sync.facts.links}
    me = "k8s:c/dev/serviceaccount/app"
    assert ("cred:k8s/c/dev/secret/app-token-x", me, "token-secret") in links
    owners = {(e.subject, e.person, e.kind.value) for e in sync.facts.evidence}
    assert owners == {
        (me, "person:ana@corp.example", "owner-tag"),
        (me, "person:payments", "team-tag"),
    }
    (identity,) = [each for each in sync.facts.identities if each.id == me]
    assert (identity.unique_id, identity.created_at // 10**9) == ("uid-app", 1704067200)


def test_tools_that_manage_an_object_are_no_owners(tmp_path: Path) -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/owner": "x"}
    _, sync = scan_objects(
        tmp_path, made("ServiceAccount", "a", "d", metadata={"labels": labels})
    )
    assert sync.facts.evidence == ()


def test_an_owner_in_a_manifest_is_self_reported(tmp_path: Path) -> None:
    notes = {"annotations": {"owner": "ana@corp.example"}}
    _, sync = scan_objects(
        tmp_path,
        made("ServiceAccount", "a", "d", metadata=notes),
        manifest("ServiceAccount", "b", "d", metadata=dict(notes)),
    )
    classes = {e.subject[-1]: e.seen.written_by for e in sync.facts.evidence}
    assert classes == {"a": WrittenBy.PLATFORM, "b": WrittenBy.SELF_REPORTED}


HOSTILE_SPEC: dict[str, Any] = {
    "serviceAccountName": "app",
    "hostPID": True,
    "hostNetwork": True,
    "nodeName": "n1",
    "imagePullSecrets": [{"name": "registry"}],
    "securityContext": {"runAsUser": 0},
    "volumes": [
        {"name": "s", "secret": {"secretName": "db"}},
        {"name": "h", "hostPath": {"path": "/var/log"}},
        {"name": "p", "projected": {"sources": [{"secret": {"name": "p1"}}]}},
        {"name": "unused", "secret": {"secretName": "unused"}},
    ],
    "containers": [
        {
            "name": "main",
            "image": "reg/app:1",
            "env": [
                {"name": "A", "value": "literal"},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "e", "key": "k"}}},
            ],
            "envFrom": [{"secretRef": {"name": "f"}}],
            "volumeMounts": [
                {"name": "s", "mountPath": "/s"},
                {"name": "p", "mountPath": "/p"},
                {"name": "h", "mountPath": "/h", "readOnly": True},
            ],
            "securityContext": {
                "privileged": True,
                "allowPrivilegeEscalation": True,
                "capabilities": {"add": ["CAP_SYS_ADMIN", "NET_RAW"]},
            },
        }
    ],
    "initContainers": [
        {"name": "init", "securityContext": {"runAsUser": 7, "runAsNonRoot": True}}
    ],
}


def test_workloads_have_the_security_facts_of_their_pods(tmp_path: Path) -> None:
    template = {"template": {"metadata": {"labels": {"a": "b"}}, "spec": HOSTILE_SPEC}}
    cluster, sync = scan_objects(
        tmp_path,
        manifest("Pod", "p", "dev", spec=HOSTILE_SPEC),
        made("Deployment", "d", "dev", apiVersion="apps/v1", spec=template),
        made(
            "CronJob",
            "j",
            "dev",
            apiVersion="batch/v1",
            spec={"jobTemplate": {"spec": template}},
        ),
    )
    assert sync.problems == ()
    assert [each.kind for each in cluster.workloads] == ["Pod", "Deployment", "CronJob"]
    for found in cluster.workloads:
        assert (found.service_account, found.node) == ("app", "n1")
        assert (found.host_pid, found.host_network, found.host_ipc) == (1, 1, 0)
        assert found.containers[0] == Container(
            name="main",
            image="reg/app:1",
            privileged=True,
            privilege_escalation=True,
            capabilities=("NET_RAW", "SYS_ADMIN"),
            run_as_root=True,
            secrets=("db", "e", "f", "p1"),
            host_mounts=(HostMount("/var/log", True),),
            tokens_mounted=True,
        )
        assert found.containers[1].run_as_root is False
    names = {each.name for each in sync.facts.credentials}
    assert names == {"db", "e", "f", "p1", "registry", "dev/app"}


TOKEN_VOLUME = {
    "name": "kube-api-access-x",
    "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]},
}
TOKEN_MOUNT = {
    "name": "kube-api-access-x",
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
}


@pytest.mark.parametrize(
    ("admitted", "automount", "volume", "mounted"),
    [
        (True, None, True, True),
        (True, None, False, False),
        (False, None, False, True),
        (False, False, False, False),
        (False, False, True, True),
    ],
)
def test_a_token_is_mounted_as_the_specification_says(
    tmp_path: Path, admitted: bool, automount: Any, volume: bool, mounted: bool
) -> None:
    spec: dict[str, Any] = {"containers": [{"name": "c"}]}
    if volume:
        spec["volumes"] = [TOKEN_VOLUME]
        spec["containers"][0]["volumeMounts"] = [TOKEN_MOUNT]
    if automount is not None:
        spec["automountServiceAccountToken"] = automount
    build = made if admitted else manifest
    cluster, sync = scan_objects(tmp_path, build("Pod", "p", "d", spec=spec))
    assert cluster.workloads[0].containers[0].tokens_mounted is mounted
    assert bool(sync.facts.links) is mounted


def test_pods_of_one_controller_have_one_token(tmp_path: Path) -> None:
    spec = {"containers": [{"name": "c", "volumeMounts": [TOKEN_MOUNT]}]}
    owner = {
        "ownerReferences": [{"kind": "ReplicaSet", "name": "r", "controller": True}]
    }
    pods = [pod(f"p{n}", "d", spec, metadata=dict(owner)) for n in range(3)]
    cluster, sync = scan_objects(tmp_path, *pods)
    assert {each.controller for each in cluster.workloads} == {"ReplicaSet/r"}
    assert [each.id for each in sync.facts.credentials] == [
        "cred:k8s/c/d/ReplicaSet/r/token"
    ]


def test_a_service_account_can_refuse_to_be_mounted(tmp_path: Path) -> None:
    quiet = made("ServiceAccount", "a", "d", automountServiceAccountToken=False)
    spec = {"serviceAccountName": "a", "containers": [{"name": "c"}]}
    template = {"template": {"spec": spec}}
    deployed = made("Deployment", "x", "d", apiVersion="apps/v1", spec=template)
    _, sync = scan_objects(tmp_path, quiet, deployed)
    assert sync.facts.credentials == ()


def test_webhooks_name_the_kinds_that_they_receive(tmp_path: Path) -> None:
    rules = [{"apiGroups": ["", "apps"], "resources": ["pods"], "operations": ["*"]}]
    cluster, _ = scan_objects(
        tmp_path,
        made(
            "ValidatingWebhookConfiguration",
            "w",
            apiVersion="admissionregistration.k8s.io/v1",
            webhooks=[{"name": "w.x", "rules": rules}, {"name": "y"}],
        ),
    )
    assert cluster.webhook_kinds == ("/pods", "apps/pods")


def test_kinds_that_are_not_read_are_left_out(tmp_path: Path) -> None:
    cluster, sync = scan_objects(
        tmp_path,
        made("ConfigMap", "x", "dev", data={"a": "b"}),
        made("Widget", "w", "dev", apiVersion="example.com/v1"),
        made("Role", "other", "dev", apiVersion="example.com/v1"),
        role("r", "dev"),
    )
    assert [each.name for each in cluster.roles] == ["r"]
    assert sync.problems == ()

"""Exported roles of Kubernetes, Google Cloud and Azure."""

import json
from collections.abc import Sequence

from answerable.model.baseline import (
    BaselineProfile,
    BaselineSubject,
    CapabilityEntry,
    EntityEntry,
    EntityPattern,
    GeneralisationLevel,
    ObservationCounts,
)
from answerable.model.behaviour import EntityKind
from answerable.model.policy_export import ClauseReason, ExportedPolicy, ExportTarget
from answerable.services.baseline.policy_export import export_profiles

COUNTS = ObservationCounts(1, 1, 1)


def export(
    target: ExportTarget,
    identity: str,
    calls: Sequence[tuple[str, str]],
    *,
    is_signed: bool = False,
) -> ExportedPolicy:
    actions = sorted({action for action, _ in calls})
    profile = BaselineProfile(
        BaselineSubject(identity, "agent:declared/a", "cloud"),
        capabilities=tuple(
            CapabilityEntry(f"cloud/{each}", "", False, COUNTS) for each in actions
        ),
        entities=tuple(
            EntityEntry(
                f"cloud/{action}",
                "resource",
                EntityPattern(EntityKind.NAME, GeneralisationLevel.EXACT, text),
                False,
                True,
                COUNTS,
            )
            for action, text in calls
            if text
        ),
    )
    return export_profiles([profile], target, is_signed=is_signed)


def test_a_service_account_gets_a_role_in_each_namespace() -> None:
    calls = [
        ("k8s:get", "k8s:prod/dev/pods/web"),
        ("k8s:get", "k8s:prod/dev/pods/api"),
        ("k8s:list", "k8s:prod/dev/pods"),
        ("k8s:create", "k8s:prod/dev/pods/web/exec"),
        ("k8s:create", "k8s:prod/dev/serviceaccounts/app/token"),
        ("k8s:list", "k8s:prod/-/nodes"),
        ("k8s:get", "k8s:prod/url/healthz"),
    ]
    account = "k8s:prod/dev/serviceaccount/app"
    exported = export(ExportTarget.K8S_RBAC, account, calls)
    objects = json.loads(exported.documents[0].text)["items"]
    assert [each["kind"] for each in objects] == [
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ]
    assert objects[0]["rules"] == [
        {"nonResourceURLs": ["/healthz"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]},
    ]
    assert objects[2]["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["pods"],
            "resourceNames": ["api", "web"],
            "verbs": ["get"],
        },
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {
            "apiGroups": [""],
            "resources": ["pods/exec"],
            "resourceNames": ["web"],
            "verbs": ["create"],
        },
    ]
    assert objects[3]["subjects"] == [
        {"kind": "ServiceAccount", "name": "app", "namespace": "dev"}
    ]
    assert [each.action for each in exported.omitted] == ["create"]
    signed = export(ExportTarget.K8S_RBAC, account, calls, is_signed=True)
    assert "serviceaccounts/token" in signed.documents[0].text


def test_a_google_role_is_bound_to_the_objects_that_were_used() -> None:
    objects = "projects/_/buckets/in/objects/a.csv"
    exported = export(
        ExportTarget.GCP,
        "gcp:service-account/job@p.iam.gserviceaccount.com",
        [
            ("gcp:storage.objects.get", objects),
            ("gcp:compute.instances.list", "projects/p"),
            ("gcp:iam.serviceAccounts.actAs", "projects/-/serviceAccounts/x"),
        ],
    )
    document = json.loads(exported.documents[0].text)
    assert [each["includedPermissions"] for each in document["roles"]] == [
        ["storage.objects.get"]
    ]
    (binding,) = document["bindings"]
    assert binding["condition"]["expression"] == f'resource.name == "{objects}"'
    assert {(each.reason, each.action) for each in exported.omitted} == {
        (ClauseReason.WOULD_WIDEN, "compute.instances.list"),
        (ClauseReason.NEEDS_SIGNATURE, "iam.serviceAccounts.actAs"),
    }


def test_an_azure_role_is_assigned_at_the_resources_that_were_used() -> None:
    vault = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
    exported = export(
        ExportTarget.AZURE,
        "entra:app/1",
        [
            ("Microsoft.KeyVault/vaults/read", vault),
            ("Microsoft.Authorization/roleAssignments/write", "/subscriptions/s1"),
        ],
    )
    (role,) = json.loads(exported.documents[0].text)["roles"]
    assert role["Actions"] == ["Microsoft.KeyVault/vaults/read"]
    assert role["AssignableScopes"] == ["/subscriptions/s1"]
    assert role["assignments"] == [vault.lower()]


def test_a_profile_of_another_platform_is_refused() -> None:
    for target in (ExportTarget.GCP, ExportTarget.AZURE, ExportTarget.K8S_RBAC):
        exported = export(target, "arn:aws:iam::1:role/x", [("s3:GetObject", "")])
        assert exported.refusals
        assert not exported.documents

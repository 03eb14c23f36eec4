"""Keys of Google Cloud and Kubernetes with their permissions and audit logs."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

CLUSTER, NAMESPACE, PROJECT = "c", "apps", "shop"
ROLE, VIEWER = "roles/storage.admin", "roles/pubsub.editor"
RBAC = "rbac.authorization.k8s.io/v1"


def email(number: int) -> str:
    return f"bot{number}@{PROJECT}.iam.gserviceaccount.com"


def build_token(name: str) -> str:
    """Build a token of a service account as a Secret has it: it never expires."""
    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": f"system:serviceaccount:{NAMESPACE}:{name}",
    }
    parts = ({"alg": "RS256", "kid": "k"}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts)
    return ".".join([each.rstrip("=") for each in encoded] + ["c2ln" * 20])


def _format_time(days: float) -> str:
    at = datetime.now(UTC) - timedelta(days=days)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def write_google_cloud(root: Path, count: int) -> None:
    """Write keys, roles of the whole project, and an audit log of each account."""
    folder = root / "gcp"
    folder.mkdir()
    members = [f"serviceAccount:{email(n)}" for n in range(count)]
    keys = [
        {
            "name": f"projects/{PROJECT}/serviceAccounts/{email(n)}/keys/{n:040x}",
            "keyType": "USER_MANAGED",
            "validAfterTime": "2026-01-01T00:00:00Z",
            "validBeforeTime": "9999-12-31T23:59:59Z",
        }
        for n in range(count)
    ]
    (folder / "keys.json").write_text(json.dumps(keys))
    policy = {
        "resource": f"//cloudresourcemanager.googleapis.com/projects/{PROJECT}",
        "project": "projects/100",
        "policy": {
            "bindings": [{"role": role, "members": members} for role in (ROLE, VIEWER)]
        },
    }
    organization = {
        "resource": "//cloudresourcemanager.googleapis.com/organizations/1",
        "policy": {"bindings": []},
    }
    (folder / "iam-policies.json").write_text(json.dumps([policy, organization]))
    parent = {"type": "organization", "id": "1"}
    projects = [{"projectId": PROJECT, "projectNumber": "100", "parent": parent}]
    (folder / "projects.json").write_text(json.dumps(projects))
    assets = (
        {
            "name": f"//storage.googleapis.com/{bucket}",
            "assetType": "storage.googleapis.com/Bucket",
            "ancestors": ["projects/100", "organizations/1"],
            "resource": {
                "parent": "//cloudresourcemanager.googleapis.com/projects/100",
                "data": {"name": bucket},
            },
        }
        for bucket in ("in", "out")
    )
    (folder / "resources.jsonl").write_text(
        "".join(json.dumps(each) + "\n" for each in assets)
    )
    calls = {
        "storage.objects.get": "projects/_/buckets/in/objects/a{n}",
        "storage.objects.create": "projects/_/buckets/out/objects/b{n}",
        "pubsub.topics.publish": f"projects/{PROJECT}/topics/t{{n}}",
    }
    entries = [
        {
            "insertId": f"{n}-{permission}-{day}",
            "logName": f"projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Fdata_access",
            "timestamp": _format_time(day + 0.1),
            "resource": {"type": "x", "labels": {"project_id": PROJECT}},
            "protoPayload": {
                "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
                "serviceName": f"{permission.partition('.')[0]}.googleapis.com",
                "methodName": f"google.{permission}",
                "resourceName": name.format(n=n),
                "authenticationInfo": {
                    "principalEmail": email(n),
                    "serviceAccountKeyName": f"//iam.googleapis.com/projects/{PROJECT}"
                    f"/serviceAccounts/{email(n)}/keys/{n:040x}",
                },
                "authorizationInfo": [{"permission": permission, "granted": True}],
            },
        }
        for n in range(count)
        for permission, name in calls.items()
        for day in range(3)
    ]
    (root / "gcp-audit.json").write_text(json.dumps(entries))


def write_cluster(root: Path, names: list[str], *uncollected: str) -> None:
    """Write accounts whose roles are wider than their calls, and an audit log.

    Args:
        uncollected: Kinds that the dump lacks.
    """
    items: list[dict[str, object]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    ]
    wide = [
        {
            "apiGroups": ["", "apps"],
            "resources": ["configmaps", "deployments", "secrets"],
            "verbs": ["get", "list", "patch"],
        }
    ]
    items.append(
        {
            "apiVersion": RBAC,
            "kind": "Role",
            "metadata": {"name": "wide", "namespace": NAMESPACE},
            "rules": wide,
        }
    )
    for name in names:
        place = {"name": name, "namespace": NAMESPACE}
        items.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place})
        items.append(
            {
                "apiVersion": RBAC,
                "kind": "RoleBinding",
                "metadata": place,
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": "wide",
                },
                "subjects": [{"kind": "ServiceAccount", **place}],
            }
        )
    folder = root / "cluster"
    folder.mkdir()
    for kind in (
        "Namespace",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
    ):
        if kind not in uncollected:
            version = RBAC if "Role" in kind else "v1"
            listed = [each for each in items if each["kind"] == kind]
            dump = {"apiVersion": version, "kind": f"{kind}List", "items": listed}
            (folder / f"{kind.lower()}s.json").write_text(json.dumps(dump))
    with (root / "k8s-audit.jsonl").open("w") as file:
        for name in names:
            for number, (verb, kind, group, one) in enumerate(
                (
                    ("get", "configmaps", "", "settings"),
                    ("patch", "deployments", "apps", "web"),
                    ("list", "secrets", "", ""),
                )
            ):
                record = {
                    "kind": "Event",
                    "apiVersion": "audit.k8s.io/v1",
                    "level": "Metadata",
                    "auditID": f"{name}-{number}",
                    "stage": "ResponseComplete",
                    "verb": verb,
                    "user": {"username": f"system:serviceaccount:{NAMESPACE}:{name}"},
                    "objectRef": {
                        "resource": kind,
                        "namespace": NAMESPACE,
                        "apiVersion": "v1",
                        **({"apiGroup": group} if group else {}),
                        **({"name": one} if one else {}),
                    },
                    "responseStatus": {"code": 200},
                    "requestReceivedTimestamp": _format_time(1),
                    "stageTimestamp": _format_time(1),
                }
                file.write(json.dumps(record) + "\n")

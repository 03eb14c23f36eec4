"""Build saved responses of gcloud about a fictional project with an agent of Vertex AI.

A pool of the project trusts tokens of GitHub Actions and of the sample cluster.
"""

import json

from answerable.cli.sample.account import OIDC, Json
from answerable.cli.sample.platform_account import CLUSTER_ISSUER

PROJECT = "example-analytics"
LEDGER_COPY = "gs://example-ledger-copy/2026.csv"
LEDGER_SYNC, SUPPORT_AGENT, AGENT_RELEASE = (
    f"{name}@{PROJECT}.iam.gserviceaccount.com"
    for name in ("ledger-sync", "support-agent", "agent-release")
)
VERTEX_AGENT = f"agent:vertex-agent-engine/{PROJECT}/8123"
_NUMBER, _ORGANIZATION = "301020304050", "organizations/108842160023"
_POOL = f"projects/{_NUMBER}/locations/global/workloadIdentityPools/corp"
_CONTAINERS = "//cloudresourcemanager.googleapis.com"
_CI = f"principalSet://iam.googleapis.com/{_POOL}/attribute.repository/example-corp/agents"
_POD = f"principal://iam.googleapis.com/{_POOL}/subject/system:serviceaccount:previews:ledger"


def _build_policy(resource: str, *bindings: tuple[str, str]) -> Json:
    """Build an item of `gcloud asset search-all-iam-policies`."""
    listed = [{"role": role, "members": [member]} for role, member in bindings]
    return {
        "resource": resource,
        "policy": {"bindings": listed},
        "organization": _ORGANIZATION,
        **({} if "/organizations/" in resource else {"project": f"projects/{_NUMBER}"}),
    }


def _build_policies() -> list[Json]:
    """Build the allow policies of the organization."""
    accounts = f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts"
    impersonate = "roles/iam.workloadIdentityUser"
    return [
        _build_policy(
            f"{_CONTAINERS}/{_ORGANIZATION}",
            ("roles/viewer", "group:auditors@corp.example"),
        ),
        _build_policy(
            f"{_CONTAINERS}/projects/{PROJECT}",
            ("roles/owner", "user:ben@corp.example"),
            ("roles/aiplatform.user", f"serviceAccount:{SUPPORT_AGENT}"),
        ),
        _build_policy(
            "//storage.googleapis.com/example-ledger-copy",
            ("roles/storage.objectViewer", f"serviceAccount:{LEDGER_SYNC}"),
        ),
        _build_policy(
            "//storage.googleapis.com/example-agent-releases",
            ("roles/storage.objectUser", f"serviceAccount:{AGENT_RELEASE}"),
        ),
        _build_policy(
            f"{accounts}/{LEDGER_SYNC}",
            (impersonate, _POD),
            ("roles/iam.serviceAccountTokenCreator", f"serviceAccount:{SUPPORT_AGENT}"),
        ),
        _build_policy(f"{accounts}/{AGENT_RELEASE}", (impersonate, _CI)),
    ]


def _build_resources() -> list[Json]:
    """Build the agent and the buckets as `gcloud asset export` writes them."""
    place = {"ancestors": [f"projects/{_NUMBER}", _ORGANIZATION]}
    agent = {
        "displayName": "order-support",
        "spec": {"serviceAccount": SUPPORT_AGENT},
    }
    return [
        {
            "name": f"//aiplatform.googleapis.com/projects/{PROJECT}"
            "/locations/europe-west1/reasoningEngines/8123",
            "assetType": "aiplatform.googleapis.com/ReasoningEngine",
            "resource": {"data": agent},
            **place,
        },
        *(
            {
                "name": f"//storage.googleapis.com/{bucket}",
                "assetType": "storage.googleapis.com/Bucket",
                "resource": {"data": {"name": bucket}},
                **place,
            }
            for bucket in ("example-ledger-copy", "example-agent-releases")
        ),
    ]


def _build_providers() -> list[Json]:
    """Build the providers of the pool."""
    return [
        {
            "name": f"{_POOL}/providers/github",
            "state": "ACTIVE",
            "oidc": {"issuerUri": f"https://{OIDC}"},
            "attributeMapping": {
                "google.subject": "assertion.sub",
                "attribute.repository": "assertion.repository",
            },
            "attributeCondition": "assertion.repository_owner == 'example-corp'",
        },
        {
            "name": f"{_POOL}/providers/cluster",
            "state": "ACTIVE",
            "oidc": {"issuerUri": f"https://{CLUSTER_ISSUER}"},
            "attributeMapping": {"google.subject": "assertion.sub"},
        },
    ]


def build_project_answers() -> dict[str, str]:
    """Build the saved responses about the organization: file name -> content."""
    answers: dict[str, object] = {
        "organization": {"name": _ORGANIZATION, "displayName": "corp.example"},
        "projects": [
            {
                "projectId": PROJECT,
                "projectNumber": _NUMBER,
                "parent": {"type": "organization", "id": "108842160023"},
            }
        ],
        "iam-policies": _build_policies(),
        "resources": _build_resources(),
        "service-accounts": [
            {
                "email": email,
                "name": f"projects/{PROJECT}/serviceAccounts/{email}",
                "projectId": PROJECT,
                "uniqueId": f"10000000000000000000{number}",
            }
            for number, email in enumerate((LEDGER_SYNC, SUPPORT_AGENT, AGENT_RELEASE))
        ],
        "pools": _build_providers(),
        "groups": [{"group": "auditors@corp.example", "members": ["cy@corp.example"]}],
        "service-account-keys": [],
        "custom-roles": [],
        "deny-policies": [],
        "access-boundaries": [],
        "org-policies": [],
        "tags": [],
    }
    return {
        f"{name}.json": json.dumps(answer, indent=1) + "\n"
        for name, answer in answers.items()
    }

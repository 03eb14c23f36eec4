"""Answers of Google Cloud, a foreign graph and a list of people, full of canaries."""

import json
from collections.abc import Callable

PROJECT = "//cloudresourcemanager.googleapis.com/projects/shop"
BOT = "bot@shop.iam.gserviceaccount.com"
Plant = Callable[[str], str]


def build_files(c: Plant) -> dict[str, str]:
    """Build files with secrets where a value may stand; path -> content."""
    graph = {
        "graph": {
            "nodes": [
                {
                    "id": "U1",
                    "kinds": ["XX_User"],
                    "properties": {
                        "name": "ana",
                        "client_secret": c("graph-secret"),
                        "password": c("graph-password"),
                        "note": f"ghp_{c('graph-token')}",
                    },
                }
            ],
            "edges": [],
        },
        "metadata": {"source_kind": "XX_Base"},
    }
    scim = {
        "Resources": [
            {
                "userName": "ana@corp.example",
                "active": True,
                "password": c("scim-password"),
                "emails": [{"value": "ana@corp.example", "primary": True}],
            }
        ]
    }
    return {
        **{f"google/{k}.json": json.dumps(v) for k, v in _build_answers(c).items()},
        "google-broken/iam-policies.json": '{"policy": {"etag": "' + c("cut-policy"),
        "graph/graph.json": json.dumps(graph),
        "people/scim.json": json.dumps(scim),
        "people-broken/people.csv": "email,token\nana@corp.example," + c("csv-token"),
    }


def _build_answers(c: Plant) -> dict[str, object]:
    """Build the answers of gcloud about one project."""
    run = {
        "template": {
            "serviceAccount": BOT,
            "containers": [{"env": [{"name": "DB", "value": c("run-environment")}]}],
        }
    }
    instance = {
        "serviceAccounts": [{"email": BOT}],
        "metadata": {"items": [{"key": "startup", "value": c("metadata")}]},
    }
    engine = {
        "displayName": f"AIza{c('engine-name')}",
        "spec": {
            "serviceAccount": BOT,
            "deploymentSpec": {
                "env": [{"name": "API_KEY", "value": c("engine-environment")}]
            },
        },
    }
    host = "//{}.googleapis.com/projects/shop/locations/l/{}"
    kinds = (
        ("run", "services/s", "run.googleapis.com/Service", run),
        ("compute", "instances/i", "compute.googleapis.com/Instance", instance),
        ("aiplatform", "reasoningEngines/8", _ENGINE, engine),
    )
    return {
        "iam-policies": [
            {
                "resource": PROJECT,
                "policy": {
                    "bindings": [
                        {"role": "roles/owner", "members": [f"serviceAccount:{BOT}"]}
                    ],
                    "etag": c("etag"),
                },
                "organization": "organizations/1",
            }
        ],
        "service-account-keys": [
            {
                "name": f"projects/shop/serviceAccounts/{BOT}/keys/1",
                "keyType": "USER_MANAGED",
                "privateKeyData": c("private-key-data"),
            }
        ],
        "resources": [
            {
                "name": host.format(service, path),
                "assetType": kind,
                "resource": {"data": data},
            }
            for service, path, kind, data in kinds
        ],
        "pools": [
            {
                "name": "projects/1/locations/global/workloadIdentityPools/p/providers/x",
                "oidc": {
                    "issuerUri": "https://issuer.example",
                    "clientSecret": c("provider-secret"),
                },
            }
        ],
    }


_ENGINE = "aiplatform.googleapis.com/ReasoningEngine"

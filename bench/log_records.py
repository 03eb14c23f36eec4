"""Generator of records of other logs, with the members that the vendors document.

The shapes are those of GitHub's "Audit log events for your organization", Kubernetes'
"Auditing" (level `Metadata`), Okta's "System Log API" and Anthropic's "Activity Feed".
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.cloudtrail import DAYS, START, ZipfSampler
from bench.log_records_more import (
    build_azure_record,
    build_bedrock_record,
    build_claude_code_record,
    build_entra_record,
    build_google_cloud_record,
    build_openai_record,
    build_otel_record,
)

_PEOPLE = ZipfSampler(400)
_OBJECTS = ZipfSampler(20_000)
_TOKENS = ZipfSampler(3_000)
_CREDENTIAL = "authentication.kubernetes.io/credential-id"


def build_github_record(n: int, at: datetime, source: random.Random) -> dict[str, Any]:
    person, token = _PEOPLE.draw(source), _TOKENS.draw(source)
    repository = f"acme/service-{_OBJECTS.draw(source) % 900:03}"
    time = int(at.timestamp() * 1000)
    return {
        "@timestamp": time,
        "_document_id": f"Vq{n:020}",
        "action": ("git.clone", "git.push", "git.fetch", "workflows.created")[n % 4],
        "actor": f"dev-{person:03}",
        "actor_id": 1_000_000 + person,
        "actor_ip": f"198.51.100.{person % 250}",
        "actor_is_bot": False,
        "actor_location": {"country_code": "DE"},
        "business": "acme-corp",
        "business_id": 4711,
        "created_at": time,
        "external_identity_nameid": f"dev-{person:03}@corp.example",
        "external_identity_username": f"dev-{person:03}",
        "hashed_token": _hash_base64(token),
        "operation_type": "access",
        "org": "acme",
        "org_id": 815,
        "programmatic_access_type": "Personal access token (classic)",
        "public_repo": False,
        "repo": repository,
        "repo_id": 500_000 + len(repository),
        "repository": repository,
        "repository_public": False,
        "request_id": f"AF91:2C1B:{n:08X}:{n * 7:08X}:66AA{n % 9999:04}",
        "token_id": 90_000 + token,
        "token_scopes": "read:org,repo,workflow",
        "transport_protocol_name": "http",
        "user": "",
        "user_agent": "git/2.47.1 (linux)",
        "user_id": 0,
        "visibility": "private",
    }


def _hash_base64(number: int) -> str:
    import base64

    return base64.b64encode(hashlib.sha256(b"%d" % number).digest()).decode()


def build_kubernetes_record(
    n: int, at: datetime, source: random.Random
) -> dict[str, Any]:
    account, name = _PEOPLE.draw(source) % 120, f"object-{_OBJECTS.draw(source):05}"
    space = f"team-{account % 30:02}"
    text = f"{at:%Y-%m-%dT%H:%M:%S}.{n % 999_999:06}Z"
    bound = f'RoleBinding "edit/{space}" of ClusterRole "edit" to ServiceAccount "a"'
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"5a3f0d6e-0000-4000-8000-{n:012d}",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/namespaces/{space}/configmaps/{name}?timeout=10s",
        "verb": ("get", "get", "get", "update", "list")[n % 5],
        "user": {
            "username": f"system:serviceaccount:{space}:worker-{account:03}",
            "uid": f"0d3b7c1e-1111-4222-8333-{account:012d}",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{space}",
                "system:authenticated",
            ],
            "extra": {
                _CREDENTIAL: [f"JTI={_TOKENS.draw(source):08x}-aaaa-bbbb"],
                "authentication.kubernetes.io/node-name": [f"node-{account % 12}"],
                "authentication.kubernetes.io/pod-name": [f"worker-{account:03}-x2l9"],
                "authentication.kubernetes.io/pod-uid": [f"c0ffee-{account:06}"],
            },
        },
        "sourceIPs": [f"10.0.{account % 12}.7"],
        "userAgent": "worker/v1.8.2 (linux/amd64) kubernetes/3f0b2a1",
        "objectRef": {
            "resource": "configmaps",
            "namespace": space,
            "name": name,
            "apiVersion": "v1",
        },
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": text,
        "stageTimestamp": text,
        "annotations": {
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": f"RBAC: allowed by {bound}",
        },
    }


def build_okta_record(n: int, at: datetime, source: random.Random) -> dict[str, Any]:
    person = _PEOPLE.draw(source)
    address = f"dev-{person:03}@corp.example"
    city = {"city": "Berlin", "country": "Germany", "state": "Berlin"}
    return {
        "actor": {
            "id": f"00u{person:017}",
            "type": "User",
            "alternateId": address,
            "displayName": f"Dev {person}",
            "detailEntry": None,
        },
        "client": {
            "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Linux", "browser": "X"},
            "zone": "null",
            "device": "Computer",
            "ipAddress": f"198.51.100.{person % 250}",
            "geographicalContext": city,
        },
        "authenticationContext": {
            "externalSessionId": f"trs{_TOKENS.draw(source):020}",
            "authenticationStep": 0,
        },
        "displayMessage": "User single sign on to app",
        "eventType": "user.authentication.sso",
        "outcome": {"result": "SUCCESS", "reason": None},
        "published": f"{at:%Y-%m-%dT%H:%M:%S}.{n % 1000:03}Z",
        "securityContext": {"asNumber": 64500, "isp": "example", "isProxy": False},
        "severity": "INFO",
        "debugContext": {"debugData": {"requestId": f"Y{n:024}", "requestUri": "/app"}},
        "transaction": {"type": "WEB", "id": f"Y{n:024}", "detail": {}},
        "uuid": f"4f6d4c6e-2222-4333-8444-{n:012d}",
        "version": "0",
        "target": [
            {
                "id": f"0oa{n % 60:017}",
                "type": "AppInstance",
                "alternateId": f"app-{n % 60}",
                "displayName": f"App {n % 60}",
            },
        ],
    }


def build_anthropic_record(
    n: int, at: datetime, source: random.Random
) -> dict[str, Any]:
    person = _PEOPLE.draw(source)
    return {
        "id": f"activity_01{n:022}",
        "created_at": f"{at:%Y-%m-%dT%H:%M:%S}.{n % 999_999:06}Z",
        "organization_id": "org_01XyBzMock0000000000000",
        "organization_uuid": "7f7d6c1e-5555-4666-8777-000000000001",
        "type": "claude_file_viewed",
        "actor": {
            "type": "user_actor",
            "user_id": f"user_01{person:022}",
            "email_address": f"dev-{person:03}@corp.example",
            "ip_address": f"198.51.100.{person % 250}",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        },
        "claude_file_id": f"file_01{_OBJECTS.draw(source):022}",
        "claude_project_id": f"project_01{person % 40:022}",
        "filename": f"report-{n % 5000:04}.pdf",
    }


BuildRecord = Callable[[int, datetime, random.Random], dict[str, Any]]
# Source with its options, and the builder of its records.
BUILDERS: dict[str, tuple[str, BuildRecord]] = {
    "k8s-audit": (",cluster=prod", build_kubernetes_record),
    "github-audit": ("", build_github_record),
    "okta": ("", build_okta_record),
    "anthropic-audit": ("", build_anthropic_record),
    "gcp-audit": ("", build_google_cloud_record),
    "azure-activity": ("", build_azure_record),
    "entra": ("", build_entra_record),
    "openai-audit": ("", build_openai_record),
    "bedrock": ("", build_bedrock_record),
    "claude-code": ("", build_claude_code_record),
    "otel": ("", build_otel_record),
}


def write_records(path: Path, name: str, count: int, seed: int) -> str:
    """Write a file with one record per line; return its source for `ingest`."""
    options, build = BUILDERS[name]
    source = random.Random(seed)
    step = timedelta(days=DAYS) / count
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_format_lines(count, build, step, source))
    return f"{name}:{path}{options}"


def _format_lines(
    count: int, build: BuildRecord, step: timedelta, source: random.Random
) -> Iterator[str]:
    for n in range(count):
        record = build(n, START + step * n, source)
        yield json.dumps(record, separators=(",", ":")) + "\n"

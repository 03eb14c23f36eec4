"""Generator of records of Google Cloud, Microsoft, OpenAI, Bedrock and agents' telemetry.

The shapes are those of Google's "Understanding audit logs", Microsoft's "Azure activity
log event schema" and "Sign-in log schema", OpenAI's "Audit logs", Amazon Bedrock's "Model
invocation logging", the session files of Claude Code, and OTLP JSON.
"""

import random
from datetime import datetime
from typing import Any

from bench.cloudtrail import ACCOUNT, ZipfSampler

_PEOPLE = ZipfSampler(400)
_OBJECTS = ZipfSampler(20_000)
_SUBSCRIPTION = "5f1e0c1a-7777-4888-8999-000000000001"


def _format_time(at: datetime, n: int) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{n % 999_999:06}Z"


def build_google_cloud_record(
    n: int, at: datetime, source: random.Random
) -> dict[str, Any]:
    account, thing = _PEOPLE.draw(source) % 120, _OBJECTS.draw(source)
    email = f"runner-{account:03}@acme-prod.iam.gserviceaccount.com"
    name = f"projects/_/buckets/data-{thing % 90:02}/objects/part-{thing:05}"
    permission = "storage.objects.get"
    return {
        "insertId": f"i{n:015}",
        "logName": "projects/acme-prod/logs/cloudaudit.googleapis.com%2Fdata_access",
        "timestamp": _format_time(at, n),
        "receiveTimestamp": _format_time(at, n),
        "severity": "INFO",
        "resource": {
            "type": "gcs_bucket",
            "labels": {
                "project_id": "acme-prod",
                "bucket_name": f"data-{thing % 90:02}",
                "location": "europe-west3",
            },
        },
        "protoPayload": {
            "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
            "status": {},
            "serviceName": "storage.googleapis.com",
            "methodName": permission,
            "resourceName": name,
            "authenticationInfo": {
                "principalEmail": email,
                "principalSubject": f"serviceAccount:{email}",
                "serviceAccountKeyName": "//iam.googleapis.com/projects/acme-prod/"
                f"serviceAccounts/{email}/keys/{account:040x}",
            },
            "authorizationInfo": [
                {
                    "resource": name,
                    "permission": permission,
                    "granted": True,
                    "resourceAttributes": {},
                    "permissionType": "DATA_READ",
                }
            ],
            "requestMetadata": {
                "callerIp": f"198.51.100.{account % 250}",
                "callerSuppliedUserAgent": "gcloud-python/2.18.0 gl-python/3.12",
                "requestAttributes": {"time": _format_time(at, n), "auth": {}},
                "destinationAttributes": {},
            },
            "resourceLocation": {"currentLocations": ["europe-west3"]},
        },
    }


def build_azure_record(n: int, at: datetime, source: random.Random) -> dict[str, Any]:
    person = _PEOPLE.draw(source)
    group = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/team-{person % 30:02}"
    return {
        "time": _format_time(at, n),
        "resourceId": f"{group}/providers/Microsoft.Compute/virtualMachines/vm-{n % 700}",
        "operationName": "Microsoft.Compute/virtualMachines/start/action",
        "category": "Administrative",
        "resultType": "Success",
        "resultSignature": "Succeeded.",
        "durationMs": 0,
        "callerIpAddress": f"198.51.100.{person % 250}",
        "correlationId": f"8c5f6a7b-1111-4222-8333-{n:012d}",
        "identity": {
            "authorization": {
                "scope": group,
                "action": "Microsoft.Compute/virtualMachines/start/action",
            },
            "claims": {
                "appid": "11aa22bb-3333-4444-8555-000000000000",
                "oid": f"aa11bb22-5555-4666-8777-{person:012d}",
                "upn": f"dev-{person:03}@corp.example",
                "uti": f"UtI{person:06}{n % 50:03}",
                "idtyp": "user",
            },
        },
        "level": "Information",
        "location": "global",
    }


def build_entra_record(n: int, at: datetime, source: random.Random) -> dict[str, Any]:
    app = _PEOPLE.draw(source) % 90
    return {
        "time": _format_time(at, n),
        "resourceId": "/tenants/t-1/providers/Microsoft.aadiam",
        "operationName": "Sign-in activity",
        "operationVersion": "1.0",
        "category": "ServicePrincipalSignInLogs",
        "tenantId": "6b1f0c1a-7777-4888-8999-000000000001",
        "resultType": "0",
        "resultSignature": "None",
        "durationMs": 0,
        "callerIpAddress": f"198.51.100.{app}",
        "correlationId": f"9d5f6a7b-1111-4222-8333-{n:012d}",
        "Level": 4,
        "location": "DE",
        "properties": {
            "id": f"7e5f6a7b-1111-4222-8333-{n:012d}",
            "createdDateTime": _format_time(at, n),
            "appId": f"11aa22bb-3333-4444-8555-{app:012d}",
            "ipAddress": f"198.51.100.{app}",
            "status": {"errorCode": 0},
            "location": {
                "city": "Berlin",
                "state": "Berlin",
                "countryOrRegion": "DE",
                "geoCoordinates": {"latitude": 52.5, "longitude": 13.4},
            },
            "correlationId": f"9d5f6a7b-1111-4222-8333-{n:012d}",
            "conditionalAccessStatus": "notApplied",
            "appliedConditionalAccessPolicies": [],
            "isInteractive": False,
            "tokenIssuerType": "AzureAD",
            "authenticationProcessingDetails": [],
            "networkLocationDetails": [],
            "resourceDisplayName": "Windows Azure Service Management API",
            "resourceId": "797f4846-ba00-4fd7-ba43-dac1f8f63013",
            "servicePrincipalId": f"22bb33cc-3333-4444-8555-{app:012d}",
            "servicePrincipalName": f"pipeline-{app}",
            "servicePrincipalCredentialKeyId": f"33cc44dd-3333-4444-8555-{app:012d}",
            "uniqueTokenIdentifier": f"Ut{n:020}",
        },
    }


def build_openai_record(n: int, at: datetime, source: random.Random) -> dict[str, Any]:
    person = _PEOPLE.draw(source)
    return {
        "object": "organization.audit_log",
        "id": f"audit_log-{n:024}",
        "type": "project.updated",
        "effective_at": int(at.timestamp()),
        "project": {"id": f"proj_{person % 40:020}", "name": f"project {person % 40}"},
        "actor": {
            "type": "session",
            "session": {
                "user": {
                    "id": f"user-{person:020}",
                    "email": f"dev-{person:03}@corp.example",
                },
                "ip_address": f"198.51.100.{person % 250}",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
                "ja3": "a497151ce4338a12c4418c44d375173e",
                "ja4": "q13d0313h3_55b375c5d22e_c7319ce65786",
                "ip_address_details": {
                    "country": "DE",
                    "city": "Berlin",
                    "region": "Berlin",
                    "region_code": "BE",
                    "asn": "64500",
                    "latitude": "52.5",
                    "longitude": "13.4",
                },
            },
        },
        "project.updated": {
            "id": f"proj_{person % 40:020}",
            "changes_requested": {"title": f"project {n % 40}"},
        },
    }


def build_bedrock_record(n: int, at: datetime, source: random.Random) -> dict[str, Any]:
    role = _PEOPLE.draw(source) % 90
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/agent-{role:02}/run-{n % 400}"
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}Z",
        "accountId": ACCOUNT,
        "identity": {"arn": arn},
        "region": "eu-central-1",
        "requestId": f"8c5f6a7b-1111-4222-8333-{n:012d}",
        "operation": "InvokeModel",
        "modelId": model,
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {
                "messages": [{"role": "user", "content": f"summarize {n} " * 20}],
                "max_tokens": 1000,
            },
            "inputTokenCount": 90,
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": {"content": [{"type": "text", "text": "done " * 40}]},
            "outputTokenCount": 45,
        },
    }


def build_claude_code_record(
    n: int, at: datetime, source: random.Random
) -> dict[str, Any]:
    return {
        "parentUuid": f"7e5f6a7b-1111-4222-8333-{n - 1:012d}",
        "isSidechain": False,
        "userType": "external",
        "cwd": "/home/dev/work/service",
        "sessionId": f"5e55a7b0-1111-4222-8333-{n // 200:012d}",
        "version": "2.1.0",
        "gitBranch": "main",
        "type": "assistant",
        "requestId": f"req_{n:022}",
        "uuid": f"7e5f6a7b-1111-4222-8333-{n:012d}",
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{n % 1000:03}Z",
        "message": {
            "id": f"msg_{n:022}",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-5",
            "content": [
                {
                    "type": "tool_use",
                    "id": f"toolu_{n:022}",
                    "name": "Bash",
                    "input": {"command": f"pytest -q tests/part_{n % 90}.py"},
                }
            ],
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 900, "output_tokens": 40},
        },
    }


def build_otel_record(n: int, at: datetime, source: random.Random) -> dict[str, Any]:
    start = int(at.timestamp() * 1e9) + n % 1000
    texts = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.agent.name": f"agent-{_PEOPLE.draw(source) % 40}",
        "gen_ai.tool.call.id": f"call_{n:022}",
        "gen_ai.conversation.id": f"conv_{n // 50:022}",
    }
    span = {
        "traceId": f"{n // 20 + 1:032x}",
        "spanId": f"{n + 1:016x}",
        "parentSpanId": f"{n // 20 + 1:016x}",
        "name": "execute_tool search",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 90_000_000),
        "attributes": [
            {"key": key, "value": {"stringValue": text}} for key, text in texts.items()
        ],
        "status": {"code": 1},
    }
    scope = {"scope": {"name": "agent.tools", "version": "1.4.0"}, "spans": [span]}
    named = {"key": "service.name", "value": {"stringValue": "agent"}}
    return {
        "resourceSpans": [
            {"resource": {"attributes": [named]}, "scopeSpans": [scope]},
        ]
    }

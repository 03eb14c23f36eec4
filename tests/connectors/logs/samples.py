"""Synthetic records of each log source: one usual record, and what it has to give."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

TOKEN = "ghs_synthetic0000000000000000000000000000"
TOKEN_DIGEST = hashlib.sha256(TOKEN.encode()).digest()

K8S: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "Metadata",
    "auditID": "5a3f0d6e-0000-4000-8000-000000000001",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/apps/secrets/db",
    "verb": "get",
    "user": {
        "username": "system:serviceaccount:apps:builder",
        "extra": {
            "authentication.kubernetes.io/credential-id": ["JTI=7c1f"],
            "authentication.kubernetes.io/pod-name": ["builder-0"],
            "authentication.kubernetes.io/pod-uid": ["c0ffee"],
        },
    },
    "sourceIPs": ["203.0.113.9", "10.0.0.7"],
    "userAgent": "kubectl/v1.34",
    "objectRef": {"resource": "secrets", "namespace": "apps", "name": "db"},
    "responseStatus": {"code": 200},
    "requestReceivedTimestamp": "2026-11-03T10:00:00.123456Z",
    "annotations": {"authorization.k8s.io/decision": "allow"},
}
GITHUB: dict[str, Any] = {
    "@timestamp": 1793700000000,
    "_document_id": "doc-1",
    "action": "git.push",
    "actor": "Triage-App[bot]",
    "actor_is_agent": True,
    "org": "acme",
    "repo": "acme/shop",
    "hashed_token": base64.b64encode(TOKEN_DIGEST).decode(),
    "programmatic_access_type": "GitHub App server-to-server token",
}
GCP: dict[str, Any] = {
    "insertId": "abc",
    "logName": "projects/acme/logs/cloudaudit.googleapis.com%2Fdata_access",
    "timestamp": "2026-11-03T10:00:00Z",
    "resource": {"type": "gcs_bucket", "labels": {"project_id": "acme"}},
    "protoPayload": {
        "serviceName": "storage.googleapis.com",
        "methodName": "storage.objects.get",
        "resourceName": "projects/_/buckets/data/objects/a",
        "authenticationInfo": {
            "principalEmail": "runner@acme.iam.gserviceaccount.com",
            "serviceAccountDelegationInfo": [
                {"firstPartyPrincipal": {"principalEmail": "ana@corp.example"}}
            ],
        },
        "authorizationInfo": [{"permission": "storage.objects.get", "granted": True}],
        "requestMetadata": {"callerIp": "198.51.100.7"},
    },
}
AZURE: dict[str, Any] = {
    "time": "2026-11-03T10:00:00.0000000Z",
    "resourceId": "/subscriptions/5f1e/resourceGroups/rg/providers/Microsoft.Compute",
    "operationName": "Microsoft.Compute/virtualMachines/delete",
    "category": "Administrative",
    "resultType": "Success",
    "callerIpAddress": "198.51.100.7",
    "identity": {"claims": {"appid": "11aa", "idtyp": "app", "uti": "UtI_1"}},
}
ENTRA: dict[str, Any] = {
    "time": "2026-11-03T09:59:00Z",
    "category": "ServicePrincipalSignInLogs",
    "tenantId": "t-1",
    "properties": {
        "id": "sign-in-1",
        "createdDateTime": "2026-11-03T09:59:00Z",
        "appId": "11aa",
        "servicePrincipalId": "22bb",
        "servicePrincipalCredentialKeyId": "key-1",
        "uniqueTokenIdentifier": "UtI_1",
        "status": {"errorCode": 0},
        "resourceId": "res-1",
    },
}
OKTA: dict[str, Any] = {
    "uuid": "u-1",
    "published": "2026-11-03T10:00:00.000Z",
    "eventType": "app.oauth2.token.grant.id_jag",
    "actor": {"id": "wlp1", "type": "AI Agent", "displayName": "triage"},
    "outcome": {"result": "SUCCESS"},
    "target": [{"id": "00u1", "type": "User", "alternateId": "ana@corp.example"}],
    "transaction": {"id": "tx-1"},
    "authenticationContext": {"externalSessionId": "trs1"},
}
ANTHROPIC: dict[str, Any] = {
    "id": "activity_1",
    "created_at": "2026-11-03T10:00:00Z",
    "organization_id": "org_1",
    "type": "claude_file_uploaded",
    "actor": {"type": "api_actor", "api_key_id": "apikey_1"},
    "claude_file_id": "file_1",
}
OPENAI: dict[str, Any] = {
    "id": "audit_log-1",
    "type": "api_key.created",
    "effective_at": 1793700000,
    "actor": {
        "type": "session",
        "session": {"user": {"id": "user-1", "email": "Ana@corp.example"}},
    },
    "api_key.created": {"id": "key_2", "data": {"scopes": ["all"]}},
}
BEDROCK: dict[str, Any] = {
    "schemaType": "ModelInvocationLog",
    "timestamp": "2026-11-03T10:00:00Z",
    "accountId": "111122223333",
    "region": "eu-central-1",
    "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/agent/run-1"},
    "requestId": "req-1",
    "operation": "InvokeModel",
    "modelId": "anthropic.claude",
    "input": {"inputBodyJson": {"prompt": "CANARY-PROMPT"}, "inputTokenCount": 7},
    "output": {"outputBodyJson": {"text": "CANARY-ANSWER"}},
    "requestMetadata": {"agent": "someone-else"},
}


@dataclass(frozen=True)
class Sample:
    """One usual record, the wrapper of its lists, and the fields it has to give."""

    record: dict[str, Any]
    wrapper: str
    fields: dict[str, object]
    options: str = ""


SAMPLES = {
    "k8s-audit": Sample(
        K8S,
        "items",
        {
            "identity": "k8s:prod/apps/serviceaccount/builder",
            "credential": "cred:k8s-jti/7c1f",
            "action": "k8s:get",
            "resource": "k8s:prod/apps/secrets/db",
            "source_ip": "10.0.0.7",
            "scope": "prod",
        },
        ",cluster=prod",
    ),
    "github-audit": Sample(
        GITHUB,
        "",
        {
            "identity": "github:app/Triage-App",
            "credential": f"cred:token/{TOKEN_DIGEST.hex()}",
            "action": "github:git.push",
            "resource": "github:acme/repo/shop",
            "person": "",
        },
    ),
    "gcp-audit": Sample(
        GCP,
        "entries",
        {
            "identity": "runner@acme.iam.gserviceaccount.com",
            "person": "person:ana@corp.example",
            "action": "gcp:storage.objects.get",
            "scope": "acme",
        },
    ),
    "azure-activity": Sample(
        AZURE,
        "records",
        {
            "identity": "entra:app/11aa",
            "credential": "cred:entra-uti/UtI_1",
            "action": "Microsoft.Compute/virtualMachines/delete",
            "scope": "5f1e",
        },
    ),
    "entra": Sample(
        ENTRA,
        "value",
        {
            "identity": "entra:app/11aa",
            "credential": "cred:entra-cred/key-1",
            "issued": "cred:entra-uti/UtI_1",
            "issued_to": "entra:app/11aa",
            "action": "entra:sign-in",
        },
    ),
    "okta": Sample(
        OKTA,
        "",
        {
            "identity": "okta:ai-agent/wlp1",
            "credential": "cred:okta-session/trs1",
            "resource": "okta:user/ana@corp.example",
            "person": "",
        },
    ),
    "anthropic-audit": Sample(
        ANTHROPIC,
        "data",
        {
            "identity": "anthropic:api-key/apikey_1",
            "credential": "cred:anthropic-key/apikey_1",
            "resource": "anthropic:file/file_1",
        },
    ),
    "openai-audit": Sample(
        OPENAI,
        "data",
        {
            "identity": "openai:user/ana@corp.example",
            "person": "person:ana@corp.example",
            "issued": "cred:openai-key/key_2",
        },
    ),
    "bedrock": Sample(
        BEDROCK,
        "",
        {
            "identity": "arn:aws:iam::111122223333:role/agent",
            "session": "arn:aws:sts::111122223333:assumed-role/agent/run-1",
            "action": "bedrock:InvokeModel",
            "resource": "anthropic.claude",
        },
    ),
}

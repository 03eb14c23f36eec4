"""Parse entries of Google Cloud audit logs.

Sources: Google Cloud, "AuditLog" and "Understanding audit logs" (docs.cloud.google.com/
logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog, .../logging/docs/audit/
understanding-audit-logs): `serviceAccountDelegationInfo` lists the identities behind an
impersonated service account, the original one first. On GKE the caller is the user of
the cluster (docs.cloud.google.com/kubernetes-engine/docs/how-to/audit-logging).
"""

import msgspec

from answerable.connectors.formats.log_entry import (
    LogEntry,
    build_person_of_address,
    build_record_parser,
)
from answerable.connectors.formats.log_format import (
    LogFormat,
    LogOptions,
    RecordRefused,
)
from answerable.connectors.gcp_audit.declaration import DECLARATION
from answerable.model.event import EventOutcome
from answerable.model.kubernetes_ids import build_user_subject

_SERVICE_ACCOUNT = ".gserviceaccount.com"
_SUBJECT_PREFIXES = ("user:", "serviceAccount:")
_DENIED_CODES = (7, 16)  # PERMISSION_DENIED, UNAUTHENTICATED of google.rpc.Code
_GKE_SERVICE = "k8s.io"
_KEY_PREFIX = "//iam.googleapis.com/"
_NULL = msgspec.Raw(b"null")
_CREATING_METHODS = ("CreateServiceAccount", "CreateServiceAccountKey")


class _Principal(msgspec.Struct, rename="camel"):
    principal_email: str | None = None


class _Delegation(msgspec.Struct, rename="camel"):
    principal_subject: str | None = None
    first_party_principal: _Principal | None = None


class _GcpAuthentication(msgspec.Struct, rename="camel"):
    principal_email: str | None = None
    principal_subject: str | None = None
    service_account_key_name: str | None = None
    service_account_delegation_info: list[_Delegation] | None = None


class _Authorization(msgspec.Struct):
    permission: str | None = None
    granted: bool | str | None = None


class _Status(msgspec.Struct):
    code: int | None = None


class _RequestMetadata(msgspec.Struct, rename="camel"):
    caller_ip: str | None = None
    ip: str | None = msgspec.field(name="callerIP", default=None)
    caller_supplied_user_agent: str | None = None


class _Payload(msgspec.Struct, rename="camel"):
    service_name: str | None = None
    method_name: str | None = None
    resource_name: str | None = None
    status: _Status | None = None
    authentication_info: _GcpAuthentication | None = None
    authorization_info: list[_Authorization] | None = None
    request_metadata: _RequestMetadata | str | None = None
    response: msgspec.Raw = _NULL


class _GcpAnswer(msgspec.Struct):
    name: str | None = None
    email: str | None = None


class _MonitoredResource(msgspec.Struct):
    type: str | None = None
    labels: dict[str, str | None] | None = None


class GcpAuditRecord(msgspec.Struct, rename="camel"):
    """Log entry, with only the fields that are read."""

    insert_id: str | None = None
    log_name: str | None = None
    timestamp: str | None = None
    receive_timestamp: str | None = None
    severity: str | None = None
    resource: _MonitoredResource | str | None = None  # text in some exports
    proto_payload: _Payload | None = None
    # The name in tables of a log sink to BigQuery.
    bigquery_payload: _Payload | None = msgspec.field(
        name="protopayload_auditlog", default=None
    )
    json_payload: msgspec.Raw = _NULL
    text_payload: str | None = None


_ANSWER = msgspec.json.Decoder(_GcpAnswer | None)


def _read_record(
    record: GcpAuditRecord, options: LogOptions
) -> LogEntry | RecordRefused:
    """Map a record to its entry, or refuse it."""
    payload = record.proto_payload or record.bigquery_payload
    if payload is None and (record.json_payload != _NULL or record.text_payload):
        return RecordRefused(
            "a log entry of another kind, not an audit log", skipped=True
        )
    if payload is None or not payload.method_name:
        return RecordRefused("not a Google Cloud audit entry: it has no methodName")
    about_resource = record.resource
    labels = (
        about_resource.labels if isinstance(about_resource, _MonitoredResource) else {}
    ) or {}
    who = payload.authentication_info or _GcpAuthentication()
    about = payload.request_metadata
    if not isinstance(about, _RequestMetadata):  # some collectors write it as text
        about = _RequestMetadata()
    checks = payload.authorization_info or []
    behind = [
        found
        for each in who.service_account_delegation_info or ()
        if (found := _build_delegate(each))
    ]
    identity = _build_identity(
        who.principal_email, who.principal_subject, _get_cluster(payload, labels)
    )
    key = who.service_account_key_name or ""
    entry = LogEntry(
        time=record.timestamp or record.receive_timestamp,
        action=f"gcp:{payload.method_name}",
        outcome=_get_outcome(payload, checks),
        native_id=_build_native_id(record),
        scope=labels.get("project_id")
        or (record.log_name or "").partition("/logs/")[0],
        identity=identity,
        credential=f"cred:gcp-key/{key.removeprefix(_KEY_PREFIX)}" if key else "",
        person=_get_person(who, behind),
        resources=[payload.resource_name] if payload.resource_name else [],
        source_ip=about.caller_ip or about.ip or "",
        delegated_by=behind if identity else (),
        facts={
            "authorised_by": " ".join(
                dict.fromkeys(each.permission or "" for each in checks)
            ),
            "log": (record.log_name or "").rpartition("%2F")[2],
            "self:user_agent": about.caller_supplied_user_agent,
            "service": payload.service_name,
            "status": str(payload.status.code or "") if payload.status else "",
        },
    )
    _set_effects(entry, payload)
    return entry


def _set_effects(entry: LogEntry, payload: _Payload) -> None:
    """Set the service account or the key that a call created.

    Source: IAM API reference, `ServiceAccount` and `ServiceAccountKey`, whose name is
    `projects/PROJECT/serviceAccounts/EMAIL/keys/ID`.
    """
    made = (payload.method_name or "").rpartition(".")[2]
    if made not in _CREATING_METHODS or entry.outcome is not EventOutcome.SUCCESS:
        return
    try:
        answer = _ANSWER.decode(payload.response) or _GcpAnswer()
    except msgspec.DecodeError:
        return
    name = answer.name or ""
    if made == "CreateServiceAccount":
        entry.created = answer.email or ""
    elif "/keys/" in name:
        entry.issued = f"cred:gcp-key/{name}"
        entry.issued_to = name.partition("/serviceAccounts/")[2].partition("/")[0]


def _build_native_id(record: GcpAuditRecord) -> str:
    """Build the id of an entry; `insertId` is unique within a log and a time."""
    if not record.insert_id:
        return ""
    return f"{record.log_name or ''} {record.timestamp or ''} {record.insert_id}"


def _build_identity(email: str | None, subject: str | None, cluster: str) -> str:
    """Build the identity of a principal, in the format of the inventory."""
    if email and cluster and (":" in email or "@" not in email):
        return str(build_user_subject(cluster, email))
    name = email or ""
    if not name:
        name = subject or ""
        for prefix in _SUBJECT_PREFIXES:
            if name.startswith(prefix):
                name = name.removeprefix(prefix)
                break
        else:
            return name
    return (
        name if name.endswith(_SERVICE_ACCOUNT) or "@" not in name else f"user:{name}"
    )


def _build_delegate(delegation: _Delegation) -> str:
    """Build the identity behind an impersonated service account; empty if unknown."""
    first = delegation.first_party_principal
    email = first.principal_email if first else None
    return _build_identity(email, delegation.principal_subject, "")


def _get_cluster(payload: _Payload, labels: dict[str, str | None]) -> str:
    """Return the cluster of a GKE entry, as kubeconfig contexts name it."""
    name = labels.get("cluster_name")
    if payload.service_name != _GKE_SERVICE or not name:
        return ""
    return f"gke_{labels.get('project_id')}_{labels.get('location')}_{name}"


def _get_person(who: _GcpAuthentication, behind: list[str]) -> str:
    """Return the person whom Google authenticated: the origin of an impersonation."""
    if behind:
        return build_person_of_address(behind[0].removeprefix("user:"))
    return build_person_of_address(who.principal_email)


def _get_outcome(payload: _Payload, checks: list[_Authorization]) -> EventOutcome:
    """Return the outcome by the status, or by a permission that was not granted."""
    status = payload.status
    code = status.code if status and status.code else 0
    if (payload.method_name or "").endswith("loginFailure"):
        return EventOutcome.DENIED
    if code in _DENIED_CODES or (
        not code and any(each.granted in (False, "false") for each in checks)
    ):
        return EventOutcome.DENIED
    return EventOutcome.ERROR if code else EventOutcome.SUCCESS


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "Google Cloud audit",
    build_record_parser(
        DECLARATION, GcpAuditRecord, _read_record, ("authenticationInfo",)
    ),
    lists=("entries",),
    content_members=(b'"request":', b'"response":'),
)

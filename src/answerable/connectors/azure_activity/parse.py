"""Parse the Azure activity log, storage logs, and audit logs of AKS.

Sources: Microsoft, "Azure activity log event schema" (learn.microsoft.com/azure/
azure-monitor/platform/activity-log-schema: REST answers, and the schema of storage
accounts and event hubs), "Azure Storage monitoring data reference", "Monitor AKS"
(category `kube-audit`: the Kubernetes record is the text in `properties.log`), and
"Access token claims reference" (`uti` identifies a token, as `uniqueTokenIdentifier` of
its sign-in does).
"""

from typing import Any

import msgspec

from answerable.connectors.azure_activity.declaration import DECLARATION
from answerable.connectors.formats.kubernetes_audit import (
    KubernetesAuditRecord,
    read_kubernetes_record,
)
from answerable.connectors.formats.log_entry import (
    LogEntry,
    build_person_of_address,
    build_record_parser,
    outcome_of_http_status,
    outcome_of_word,
    text_of,
)
from answerable.connectors.formats.log_format import (
    LogFormat,
    LogOptions,
    RecordRefused,
)
from answerable.model.event import EventOutcome

_UPN_CLAIMS = (
    "upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "unique_name",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "name",
)
_KUBERNETES_CATEGORIES = ("kube-audit", "kube-audit-admin")
_KUBERNETES = msgspec.json.Decoder(KubernetesAuditRecord)


class AzureRecord(msgspec.Struct, rename="camel"):
    """Record of a log, with only the fields that are read; forms differ by export."""

    time: str | None = None
    event_timestamp: str | None = None
    event_data_id: str | None = None
    correlation_id: str | None = None
    category: Any = None
    operation_name: Any = None
    resource_id: str | None = None
    caller: str | None = None
    caller_ip_address: str | None = None
    http_request: Any = None
    identity: Any = None
    claims: dict[str, Any] | None = None
    authorization: Any = None
    result_type: Any = None
    result_signature: Any = None
    status: Any = None
    status_code: int | str | None = None
    status_text: str | None = None
    properties: Any = None
    subscription_id: str | None = None
    tenant_id: str | None = None


def _read_record(record: AzureRecord, options: LogOptions) -> LogEntry | RecordRefused:
    """Map a record to its entry, or refuse it."""
    properties = record.properties if isinstance(record.properties, dict) else {}
    category = _get_value(record.category)
    if category in _KUBERNETES_CATEGORIES and properties.get("log"):
        return _read_kubernetes(record, str(properties["log"]))
    action = _get_value(record.operation_name)
    if not action:
        return RecordRefused("not an Azure record: it has no operationName")
    claims, requester = _get_claims(record)
    name = _get_first(claims, _UPN_CLAIMS) or _get_address(record.caller)
    app = text_of(claims.get("appid"))
    identity = _build_identity(name, app, claims, record)
    token = text_of(claims.get("uti"))
    request = record.http_request if isinstance(record.http_request, dict) else {}
    address = record.caller_ip_address or _get_client_address(request)
    return LogEntry(
        time=record.time or record.event_timestamp,
        action=action,
        outcome=_get_outcome(record, properties),
        native_id=record.event_data_id or "",
        scope=_get_subscription(record),
        identity=identity,
        credential=f"cred:entra-uti/{token}" if token else "",
        person=build_person_of_address(name)
        if identity.startswith("entra:user/")
        else "",
        resources=[record.resource_id] if record.resource_id else [],
        source_ip=address.rsplit(":", 1)[0] if address.count(":") == 1 else address,
        facts={
            "app": app,
            "authenticated_by": text_of(requester.get("type")),
            "category": category,
            "correlation_id": record.correlation_id,
            "error": record.status_text if record.status_text != "Success" else "",
            "object": text_of(claims.get("oid")) or text_of(requester.get("objectId")),
            "self:user_agent": text_of(properties.get("userAgentHeader")),
            "token_hash": text_of(requester.get("tokenHash")),
        },
    )


def _read_kubernetes(record: AzureRecord, text: str) -> LogEntry | RecordRefused:
    """Map the Kubernetes record that a record of AKS contains as text."""
    inner = _KUBERNETES.decode(text.encode())
    if not inner.verb:
        return RecordRefused("not a Kubernetes audit event: it has no verb")
    cluster = (record.resource_id or "").rpartition("/")[2].lower() or "aks"
    entry = read_kubernetes_record(inner, cluster)
    entry.time = entry.time or record.time
    return entry


def _get_client_address(request: dict[str, Any]) -> str:
    """Return the client's address; the Python client has its own spelling."""
    return text_of(request.get("clientIpAddress") or request.get("client_ip_address"))


def _get_value(field: object) -> str:
    """Return a field that is text, or an object with `value`."""
    if isinstance(field, dict):
        field = field.get("value") or field.get("localizedValue")
    return text_of(field)


def _get_claims(record: AzureRecord) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the claims of the token, and the identity that a storage log names."""
    about = record.identity if isinstance(record.identity, dict) else {}
    claims = record.claims or about.get("claims")
    requester = about.get("requester")
    named = {**about, **requester} if isinstance(requester, dict) else about
    if not isinstance(claims, dict):
        upn, app = text_of(named.get("upn")), text_of(named.get("appId"))
        claims = {key: v for key, v in (("upn", upn), ("appid", app)) if v}
    return claims, named


def _get_first(claims: dict[str, Any], names: tuple[str, ...]) -> str:
    """Return the first claim that is an address."""
    texts = (text_of(claims.get(name)) for name in names)
    return next((text for text in texts if "@" in text), "")


def _get_address(caller: str | None) -> str:
    """Return the caller if it is a user's name; that of an application is an id."""
    return caller if caller and "@" in caller else ""


def _build_identity(
    name: str, app: str, claims: dict[str, Any], record: AzureRecord
) -> str:
    """Build the identity: a user, an application, or an object of the directory."""
    if name and text_of(claims.get("idtyp")) != "app":
        return f"entra:user/{name.lower()}"
    if app:
        return f"entra:app/{app}"
    principal = text_of(claims.get("oid")) or record.caller or _get_principal(record)
    principal = principal or _get_service_name(claims)
    if not principal:
        return ""
    # Services of the platform call under their own names: `Microsoft.Advisor`.
    return principal if "." in principal else f"entra:object/{principal}"


def _get_service_name(claims: dict[str, Any]) -> str:
    """Return the claim that names a service of the platform: `Microsoft.Advisor`."""
    texts = (text_of(claims.get(name)) for name in _UPN_CLAIMS)
    return next((text for text in texts if text.startswith("Microsoft.")), "")


def _get_principal(record: AzureRecord) -> str:
    """Return the principal whose role assignment allowed the call; empty if unknown."""
    found: object = record.identity
    for member in ("authorization", "evidence", "principalId"):
        found = found.get(member) if isinstance(found, dict) else None
    return text_of(found)


def _get_subscription(record: AzureRecord) -> str:
    """Return the subscription of a record, else its tenant."""
    parts = (record.resource_id or "").strip("/").split("/")
    if len(parts) > 1 and parts[0].lower() == "subscriptions":
        return parts[1].lower()
    return record.subscription_id or record.tenant_id or ""


def _get_outcome(record: AzureRecord, properties: dict[str, Any]) -> EventOutcome:
    """Return the outcome by the HTTP status, or by the words of the record."""
    code = text_of(record.status_code) or text_of(record.result_signature)
    code = code.rpartition(".")[2] if "." in code else code
    if code.isdigit() and 100 <= int(code) <= 599:
        return outcome_of_http_status(int(code))
    words = (
        _get_value(record.result_type),
        _get_value(record.status),
        code,
        text_of(properties.get("metricResponseType")),
    )
    found = [outcome_of_word(word) for word in words if word]
    known = [each for each in found if each is not EventOutcome.UNKNOWN]
    return known[0] if known else EventOutcome.UNKNOWN


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "Azure activity",
    build_record_parser(
        DECLARATION, AzureRecord, _read_record, ("claims", "identity", "caller")
    ),
    lists=("records", "value"),
    content_members=(b"requestObject", b"responseObject"),
)

"""Parse sign-in and audit logs of Microsoft Entra ID.

Sources: Microsoft Graph, "signIn resource type" and "directoryAudit resource type"
(learn.microsoft.com/graph/api/resources/signin, .../directoryaudit), and "Linkable
identifiers" of Microsoft Entra (learn.microsoft.com/entra/identity/authentication/
how-to-authentication-track-linkable-identifiers): `uniqueTokenIdentifier` of a sign-in is
the claim `uti` of the token that it issued. Diagnostic settings wrap the same object in
`properties`.
"""

from typing import Any

import msgspec

from answerable.connectors.entra.declaration import DECLARATION
from answerable.connectors.formats.log_entry import (
    LogEntry,
    build_person_of_address,
    build_record_parser,
    outcome_of_word,
    text_of,
)
from answerable.connectors.formats.log_format import (
    LogFormat,
    LogOptions,
    RecordRefused,
)
from answerable.model.event import EventOutcome

_NO_ID = ("", "00000000-0000-0000-0000-000000000000")


class EntraObject(msgspec.Struct, rename="camel"):
    """Sign-in or audit record of Microsoft Graph, with only the fields that are read."""

    time: str | None = None
    category: str | None = None
    operation_name: str | None = None
    result_type: Any = None
    tenant_id: str | None = None
    caller_ip_address: str | None = None
    properties: "EntraObject | None" = None
    id: str | None = None
    created_date_time: str | None = None
    activity_date_time: str | None = None
    activity_display_name: str | None = None
    agent: Any = None
    app_id: str | None = None
    app_display_name: str | None = None
    authentication_protocol: str | None = None
    correlation_id: str | None = None
    federated_credential_id: str | None = None
    initiated_by: Any = None
    ip_address: str | None = None
    is_interactive: bool | None = None
    logged_by_service: str | None = None
    resource_display_name: str | None = None
    resource_id: str | None = None
    result: str | None = None
    service_principal_credential_key_id: str | None = None
    service_principal_id: str | None = None
    service_principal_name: str | None = None
    session_id: str | None = None
    status: Any = None
    target_resources: list[Any] | None = None
    unique_token_identifier: str | None = None
    user_agent: str | None = None
    user_principal_name: str | None = None
    user_id: str | None = None


def _read_record(record: EntraObject, options: LogOptions) -> LogEntry | RecordRefused:
    """Map a record to its entry, or refuse it."""
    inner = record.properties or record
    if inner.initiated_by is not None or inner.activity_display_name:
        return _read_audit(record, inner)
    if inner.user_principal_name or inner.app_id or inner.service_principal_id:
        return _read_sign_in(record, inner)
    return RecordRefused("not an Entra record: neither a sign-in nor an audit record")


def _read_sign_in(record: EntraObject, inner: EntraObject) -> LogEntry:
    """Map a sign-in: it issues the token with that unique identifier."""
    user = (inner.user_principal_name or "").lower()
    app = inner.app_id or inner.service_principal_id or ""
    by_app = not user or "ServicePrincipal" in (record.category or "")
    identity = f"entra:app/{app}" if by_app else f"entra:user/{user}"
    outcome = _get_sign_in_outcome(record, inner)
    token = inner.unique_token_identifier or ""
    issued = bool(token) and outcome is EventOutcome.SUCCESS
    key = next(
        (
            each
            for each in (
                inner.service_principal_credential_key_id,
                inner.federated_credential_id,
            )
            if (each or "") not in _NO_ID
        ),
        "",
    )
    success = outcome is EventOutcome.SUCCESS
    agent = inner.agent if isinstance(inner.agent, dict) else {}
    return LogEntry(
        time=inner.created_date_time or record.time,
        action="entra:sign-in",
        outcome=outcome,
        native_id=inner.id or "",
        scope=record.tenant_id or inner.tenant_id or "",
        identity=identity,
        credential=f"cred:entra-cred/{key}" if key else "",
        person="" if by_app or not success else build_person_of_address(user),
        resources=[f"entra:app/{inner.resource_id}"] if inner.resource_id else [],
        source_ip=inner.ip_address or record.caller_ip_address or "",
        issued=f"cred:entra-uti/{token}" if issued else "",
        issued_to=identity if issued else "",
        facts={
            "agent_parent": text_of(agent.get("parentAppId")),
            "agent_type": text_of(agent.get("agentType")),
            "app": app if not by_app else "",
            "app_name": inner.app_display_name or inner.service_principal_name,
            "authenticated_by": inner.authentication_protocol,
            "category": record.category,
            "correlation_id": inner.correlation_id,
            "error": _get_error(inner),
            "interactive": "true" if inner.is_interactive else "",
            "object": inner.user_id if not by_app else inner.service_principal_id,
            "resource_name": inner.resource_display_name,
            "self:user_agent": inner.user_agent,
            "session_id": inner.session_id,
        },
    )


def _get_error(inner: EntraObject) -> str:
    """Return the error code of a sign-in; empty for success."""
    code = inner.status.get("errorCode") if isinstance(inner.status, dict) else None
    return text_of(code) if code not in (0, "0", None) else ""


def _get_sign_in_outcome(record: EntraObject, inner: EntraObject) -> EventOutcome:
    """Return the outcome by the error code, or by the result of the wrapper."""
    if isinstance(inner.status, dict) and "errorCode" in inner.status:
        return EventOutcome.DENIED if _get_error(inner) else EventOutcome.SUCCESS
    result = text_of(record.result_type)
    if result.isdigit():
        return EventOutcome.SUCCESS if int(result) == 0 else EventOutcome.DENIED
    return outcome_of_word(result)


def _read_audit(record: EntraObject, inner: EntraObject) -> LogEntry | RecordRefused:
    """Map a change of the directory."""
    action = (
        inner.activity_display_name or inner.operation_name or record.operation_name
    )
    if not action:
        return RecordRefused("not an Entra record: it has no activityDisplayName")
    user, app = (_get_object(inner.initiated_by, each) for each in ("user", "app"))
    name = text_of(user.get("userPrincipalName")).lower()
    identity = _build_initiator(name, user, app)
    return LogEntry(
        time=inner.activity_date_time or record.time,
        action=f"entra:{action}",
        outcome=outcome_of_word(
            inner.result or record.result or text_of(record.result_type)
        ),
        native_id=inner.id or "",
        scope=record.tenant_id or inner.tenant_id or "",
        identity=identity,
        person=build_person_of_address(name),
        resources=_list_targets(inner.target_resources or []),
        source_ip=text_of(user.get("ipAddress")) or record.caller_ip_address or "",
        facts={
            "category": inner.category or record.category,
            "correlation_id": inner.correlation_id,
            "object": text_of(user.get("id")) or text_of(app.get("servicePrincipalId")),
            "service": inner.logged_by_service,
        },
    )


def _get_object(value: object, member: str) -> dict[str, Any]:
    """Return a member that is an object; empty for anything else."""
    found = value.get(member) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _build_initiator(name: str, user: dict[str, Any], app: dict[str, Any]) -> str:
    """Build the identity that initiated a change."""
    if name:
        return f"entra:user/{name}"
    if number := text_of(app.get("appId")):
        return f"entra:app/{number}"
    number = text_of(app.get("servicePrincipalId")) or text_of(user.get("id"))
    if number:
        return f"entra:object/{number}"
    return text_of(app.get("displayName"))


def _list_targets(targets: list[Any]) -> list[str]:
    """List the objects that a change is about."""
    found = []
    for each in targets:
        if isinstance(each, dict):
            name = text_of(each.get("userPrincipalName")).lower()
            kind = text_of(each.get("type")).lower() or "object"
            key = name or text_of(each.get("id")) or text_of(each.get("displayName"))
            if key:
                found.append(f"entra:{kind}/{key}")
    return found


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "Microsoft Entra",
    build_record_parser(
        DECLARATION,
        EntraObject,
        _read_record,
        ("userPrincipalName", "initiatedBy", "uniqueTokenIdentifier"),
    ),
    lists=("value", "records"),
)

"""Typed record of Kubernetes audit logs, and its mapping to a log entry.

Sources: Kubernetes, "Auditing" and "kube-apiserver Audit Configuration (v1)"
(kubernetes.io/docs/tasks/debug/debug-cluster/audit/, .../reference/config-api/
apiserver-audit.v1/); `staging/src/k8s.io/apiserver/pkg/authentication/serviceaccount`
for `authentication.kubernetes.io/credential-id` (an extra of the user) and
`.../issued-credential-id` (an annotation of a token request);
`staging/src/k8s.io/apiserver/plugin/pkg/audit/webhook` for batches: an `EventList`, whose
items have no `kind` and `apiVersion`, unlike the lines of an audit file.
"""

from functools import lru_cache

import msgspec

from answerable.connectors.formats.json_records.record_digest import (
    HEAD_BYTES,
    is_pretty_printed,
)
from answerable.connectors.formats.log_entry import (
    LogEntry,
    build_person_of_address,
    outcome_of_http_status,
    parse_time,
)
from answerable.model.event import EventOutcome
from answerable.model.ids import is_access_key_id
from answerable.model.kubernetes_ids import KubernetesResource, build_user_subject

_EXTRA = "authentication.kubernetes.io/"
_CREDENTIAL_KINDS = {"JTI": "k8s-jti", "X509SHA256": "x509-sha256"}
_NULL = msgspec.Raw(b"null")
_EVENT_KIND, _EVENT_VERSION = "Event", "audit.k8s.io/v1"
_LEVELS = frozenset(("Metadata", "Request", "RequestResponse"))
_STAGES = frozenset(("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"))


class KubernetesUser(msgspec.Struct):
    """User that the API server authenticated."""

    username: str | None = None
    uid: str | None = None
    extra: dict[str, list[str] | None] | None = None


class ObjectReference(msgspec.Struct, rename="camel"):
    """Object of a request."""

    resource: str | None = None
    namespace: str | None = None
    name: str | None = None
    api_group: str | None = None
    subresource: str | None = None


class ResponseStatus(msgspec.Struct):
    """Status of a response."""

    code: int | None = None
    reason: str | None = None


class _IssuedToken(msgspec.Struct, rename="camel"):
    expiration_timestamp: str | None = None


class _BoundObject(msgspec.Struct):
    kind: str | None = None
    name: str | None = None
    uid: str | None = None


class _TokenSpec(msgspec.Struct, rename="camel"):
    audiences: list[str] | None = None
    bound_object_ref: _BoundObject | None = None


class _TokenRequest(msgspec.Struct):
    spec: _TokenSpec | None = None
    status: _IssuedToken | None = None


class KubernetesAuditRecord(msgspec.Struct, rename="camel"):
    """Event of `audit.k8s.io`, with only the fields that are read."""

    kind: str | None = None
    api_version: str | None = None
    level: str | None = None
    audit_id: str | None = msgspec.field(name="auditID", default=None)
    stage: str | None = None
    request_uri: str | None = msgspec.field(name="requestURI", default=None)
    verb: str | None = None
    user: KubernetesUser | None = None
    impersonated_user: KubernetesUser | None = None
    source_ips: list[str] | None = msgspec.field(name="sourceIPs", default=None)
    user_agent: str | None = None
    object_ref: ObjectReference | None = None
    response_status: ResponseStatus | None = None
    request_received_timestamp: str | None = None
    stage_timestamp: str | None = None
    timestamp: str | None = None  # audit.k8s.io/v1beta1 and older
    annotations: dict[str, str] | None = None
    request_object: msgspec.Raw = _NULL
    response_object: msgspec.Raw = _NULL


_TOKEN_REQUEST = msgspec.json.Decoder(_TokenRequest)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def is_kubernetes_audit_event(record: KubernetesAuditRecord) -> bool:
    """Return whether a record is an audit event.

    An item of an `EventList` has no kind. It is one if it has all members that the API
    server writes for each event, with a level and stage of `audit.k8s.io`.
    """
    if record.kind:
        return record.kind == _EVENT_KIND and bool(record.verb)
    return bool(
        record.audit_id
        and record.verb
        and record.request_uri
        and record.user
        and record.stage in _STAGES
        and record.level in _LEVELS
        and (record.api_version or _EVENT_VERSION).startswith("audit.k8s.io/")
    )


def add_kind_and_version(raw: bytes, record: KubernetesAuditRecord) -> bytes:
    """Add the kind and version that a record lacks, where an audit file has them.

    The digest of a webhook's item is then that of the same event in a file. An event
    without an id is named by its digest, so it stays as it is.
    """
    if (record.kind and record.api_version) or not record.audit_id:
        return raw
    if is_pretty_printed(raw[:HEAD_BYTES]):
        raw = msgspec.json.format(raw, indent=-1)
    kind, version = record.kind or _EVENT_KIND, record.api_version or _EVENT_VERSION
    head = msgspec.json.encode({"kind": kind, "apiVersion": version})[:-1] + b","
    if record.kind or record.api_version:
        members = _MEMBERS.decode(raw)
        members.pop("kind", None)
        members.pop("apiVersion", None)
        raw = msgspec.json.encode(members)
    return head + raw.lstrip()[1:]


def read_kubernetes_record(record: KubernetesAuditRecord, cluster: str) -> LogEntry:
    """Map an audit record of a cluster to its entry.

    The last of `sourceIPs` is the connection's; a client may write the others.
    """
    user = record.user or KubernetesUser()
    notes = record.annotations or {}
    identity = _build_identity(cluster, user)
    entry = LogEntry(
        time=record.request_received_timestamp
        or record.stage_timestamp
        or record.timestamp,
        action=f"k8s:{record.verb}" if record.verb else "",
        outcome=_get_outcome(record, notes),
        native_id=f"{record.audit_id}/{record.stage or ''}" if record.audit_id else "",
        scope=cluster,
        identity=identity,
        credential=_build_credential(user),
        person=build_person_of_address(user.username),
        resources=[str(found)] if (found := _build_resource(cluster, record)) else [],
        source_ip=record.source_ips[-1] if record.source_ips else "",
        facts={
            "authorised_by": notes.get("authorization.k8s.io/reason"),
            "decision": notes.get("authorization.k8s.io/decision"),
            "error": record.response_status.reason if record.response_status else "",
            "level": record.level,
            "node": _get_extra(user, "node-name"),
            "pod": _get_extra(user, "pod-name"),
            "pod_uid": _get_extra(user, "pod-uid"),
            "self:user_agent": record.user_agent,
            "stage": record.stage if record.stage != "ResponseComplete" else "",
        },
    )
    if record.impersonated_user and record.impersonated_user.username:
        entry.identity = _build_identity(cluster, record.impersonated_user)
        entry.delegated_by = [identity] if identity else []
    _set_effects(entry, record, cluster, notes)
    return entry


def _build_identity(cluster: str, user: KubernetesUser) -> str:
    """Build the identity of a user, in the format of the inventory."""
    return _build_kubernetes_identity(cluster, user.username) if user.username else ""


@lru_cache(maxsize=4096)
def _build_kubernetes_identity(cluster: str, username: str) -> str:
    """Format the identity of a user name; logs repeat few of them."""
    return str(build_user_subject(cluster, username))


def _get_extra(user: KubernetesUser, name: str) -> str:
    """Return the first value of an extra that the API server sets."""
    values = (user.extra or {}).get(_EXTRA + name)
    return values[0] if values else ""


def _build_credential(user: KubernetesUser) -> str:
    """Build the id of the credential: token id, certificate, or AWS key on EKS."""
    credential = _parse_credential_id(_get_extra(user, "credential-id"))
    keys = (user.extra or {}).get("accessKeyId")
    if not credential and keys and is_access_key_id(keys[0]):
        return f"cred:aws/{keys[0]}"
    return credential


def _parse_credential_id(text: str) -> str:
    """Parse `JTI=...` or `X509SHA256=...`; empty for another kind."""
    kind, _, value = text.partition("=")
    return (
        f"cred:{_CREDENTIAL_KINDS[kind]}/{value}" if kind in _CREDENTIAL_KINDS else ""
    )


def _get_outcome(
    record: KubernetesAuditRecord, annotations: dict[str, str]
) -> EventOutcome:
    """Return the outcome by the response's code, or by the authorizer's decision."""
    if annotations.get("authorization.k8s.io/decision") == "forbid":
        return EventOutcome.DENIED
    status = record.response_status
    return outcome_of_http_status(status.code if status else None)


def _build_resource(
    cluster: str, record: KubernetesAuditRecord
) -> KubernetesResource | None:
    """Build the resource of a request: an object, or a non-resource URL."""
    named = record.object_ref
    if named and named.resource:
        return KubernetesResource(
            cluster,
            named.namespace or "",
            named.resource,
            named.api_group or "",
            named.name or "",
            named.subresource or "",
        )
    path = (record.request_uri or "").partition("?")[0]
    return KubernetesResource(cluster, url=path) if path.startswith("/") else None


def _set_effects(
    entry: LogEntry,
    record: KubernetesAuditRecord,
    cluster: str,
    annotations: dict[str, str],
) -> None:
    """Set the token that a request issued, or the account it created or deleted."""
    named = record.object_ref
    if not named or named.resource != "serviceaccounts" or not named.name:
        return
    if entry.outcome is not EventOutcome.SUCCESS:
        return
    name = f"system:serviceaccount:{named.namespace}:{named.name}"
    account = str(build_user_subject(cluster, name))
    if named.subresource == "token":
        entry.issued = _parse_credential_id(
            annotations.get(_EXTRA + "issued-credential-id", "")
        )
        entry.issued_to = account if entry.issued else ""
        entry.issued_until = _read_expiry(record.response_object)
        entry.facts = {**dict(entry.facts), **_read_binding(record.request_object)}
    elif not named.subresource and record.verb == "create":
        entry.created = account
    elif not named.subresource and record.verb == "delete":
        entry.deleted = account


def _read_binding(request: msgspec.Raw) -> dict[str, str | None]:
    """Read the pod and audiences of a requested token, logged at level Request."""
    try:
        spec = _TOKEN_REQUEST.decode(request).spec if request != _NULL else None
    except msgspec.DecodeError:
        spec = None
    bound = spec.bound_object_ref if spec else None
    pod = bound if bound and bound.kind == "Pod" else _BoundObject()
    return {
        "issued_for": " ".join(spec.audiences or ()) if spec else "",
        "issued_pod": pod.name,
        "issued_pod_uid": pod.uid,
    }


def _read_expiry(response: msgspec.Raw) -> str | None:
    """Read the expiry of an issued token, logged at level RequestResponse only."""
    try:
        answer = _TOKEN_REQUEST.decode(response) if response != _NULL else None
        expiry = answer.status.expiration_timestamp if answer and answer.status else ""
        return expiry if parse_time(expiry) else None
    except (msgspec.DecodeError, ValueError):
        return None

"""Parse the audit log of an OpenAI organization.

Source: OpenAI API reference, "Audit logs" (platform.openai.com/docs/api-reference/
audit-logs): `effective_at` in seconds, `actor.session` or `actor.api_key`, and the details
under the member that `type` names. The log contains no inference.
"""

from typing import Any

import msgspec

from answerable.connectors.formats.log_entry import (
    LogEntry,
    build_person_of_address,
    build_record_parser,
    text_of,
)
from answerable.connectors.formats.log_format import (
    LogFormat,
    LogOptions,
    RecordRefused,
)
from answerable.connectors.openai_audit.declaration import DECLARATION
from answerable.model.event import EventOutcome


class _User(msgspec.Struct):
    id: str | None = None
    email: str | None = None


class _ServiceAccount(msgspec.Struct):
    id: str | None = None


class _Session(msgspec.Struct):
    user: _User | None = None
    ip_address: str | None = None
    user_agent: str | None = None


class _ApiKey(msgspec.Struct):
    id: str | None = None
    type: str | None = None
    user: _User | None = None
    service_account: _ServiceAccount | None = None


class _OpenAiActor(msgspec.Struct):
    type: str | None = None
    session: _Session | None = None
    api_key: _ApiKey | None = None


class _Project(msgspec.Struct):
    id: str | None = None


class _Details(msgspec.Struct):
    id: Any = None


class OpenAiRecord(msgspec.Struct):
    """Entry of the audit log, with only the fields that are read."""

    id: str | None = None
    effective_at: int | float | str | None = None
    type: str | None = None
    actor: _OpenAiActor | None = None
    project: _Project | None = None
    key_created: _Details | None = msgspec.field(name="api_key.created", default=None)
    key_updated: _Details | None = msgspec.field(name="api_key.updated", default=None)
    key_deleted: _Details | None = msgspec.field(name="api_key.deleted", default=None)


def _read_record(record: OpenAiRecord, options: LogOptions) -> LogEntry | RecordRefused:
    """Map an entry of the log to its entry, or refuse it."""
    if not record.type or record.effective_at is None:
        return RecordRefused(
            "not an OpenAI audit entry: it has no type or effective_at"
        )
    actor = record.actor or _OpenAiActor()
    session, key = actor.session or _Session(), actor.api_key or _ApiKey()
    user = session.user or key.user or _User()
    created = text_of(record.key_created.id) if record.key_created else ""
    changed = record.key_created or record.key_updated or record.key_deleted
    project = record.project.id if record.project else ""
    about = [f"openai:api-key/{text_of(changed.id)}"] if changed else []
    about += [f"openai:project/{project}"] if project else []
    # Failed sign-ins name whom they claim to be; nothing was authenticated.
    failed = record.type.endswith("failed")
    return LogEntry(
        time=record.effective_at,
        action=f"openai:{record.type}",
        outcome=EventOutcome.DENIED if failed else EventOutcome.SUCCESS,
        native_id=record.id or "",
        scope=project or "openai",
        identity=_build_identity(user, key),
        credential=f"cred:openai-key/{key.id}" if key.id else "",
        person="" if failed else build_person_of_address(user.email),
        resources=about,
        source_ip=session.ip_address or "",
        issued=f"cred:openai-key/{created}" if created else "",
        facts={
            "actor_type": actor.type,
            "key_type": key.type,
            "self:user_agent": session.user_agent,
            "user_id": user.id,
        },
    )


def _build_identity(user: _User, key: _ApiKey) -> str:
    """Build the identity: a user, a service account, or the key alone."""
    if user.email:
        return f"openai:user/{user.email.lower()}"
    if user.id:
        return f"openai:user/{user.id}"
    if key.service_account and key.service_account.id:
        return f"openai:service-account/{key.service_account.id}"
    return f"openai:api-key/{key.id}" if key.id else ""


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "OpenAI audit",
    build_record_parser(DECLARATION, OpenAiRecord, _read_record, ("actor",)),
    lists=("data",),
)

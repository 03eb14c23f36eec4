"""Parse activities of an Anthropic organization (Compliance API).

Source: Anthropic, "Activity Feed" (platform.claude.com/docs/en/manage-claude/
compliance-activity-feed): `id`, `created_at`, `organization_id`, `type`, and `actor` with
one of eight types. Activities list what happened, and contain no inference.
"""

from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from answerable.connectors.anthropic_audit.declaration import DECLARATION
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
from answerable.model.event import EventOutcome

# Members that name what an activity is about: member, kind in the resource's id.
_RESOURCES = (
    ("claude_chat_id", "chat"),
    ("claude_project_id", "project"),
    ("claude_file_id", "file"),
    ("claude_artifact_id", "artifact"),
    ("mcp_server_id", "mcp-server"),
    ("resource_id", "resource"),
    ("target_id", "member"),
    ("deleted_user_id", "user"),
    ("api_key_id", "api-key"),
    ("workspace_id", "workspace"),
    ("organization_id", "organization"),
)
_KINDS = [kind for _, kind in _RESOURCES]
_get_resources = attrgetter(*(member for member, _ in _RESOURCES))
_FAILED = ("failed", "failure")
_DENIED = ("denied", "blocked", "rejected")


class _AnthropicActor(msgspec.Struct):
    type: str | None = None
    user_id: str | None = None
    email_address: str | None = None
    unauthenticated_email_address: str | None = None
    api_key_id: str | None = None
    admin_api_key_id: str | None = None
    service_account_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


class AnthropicActivity(msgspec.Struct):
    """Activity, with only the fields that are read."""

    id: str | None = None
    created_at: str | None = None
    organization_id: str | None = None
    type: str | None = None
    actor: _AnthropicActor | None = None
    claude_chat_id: Any = None
    claude_project_id: Any = None
    claude_file_id: Any = None
    claude_artifact_id: Any = None
    mcp_server_id: Any = None
    resource_id: Any = None
    target_id: Any = None
    deleted_user_id: Any = None
    api_key_id: Any = None
    workspace_id: Any = None


def _read_record(
    record: AnthropicActivity, options: LogOptions
) -> LogEntry | RecordRefused:
    """Map an activity to its entry, or refuse it."""
    if not record.type or record.actor is None:
        return RecordRefused("not an Anthropic activity: it has no type or actor")
    actor = record.actor
    key = actor.api_key_id or actor.admin_api_key_id or ""
    is_created = "api_key_created" in record.type and isinstance(record.api_key_id, str)
    return LogEntry(
        time=record.created_at,
        action=f"anthropic:{record.type}",
        outcome=_get_outcome(record.type),
        native_id=record.id or "",
        scope=record.organization_id or "",
        identity=_build_identity(actor),
        credential=f"cred:anthropic-key/{key}" if key else "",
        person=build_person_of_address(actor.email_address),
        resources=[
            f"anthropic:{kind}/{value}"
            for kind, value in zip(_KINDS, _get_resources(record), strict=True)
            if value and isinstance(value, str)
        ],
        source_ip=actor.ip_address or "",
        issued=f"cred:anthropic-key/{record.api_key_id}" if is_created else "",
        facts={
            "actor_type": actor.type,
            "self:unauthenticated_email": actor.unauthenticated_email_address,
            "self:user_agent": actor.user_agent,
            "user_id": actor.user_id,
        },
    )


def _build_identity(actor: _AnthropicActor) -> str:
    """Build the identity of an actor; one without an id is named by its type."""
    if actor.email_address:
        return f"anthropic:user/{actor.email_address.lower()}"
    for kind, number in (
        ("user", actor.user_id),
        ("api-key", actor.api_key_id),
        ("admin-api-key", actor.admin_api_key_id),
        ("service-account", actor.service_account_id),
    ):
        if number:
            return f"anthropic:{kind}/{number}"
    return f"anthropic:{actor.type}" if actor.type else ""


@lru_cache(maxsize=4096)
def _get_outcome(activity: str) -> EventOutcome:
    """Return the outcome by the name of the activity."""
    if any(word in activity for word in _DENIED):
        return EventOutcome.DENIED
    failed = any(word in activity for word in _FAILED)
    return EventOutcome.ERROR if failed else EventOutcome.SUCCESS


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "Anthropic activity",
    build_record_parser(DECLARATION, AnthropicActivity, _read_record, ("actor",)),
    lists=("data",),
)

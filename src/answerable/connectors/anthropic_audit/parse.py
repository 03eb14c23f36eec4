"""Parse activities of an Anthropic organization (Compliance API).

Source: Anthropic, "Activity Feed" (platform.claude.com/docs/en/manage-claude/
compliance-activity-feed): `id`, `created_at`, `organization_id`, `type`, and `actor` with
one of eight types. Activities list what happened, and contain no inference.
"""

from functools import lru_cache
from itertools import compress
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from answerable.connectors.anthropic_audit.declaration import DECLARATION
from answerable.connectors.formats.log_entry import (
    FactPairs,
    LogEntry,
    build_person_of_address,
    build_record_parser,
    list_facts,
)
from answerable.connectors.formats.log_format import (
    LogFormat,
    LogOptions,
    RecordRefused,
)
from answerable.connectors.formats.parsed_parts import ParsedParts
from answerable.model.event import EventOutcome

# Members that name what an activity is about, and the prefix of the resource's id.
_RESOURCES = (
    ("claude_chat_id", "anthropic:chat/"),
    ("claude_project_id", "anthropic:project/"),
    ("claude_file_id", "anthropic:file/"),
    ("claude_artifact_id", "anthropic:artifact/"),
    ("mcp_server_id", "anthropic:mcp-server/"),
    ("resource_id", "anthropic:resource/"),
    ("target_id", "anthropic:member/"),
    ("deleted_user_id", "anthropic:user/"),
    ("api_key_id", "anthropic:api-key/"),
    ("workspace_id", "anthropic:workspace/"),
    ("organization_id", "anthropic:organization/"),
)
_PREFIXES = [prefix for _, prefix in _RESOURCES]
_get_resources = attrgetter(*(member for member, _ in _RESOURCES))
_FAILED = ("failed", "failure")
_NULL = msgspec.Raw(b"null")
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


class _ActorMember(msgspec.Struct):
    actor: _AnthropicActor | None = None


class _ParsedActor(NamedTuple):
    """Actor in the words of an audit event; most activities repeat one."""

    identity: str
    credential: str
    person: str
    source_ip: str
    facts: FactPairs


class AnthropicActivity(msgspec.Struct, gc=False):
    """Activity, with only the fields that are read."""

    id: str | None = None
    created_at: str | None = None
    organization_id: str | None = None
    type: str | None = None
    actor: msgspec.Raw = _NULL
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
    actor = _actors[bytes(record.actor)]
    if not record.type or actor is None:
        return RecordRefused("not an Anthropic activity: it has no type or actor")
    is_created = "api_key_created" in record.type and isinstance(record.api_key_id, str)
    return LogEntry(
        time=record.created_at,
        action=f"anthropic:{record.type}",
        outcome=_get_outcome(record.type),
        native_id=record.id or "",
        scope=record.organization_id or "",
        identity=actor.identity,
        credential=actor.credential,
        person=actor.person,
        resources=_list_resources(record),
        source_ip=actor.source_ip,
        issued=f"cred:anthropic-key/{record.api_key_id}" if is_created else "",
        facts=actor.facts,
    )


def _list_resources(record: AnthropicActivity) -> list[str]:
    """List what an activity is about."""
    values = _get_resources(record)
    # Most members are missing: they are passed over before any line runs for them.
    named = compress(zip(_PREFIXES, values, strict=True), values)
    return [prefix + value for prefix, value in named if isinstance(value, str)]


def _parse_actor(raw: bytes) -> _ParsedActor | None:
    """Parse the actor of an activity; None without one.

    Raises:
        msgspec.DecodeError: It is not an actor.
    """
    actor = _ACTOR_MEMBERS.decode(b'{"actor":%b}' % raw).actor
    if actor is None:
        return None
    key = actor.api_key_id or actor.admin_api_key_id or ""
    facts: dict[str, str | None] = {
        "actor_type": actor.type,
        "self:unauthenticated_email": actor.unauthenticated_email_address,
        "self:user_agent": actor.user_agent,
        "user_id": actor.user_id,
    }
    return _ParsedActor(
        identity=_build_identity(actor),
        credential=f"cred:anthropic-key/{key}" if key else "",
        person=build_person_of_address(actor.email_address),
        source_ip=actor.ip_address or "",
        facts=list_facts(facts),
    )


_ACTOR_MEMBERS = msgspec.json.Decoder(_ActorMember)
_actors = ParsedParts(_parse_actor)


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

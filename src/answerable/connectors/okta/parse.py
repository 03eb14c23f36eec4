"""Parse events of the Okta System Log.

Sources: Okta, "System Log API" (developer.okta.com/docs/reference/api/system-log/) and
"Event types" (.../event-types/): `authenticationContext.externalSessionId` identifies the
session, `transaction.id` groups the events of one request, and an `AI Agent` actor is an
application that Okta authenticated.
"""

from typing import Any

import msgspec

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
from answerable.connectors.okta.declaration import DECLARATION
from answerable.model.event import EventOutcome

_NO_SESSION = ("", "unknown")
_USER = "User"


class _Entity(msgspec.Struct, rename="camel"):
    id: str | None = None
    type: str | None = None
    alternate_id: str | None = None
    display_name: str | None = None


class _Outcome(msgspec.Struct):
    result: str | None = None
    reason: str | None = None


class _OktaAuthentication(msgspec.Struct, rename="camel"):
    external_session_id: str | None = None
    credential_type: str | None = None


class _UserAgent(msgspec.Struct, rename="camel"):
    raw_user_agent: str | None = None


class _Client(msgspec.Struct, rename="camel"):
    ip_address: str | None = None
    user_agent: _UserAgent | None = None


class _Transaction(msgspec.Struct):
    id: str | None = None


class _Debug(msgspec.Struct, rename="camel"):
    debug_data: dict[str, Any] | str | None = None


class OktaRecord(msgspec.Struct, rename="camel"):
    """Event of the System Log, with only the fields that are read."""

    uuid: str | None = None
    published: str | None = None
    event_type: str | None = None
    actor: _Entity | None = None
    outcome: _Outcome | None = None
    client: _Client | None = None
    target: list[_Entity] | None = None
    transaction: _Transaction | None = None
    authentication_context: _OktaAuthentication | None = None
    debug_context: _Debug | None = None


def _read_record(record: OktaRecord, options: LogOptions) -> LogEntry | RecordRefused:
    """Map a record to its entry, or refuse it."""
    if not record.event_type:
        return RecordRefused("not an Okta event: it has no eventType")
    actor = record.actor or _Entity()
    outcome = _get_outcome(record.outcome)
    context = record.authentication_context or _OktaAuthentication()
    debug = record.debug_context.debug_data if record.debug_context else None
    if not isinstance(debug, dict):  # some collectors write it as text
        debug = {}
    client = record.client or _Client()
    session = context.external_session_id or ""
    credential = "" if session in _NO_SESSION else f"cred:okta-session/{session}"
    identity = _build_identity(actor)
    is_user = actor.type == _USER and outcome is EventOutcome.SUCCESS
    return LogEntry(
        time=record.published,
        action=f"okta:{record.event_type}",
        outcome=outcome,
        native_id=record.uuid or "",
        scope="okta",
        identity=identity,
        credential=credential,
        person=build_person_of_address(actor.alternate_id) if is_user else "",
        resources=[found for each in record.target or () if (found := _build_id(each))],
        source_ip=client.ip_address or "",
        facts={
            "actor_id": actor.id,
            "actor_type": actor.type if actor.type != _USER else "",
            "authenticated_by": context.credential_type,
            "error": record.outcome.reason if record.outcome else "",
            "grant_type": text_of(debug.get("grantType")),
            "request_id": text_of(debug.get("requestId")),
            "self:user_agent": client.user_agent.raw_user_agent
            if client.user_agent
            else "",
            "transaction": record.transaction.id if record.transaction else "",
        },
    )


def _get_outcome(outcome: _Outcome | None) -> EventOutcome:
    """Return the outcome; a failed sign-in or check is a denial."""
    if outcome is None or not outcome.result:
        return EventOutcome.UNKNOWN
    return outcome_of_word(outcome.result)


def _build_identity(actor: _Entity) -> str:
    """Build the identity of an actor: a user by its login, another actor by its id."""
    if actor.type == _USER and actor.alternate_id:
        return f"okta:user/{actor.alternate_id.lower()}"
    return _build_id(actor)


def _build_id(entity: _Entity) -> str:
    """Build the id of an actor or a target."""
    kind = (entity.type or "object").lower().replace(" ", "-")
    name = entity.id or entity.alternate_id or entity.display_name
    if kind == "user" and entity.alternate_id:
        name = entity.alternate_id.lower()
    return f"okta:{kind}/{name}" if name else ""


FORMAT = LogFormat(
    DECLARATION,
    __name__,
    "Okta",
    build_record_parser(DECLARATION, OktaRecord, _read_record, ("actor",)),
    lists=("events",),
)

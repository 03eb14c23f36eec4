"""Types of audit events as their source logged them, before they are sealed."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import EventId
from answerable.model.provenance import WrittenBy

EVENT_SCHEMA = 1


class EventOutcome(StrEnum):
    """Outcome of a call, as logged by the source."""

    SUCCESS = "success"
    DENIED = "denied"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Parsed audit record of one source.

    Fields are only ever appended, with a default that means "not said"; the canonical
    encoding leaves defaults out, so an older record keeps its bytes.

    Attributes:
        event_id: UUIDv8 of (time, source, scope, native id); same record, same id.
        event_time: UTC nanoseconds.
        source: Log source, e.g. `cloudtrail`.
        scope: Recording account or host, e.g. the account number.
        written_by: Set by the connector instance.
        raw_sha256: Digest of the raw record, 32 bytes.
        action: In the policy language's spelling, e.g. `s3:GetObject`.
        native_id: The source's own id.
        identity: Acting identity: role ARN of a session, user ARN, service name.
        session: Session name or ARN; the caller chose it, so it proves nothing.
        credential: `cred:aws/ASIA...` used, empty where not said.
        person: A `person:` id the platform itself authenticated (console sign-in,
            federated subject), empty otherwise.
        resource: First resource named.
        resource_prefix: Parent of `resource` for range queries.
        resources: Further resources.
        source_ip: As logged.
        issued: Credential this call issued (`cred:aws/ASIA...`), empty otherwise.
        issued_to: Identity the issued credential acts as.
        issued_until: Its expiry, UTC nanoseconds, 0 where not said.
        created: Identity this call created (role or user ARN), empty otherwise.
        deleted: Identity this call deleted, empty otherwise.
        decision_id: Decision that allowed it, where a mediator recorded one.
        run: Run id, where a mediator recorded one.
        entities: Extracted argument entities.
        facts: Sorted pairs. Keys that start with `self:` hold the caller's own words.
        recorder: Name of a numbering recorder, empty where it does not number.
        sequence: Its number for this record.
        ingest_time: UTC nanoseconds, set when stored.
        salt: 16 random bytes, set when stored.
        schema: Version of this shape.
        agent: Acting agent, as seen by a mediator, empty otherwise.
        tool: Called tool, as seen by a mediator; empty otherwise.
    """

    event_id: EventId
    event_time: int
    source: str
    scope: str
    written_by: WrittenBy
    raw_sha256: bytes
    action: str
    outcome: EventOutcome
    native_id: str = ""
    identity: str = ""
    session: str = ""
    credential: str = ""
    person: str = ""
    resource: str = ""
    resource_prefix: str = ""
    resources: tuple[str, ...] = ()
    source_ip: str = ""
    issued: str = ""
    issued_to: str = ""
    issued_until: int = 0
    created: str = ""
    deleted: str = ""
    decision_id: str = ""
    run: str = ""
    entities: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    recorder: str = ""
    sequence: int = 0
    ingest_time: int = 0
    salt: bytes = b""
    schema: int = EVENT_SCHEMA
    agent: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class QuarantinedRecord:
    """Quarantined record that could not be parsed; it is kept and counted.

    Attributes:
        place: File name.
        offset: Byte offset of the record in the (decompressed) file, -1 if unknown.
        why: Parse error, without any value of the record.
        raw: The bytes, for a later release that can read them.
        count: Number of records in them that could not be parsed.
    """

    place: str
    offset: int
    why: str
    raw: bytes
    count: int = 1

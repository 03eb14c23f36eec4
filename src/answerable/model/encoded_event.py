"""Types of audit events in their stored encoding."""

from collections.abc import Iterator

import msgspec

from answerable.model.ids import EventId

# Fields of which the catalogue of a store has the values of each segment.
VALUE_COLUMNS = (
    "identity",
    "credential",
    "session",
    "person",
    "run",
    "agent",
    "tool",
    "issued",
    "issued_to",
    "created",
    "deleted",
    "decision_id",
    "resource_prefix",
)


class EncodedEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Audit event in its stored encoding, with the fields that find duplicates.

    Attributes:
        event_id: As in `AuditEvent`.
        event_time: UTC nanoseconds.
        raw_sha256: Digest of the raw record, 32 bytes.
        record: Canonical record, with its ingest time and salt.
        leaf: Its leaf hash, RFC 6962 2.1.
    """

    event_id: EventId
    event_time: int
    raw_sha256: bytes
    record: bytes
    leaf: bytes


class SealingFields(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Fields of new events of one day that sealing reads.

    Attributes:
        day: Their day, since 1970.
        identities: Place of the identity of each event in `values`.
        sources: Number of events of each source.
        values: Distinct values of each of `VALUE_COLUMNS`.
        streams: Distinct sources, scopes, regions and services of data events, of those
            that are not self-reported.
        has_console: One is a call from a console.
    """

    day: int
    identities: list[int]
    sources: dict[str, int]
    values: list[list[str]]
    streams: list[tuple[str, str, str, str]]
    has_console: bool


class EncodedEvents(msgspec.Struct):
    """Audit events in their stored encoding, by field: see `EncodedEvent`.

    `fields` has the fields of so many events at a time, in order; None if not known.
    """

    event_ids: list[EventId] = []
    event_times: list[int] = []
    digests: list[bytes] = []
    records: list[bytes] = []
    leaves: list[bytes] = []
    fields: list[tuple[int, SealingFields | None]] = []

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[EncodedEvent]:
        columns = (self.event_times, self.digests, self.records, self.leaves)
        return map(EncodedEvent, self.event_ids, *columns)

    def extend(self, others: "EncodedEvents") -> None:
        """Add the events of another batch."""
        self.event_ids += others.event_ids
        self.event_times += others.event_times
        self.digests += others.digests
        self.records += others.records
        self.leaves += others.leaves
        self.fields += others.fields

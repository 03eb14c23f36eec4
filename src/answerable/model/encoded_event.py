"""Types of audit events in their stored encoding."""

from collections.abc import Iterator

import msgspec

from answerable.model.ids import EventId


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


class EncodedEvents(msgspec.Struct):
    """Audit events in their stored encoding, by field: see `EncodedEvent`."""

    event_ids: list[EventId] = []
    event_times: list[int] = []
    digests: list[bytes] = []
    records: list[bytes] = []
    leaves: list[bytes] = []

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

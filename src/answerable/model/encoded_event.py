"""Type of an audit event in its stored encoding."""

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

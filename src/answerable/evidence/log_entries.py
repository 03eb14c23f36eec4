"""Encode and decode entries of the transparency log as canonical JSON.

An entry is a segment manifest, a stored object, an opened journal or a journal sealed
in full. Unknown members are rejected: only a release that knows all of an entry reads
it back.
"""

import msgspec

from answerable.model.errors import VerificationError

MANIFEST_SCHEMA = 1


class SegmentManifest(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="segment",
    kw_only=True,
    forbid_unknown_fields=True,
):
    """A sealed segment.

    Attributes:
        segment: Segment id, 32 hex digits.
        day: `YYYY-MM-DD`, UTC, of every event in it.
        file_sha256: Digest of the Parquet file, hex.
        leaves_sha256: Digest of the leaves file, hex.
        event_root: RFC 6962 root over the events in row order, hex.
        min_time: First event time, UTC nanoseconds as a decimal string.
        event_schema: Highest event schema in it.
        journal: Journal it was sealed from.
        previous: Segment sealed before it, empty for the first.
        at: When it was sealed, UTC nanoseconds as a decimal string.
        schema: Version of this shape.
    """

    segment: str
    day: str
    file_sha256: str
    leaves_sha256: str
    event_root: str
    count: int
    min_time: str
    max_time: str
    event_schema: int
    journal: str
    previous: str
    at: str
    schema: int


class ObjectEntry(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="object",
    kw_only=True,
    forbid_unknown_fields=True,
):
    """A stored object, or a file of records that could not be parsed.

    Attributes:
        of: Kind: `sync`, `snapshot`, `attestation`, `conflict`, `quarantine`...
        sha256: Digest of its content, hex.
        at: UTC nanoseconds as a decimal string.
    """

    of: str
    sha256: str
    at: str


class JournalOpened(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="journal-opened",
    kw_only=True,
    forbid_unknown_fields=True,
):
    """Start of a journal; it may hold acknowledged events until it is sealed."""

    journal: str
    at: str


class JournalSealed(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="journal-sealed",
    kw_only=True,
    forbid_unknown_fields=True,
):
    """End of a journal; all of its events are in segments.

    Attributes:
        duplicate: Records left out because another journal had sealed the same ones.
        chain: Its last chain hash, hex.
        at: UTC nanoseconds as a decimal string.
    """

    journal: str
    count: int
    duplicate: int
    chain: str
    at: str


LogEntry = SegmentManifest | ObjectEntry | JournalOpened | JournalSealed

_encoder = msgspec.json.Encoder(order="sorted")
_decoder: msgspec.json.Decoder[LogEntry] = msgspec.json.Decoder(LogEntry, strict=True)


def encode_entry(entry: LogEntry) -> bytes:
    """Encode a log entry as canonical JSON."""
    return _encoder.encode(entry)


def decode_entry(data: bytes) -> LogEntry:
    """Decode a log entry; unknown members are rejected.

    Raises:
        VerificationError: The bytes are not the canonical encoding of an entry.
    """
    try:
        entry = _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        raise VerificationError(
            "a log entry has a kind that this release does not support"
        ) from error
    if _encoder.encode(entry) != data:
        raise VerificationError("a log entry is not in canonical encoding")
    return entry

"""Entries of the log: what a leaf of the log says, as canonical JSON.

A log entry is one of: a segment manifest, a stored object, a journal that was opened,
a journal that was sealed whole. Unknown members are refused: an entry is read back
only by a release that knows all of it.
"""

import msgspec

from answerable.model.errors import VerificationError

MANIFEST_SCHEMA = 1


class Manifest(
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
        count: Rows.
        min_time: First event time, UTC nanoseconds as a decimal string.
        max_time: Last event time.
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
    """An object that was stored, or a file of records that could not be parsed.

    Attributes:
        of: What it is: `sync`, `snapshot`, `attestation`, `conflict`, `quarantine`...
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
    """A journal that may hold acknowledged events until it is sealed."""

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
    """A journal all of whose events are in segments.

    Attributes:
        journal: Its name.
        count: Records it held.
        duplicate: Records left out because another journal had sealed the same ones.
        chain: Its last chain hash, hex.
        at: UTC nanoseconds as a decimal string.
    """

    journal: str
    count: int
    duplicate: int
    chain: str
    at: str


Entry = Manifest | ObjectEntry | JournalOpened | JournalSealed

_encoder = msgspec.json.Encoder(order="sorted")
_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry, strict=True)


def encode_entry(entry: Entry) -> bytes:
    """Encode an entry as canonical JSON."""
    return _encoder.encode(entry)


def decode_entry(data: bytes) -> Entry:
    """Decode an entry.

    Raises:
        VerificationError: The bytes are not the canonical encoding of an entry.
    """
    try:
        entry = _decoder.decode(data)
    except (ValueError, RecursionError) as error:
        raise VerificationError(
            "an entry of the log is not of a kind this release knows"
        ) from error
    if _encoder.encode(entry) != data:
        raise VerificationError("an entry of the log is not in its canonical encoding")
    return entry

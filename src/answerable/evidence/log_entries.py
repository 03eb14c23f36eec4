"""Encode and decode entries of the transparency log as canonical JSON.

An entry is a segment manifest, a stored object, an opened journal, a journal sealed
in full, or the removal of rows or of an object by a policy. Unknown members are rejected: only a release that knows all of an entry reads
it back.
"""

from collections.abc import Iterable
from dataclasses import dataclass

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
    omit_defaults=True,
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
        journal: Journal it was sealed from; empty for a compacted segment.
        previous: Segment sealed before it, empty for the first.
        at: When it was sealed, UTC nanoseconds as a decimal string.
        schema: Version of this shape.
        replaces: Segments of the same day whose rows a compacted segment holds.
        order_sha256: Digest of the order file of a compacted segment, hex.
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
    replaces: tuple[str, ...] = ()
    order_sha256: str = ""


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


class RowsRemoved(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="rows-removed",
    kw_only=True,
    forbid_unknown_fields=True,
):
    """Removal of rows of a segment by a policy; their leaf hashes remain.

    Attributes:
        segment: The segment.
        number: 1 for the first removal from this segment.
        cause: `retention` or `erasure`.
        policy: Digest of the object that describes the policy, hex.
        count: Rows that remain.
        file_sha256: Digest of the Parquet file with them, hex; empty for none.
        rows_sha256: Digest of the file with the numbers of all rows removed so far,
            hex; empty if no row remains.
        at: UTC nanoseconds as a decimal string.
    """

    segment: str
    number: int
    cause: str
    policy: str
    count: int
    file_sha256: str
    rows_sha256: str
    at: str


class ObjectRemoved(
    msgspec.Struct,
    frozen=True,
    tag_field="kind",
    tag="object-removed",
    kw_only=True,
    forbid_unknown_fields=True,
):
    """Removal of a stored object by a policy.

    Attributes:
        sha256: Digest of the object, hex.
        cause: `erasure`.
        policy: Digest of the object that describes the policy, hex.
        at: UTC nanoseconds as a decimal string.
    """

    sha256: str
    cause: str
    policy: str
    at: str


LogEntry = (
    SegmentManifest
    | ObjectEntry
    | JournalOpened
    | JournalSealed
    | RowsRemoved
    | ObjectRemoved
)

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


@dataclass(frozen=True, slots=True)
class SegmentState:
    """State of one segment.

    Attributes:
        index: Index of its manifest in the log.
        manifest: Its manifest, as committed.
        removal: Its newest removal of rows, None for none.
        compacted: Whether another segment holds its rows.
    """

    index: int
    manifest: SegmentManifest
    removal: RowsRemoved | None = None
    compacted: bool = False

    @property
    def live(self) -> SegmentManifest | None:
        """Return a manifest of the readable file; None if there is none.

        After a removal it has the name, digest and count of the remaining rows.
        """
        if self.compacted:
            return None
        if self.removal is None:
            return self.manifest
        if not self.removal.file_sha256:
            return None
        return msgspec.structs.replace(
            self.manifest,
            segment=build_file_stem(self.removal),
            file_sha256=self.removal.file_sha256,
            count=self.removal.count,
        )


def build_file_stem(removal: RowsRemoved) -> str:
    """Return the name, without extension, of the file with the remaining rows."""
    return f"{removal.segment}-{removal.number}"


def get_segment_id(manifest: SegmentManifest) -> str:
    """Return the id of a segment, also of one whose rows were removed in part."""
    return manifest.segment.partition("-")[0]


def read_segment_states(entries: Iterable[LogEntry]) -> list[SegmentState]:
    """Read the state of each segment, in the order of the log."""
    manifests: list[tuple[int, SegmentManifest]] = []
    removals: dict[str, RowsRemoved] = {}
    compacted: set[str] = set()
    for index, entry in enumerate(entries):
        if isinstance(entry, SegmentManifest):
            manifests.append((index, entry))
            compacted.update(entry.replaces)
        elif isinstance(entry, RowsRemoved):
            removals[entry.segment] = entry
    return [
        SegmentState(
            index,
            manifest,
            removals.get(manifest.segment),
            manifest.segment in compacted,
        )
        for index, manifest in manifests
    ]


def list_unsealed_journals(entries: Iterable[LogEntry]) -> set[str]:
    """List the journals that were opened and not sealed, by name."""
    names: set[str] = set()
    for each in entries:
        if isinstance(each, JournalOpened):
            names.add(each.journal)
        elif isinstance(each, JournalSealed):
            names.discard(each.journal)
    return names


def list_live_segments(entries: Iterable[LogEntry]) -> list[SegmentManifest]:
    """List the manifests of all readable segment files, in the order of the log."""
    states = (state.live for state in read_segment_states(entries))
    return [live for live in states if live is not None]


def list_removed_objects(entries: Iterable[LogEntry]) -> dict[str, ObjectRemoved]:
    """List the removals of objects by digest; one that was stored again is not removed."""
    removed: dict[str, ObjectRemoved] = {}
    for entry in entries:
        if isinstance(entry, ObjectRemoved):
            removed[entry.sha256] = entry
        elif isinstance(entry, ObjectEntry):
            removed.pop(entry.sha256, None)
    return removed


def count_erasures(entries: Iterable[LogEntry]) -> int:
    """Count the entries of a log that erase something."""
    return sum(
        isinstance(each, RowsRemoved | ObjectRemoved) and each.cause == "erasure"
        for each in entries
    )

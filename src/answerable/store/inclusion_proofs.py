"""Build inclusion proofs of stored events."""

from collections.abc import Sequence
from typing import cast

from answerable.evidence.canonical_event import encode_event
from answerable.evidence.log_entries import SegmentManifest, read_segment_states
from answerable.evidence.merkle import inclusion_path, leaf_hash
from answerable.evidence.proof_bundle import ProofBundle, ProvenEvent, ProvenSegment
from answerable.model.errors import (
    AnswerableError,
    PartialError,
    UsageError,
    VerificationError,
)
from answerable.store.duckdb_engine import quote_text
from answerable.store.durable_files import read_file
from answerable.store.event_columns import NAMES, decode_event_row
from answerable.store.event_engine import SegmentReadFailure
from answerable.store.query_tables import ColumnType, NamedTable
from answerable.store.row_removal import read_live_rows
from answerable.store.store import EvidenceStore


def build_inclusion_bundle(
    store: EvidenceStore, event_ids: Sequence[bytes]
) -> ProofBundle:
    """Build a proof bundle for events; all records of an id if they conflict.

    Raises:
        UsageError: No sealed event has that id.
        PartialError: A segment that may have the event cannot be read.
        VerificationError: The store does not match its log.
    """
    wanted = list(dict.fromkeys(event_ids))
    found: set[bytes] = set()
    segments: list[ProvenSegment] = []
    events: list[ProvenEvent] = []
    unread: list[SegmentManifest] = []
    removed: list[SegmentManifest] = []
    log_leaves = [leaf_hash(data) for data in store.log.raw_entries()]
    for state in read_segment_states(store.log.entries()):
        live, index = state.live, state.index
        if state.removal is not None:
            removed.append(state.manifest)
        if live is None or not (here := _select_ids(live, wanted)):
            continue
        try:
            rows = _find_event_rows(store, live, here)
        except SegmentReadFailure:
            unread.append(live)
            continue
        if not rows:
            continue
        if state.removal is not None:  # the file has only the remaining rows
            numbers = read_live_rows(store, state)
            rows = [(numbers[cast("int", row)], *values) for row, *values in rows]
        path = tuple(step.hex() for step in inclusion_path(index, log_leaves))
        text = store.log.raw_entries()[index].decode()
        segments.append(ProvenSegment(index, text, path))
        proofs = _build_row_proofs(store, state.manifest, rows, len(segments) - 1)
        for row, event in proofs:
            events.append(event)
            found.add(row)
    missing = [number for number in wanted if number not in found]
    if missing:
        raise _build_missing_error(missing, unread, removed)
    return ProofBundle(store.log.checkpoint().decode(), tuple(segments), tuple(events))


def _build_missing_error(
    missing: Sequence[bytes],
    unread: Sequence[SegmentManifest],
    removed: Sequence[SegmentManifest],
) -> AnswerableError:
    """Build the error for ids that no readable segment has.

    Args:
        missing: The ids.
        unread: Segments that cannot be read.
        removed: Segments of which a policy removed rows.
    """
    named = missing[0].hex()
    for each in unread:
        if _select_ids(each, missing):
            return PartialError(
                f"the event {named} may be in the segment {each.segment} of {each.day}, "
                "which is missing or damaged",
                "restore it from a copy: answerable store repair --from FOLDER",
            )
    for each in removed:
        if _select_ids(each, missing):
            return UsageError(
                f"no sealed event has the id {named}, which may be that of a removed "
                f"event of {each.day}",
                "the log has its leaf, and no proof without the event",
            )
    return UsageError(
        f"no sealed event has the id {named}",
        "list ids with `answerable trace`; seal new events with `answerable ingest`",
    )


def _select_ids(manifest: SegmentManifest, event_ids: Sequence[bytes]) -> list[bytes]:
    """Select the event ids whose times are in a segment.

    An id starts with its time in milliseconds, so most segments are ruled out.
    """
    low, high = int(manifest.min_time) // 10**6, int(manifest.max_time) // 10**6
    return [w for w in event_ids if low <= int.from_bytes(w[:6], "big") <= high]


def _find_event_rows(
    store: EvidenceStore, manifest: SegmentManifest, event_ids: Sequence[bytes]
) -> list[tuple[object, ...]]:
    """Find the rows of some event ids in one segment.

    Raises:
        SegmentReadFailure: The file of the segment is missing or damaged.
    """
    import _duckdb as duckdb

    if not store.layout.has_segment_file(manifest.day, manifest.segment):
        raise SegmentReadFailure(f"a segment file is missing: {manifest.segment}")
    store.layout.require_segments([manifest], (".parquet", ".leaves"))
    file = store.layout.segment_file(manifest.day, manifest.segment, ".parquet")
    ids = NamedTable(
        {"event_id": ColumnType.BYTES}, [{"event_id": number} for number in event_ids]
    )
    try:
        return store.run_query(
            f"SELECT file_row_number, {NAMES} FROM "  # noqa: S608 - our own names
            f"read_parquet({quote_text(str(file.absolute()))}, file_row_number=true) "
            "SEMI JOIN wanted_ids USING (event_id) ORDER BY file_row_number",
            (),
            {"wanted_ids": ids},
        )
    except duckdb.Error as error:
        raise SegmentReadFailure(f"a segment file is damaged: {file.name}") from error


def _build_row_proofs(
    store: EvidenceStore,
    manifest: SegmentManifest,
    rows: Sequence[tuple[object, ...]],
    segment_index: int,
) -> list[tuple[bytes, ProvenEvent]]:
    """Build the Merkle inclusion proof of each row in its segment."""
    file = store.layout.segment_file(manifest.day, manifest.segment, ".leaves")
    packed = read_file(file)
    leaves = [packed[at : at + 32] for at in range(0, len(packed), 32)]
    proven: list[tuple[bytes, ProvenEvent]] = []
    for number, *values in rows:
        row = cast("int", number)
        event = decode_event_row(values)
        data = encode_event(event)
        if row >= len(leaves) or leaf_hash(data) != leaves[row]:
            raise VerificationError(
                f"segment {manifest.segment} row {row} (event "
                f"{event.event_id.hex()}) is invalid",
                "see: answerable evidence verify",
            )
        path = tuple(step.hex() for step in inclusion_path(row, leaves))
        proven.append(
            (event.event_id, ProvenEvent(segment_index, row, data.decode(), path))
        )
    return proven

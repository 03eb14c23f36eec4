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
from answerable.store.event_absence import (
    AbsenceCause,
    EventAbsence,
    explain_absence,
    select_ids,
)
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
    bundle, absent = collect_inclusion_proofs(store, event_ids)
    if absent:
        raise build_absence_error(absent[0])
    return bundle


def collect_inclusion_proofs(
    store: EvidenceStore, event_ids: Sequence[bytes]
) -> tuple[ProofBundle, list[EventAbsence]]:
    """Build a proof bundle for the events that are there, and explain the others.

    Raises:
        VerificationError: The store does not match its log.
    """
    wanted = list(dict.fromkeys(event_ids))
    found: set[bytes] = set()
    segments: list[ProvenSegment] = []
    events: list[ProvenEvent] = []
    unread: set[str] = set()
    log_leaves = [leaf_hash(data) for data in store.log.raw_entries()]
    states = list(read_segment_states(store.log.entries()))
    for state in states:
        live, index = state.live, state.index
        if live is None or not (here := select_ids(live, wanted)):
            continue
        try:
            rows = _find_event_rows(store, live, here)
        except SegmentReadFailure:
            unread.add(live.segment)
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
    absent = [
        explain_absence(number, states, unread)
        for number in wanted
        if number not in found
    ]
    note = store.log.checkpoint().decode()
    return ProofBundle(note, tuple(segments), tuple(events)), absent


def build_absence_error(absence: EventAbsence) -> AnswerableError:
    """Build the error for an id that no readable segment has."""
    named = absence.event_id.hex()
    match absence.cause:
        case AbsenceCause.UNREADABLE:
            return PartialError(
                f"the event {named} may be in the segment {absence.segment} of "
                f"{absence.day}, which is missing or damaged",
                "restore it from a copy: answerable store repair --from FOLDER",
            )
        case AbsenceCause.REMOVED | AbsenceCause.ERASED:
            return UsageError(
                f"no sealed event has the id {named}, which may be that of a removed "
                f"event of {absence.day}",
                "the log has its leaf, and no proof without the event",
            )
        case AbsenceCause.NOT_KNOWN:
            return UsageError(
                f"no sealed event has the id {named}",
                "list ids with `answerable trace`; seal new events with "
                "`answerable ingest`",
            )


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

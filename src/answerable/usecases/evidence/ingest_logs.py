"""Read audit logs and store their events as sealed evidence (command `ingest`)."""

import os.path
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

from answerable.connectors import registry
from answerable.evidence.log_entries import JournalSealed, list_live_segments
from answerable.model.collection import UnreadLog
from answerable.model.connector import EventBatch, EventContext
from answerable.model.coverage import ReadProblem
from answerable.model.documents.shared_shapes import (
    CoverageSourceItem,
    Document,
    IngestItem,
)
from answerable.model.encoded_event import EncodedEvents
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.log_position import FilePosition, LogCursor
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.presentation.command_hints import format_command
from answerable.presentation.timestamps import format_time
from answerable.services.evidence.python_gc_tuning import (
    BATCH_SIZE,
    reduce_garbage_collection,
)
from answerable.store.collection_state import (
    add_quarantined_records,
    record_unread_log,
)
from answerable.store.store import EvidenceStore

_QUARANTINE_BYTES = 8 << 20
_BATCH_BYTES = 64 << 20  # of events that are stored together

_WEEK = 7 * 86_400 * 10**9


def _ignore_positions(positions: LogCursor) -> None:
    """Discard positions: the default callback."""


def _ignore_batch(batch: EventBatch) -> None:
    """Discard a batch: the default callback."""


@dataclass(slots=True)
class _IngestCounts:
    read: int = 0
    stored: int = 0
    duplicate: int = 0
    conflict: int = 0
    quarantined: int = 0
    skipped: int = 0
    places: int = 0
    place: str = ""
    problems: list[ReadProblem] = field(default_factory=list)


def ingest_logs(
    store: EvidenceStore,
    sources: Sequence[str],
    *,
    now: int,
    progress: ProgressCallback = ignore_progress_report,
    cursor: LogCursor | None = None,
    keep_positions: Callable[[LogCursor], None] = _ignore_positions,
    observe: Callable[[EventBatch], None] = _ignore_batch,
) -> Document:
    """Read audit logs, store new events, and seal them.

    Args:
        sources: `NAME:PATH`, e.g. `cloudtrail:logs/`.
        now: UTC nanoseconds.
        progress: Called with bytes read, total bytes, and place.
        cursor: Positions of an earlier run, from which files are read.
        keep_positions: Called with positions of files when all before them is durable.
        observe: Called with each batch before it is stored.

    Returns:
        An item per source; partial if something was unreadable or quarantined.

    Raises:
        UsageError: A source is unknown, or its path does not exist.
        EnvironmentFailure: The path cannot be read, or the disk cannot be written.
    """
    # All sources are opened first, so that a misspelled one stores nothing.
    contexts = [EventContext(cursor=cursor, now=now, ingest_time=now) for _ in sources]
    opened = [
        (
            source,
            _observe_batches(_read_source_batches(source, context), observe),
            context,
        )
        for source, context in zip(sources, contexts, strict=True)
    ]
    if store.layout.list_journals():
        from answerable.store.journal_sealing import seal_ended_journals

        seal_ended_journals(store, now)
    items: list[IngestItem] = []
    covered: list[CoverageSourceItem] = []
    is_partial = False
    for source, batches, context in opened:
        begun = perf_counter()
        counts, omitted = _IngestCounts(), _count_omitted_events(store)
        with reduce_garbage_collection():
            quarantine = partial(
                _quarantine_records,
                store,
                source,
                now,
                is_incremental=cursor is not None,
            )
            for stored in _store_batches(
                store, batches, counts, now, progress, quarantine
            ):
                keep_positions(stored)
            segments = store.seal(now)
        # Journals that were full have been sealed, too.
        _count_as_duplicates(counts, _count_omitted_events(store) - omitted)
        if cursor is None:  # before a message is deleted, which nothing repeats
            record_unread_log(store.layout, _build_unread_log(source, counts, now))
        for acknowledge in context.on_sealed:
            acknowledge()
        items.append(
            _build_ingest_item(source, counts, segments, perf_counter() - begun)
        )
        lines = _describe_problems(counts.problems)
        covered.append(
            {"source": source, "at": format_time(now), "age_s": 0, "problems": lines}
        )
        is_partial = is_partial or bool(counts.problems or counts.quarantined)
    _write_question_files(store, items, now)
    seen = sorted({source.partition(":")[0] for source in sources})
    return Document(
        "ingest",
        items,
        {"partial": is_partial, "sources": covered, "seen": seen, "not_collected": []},
        next=_suggest_trace(store, now),
    )


def _describe_problems(problems: Sequence[ReadProblem]) -> list[str]:
    """Describe problems in one line each."""
    if not problems:  # most runs have none
        return []
    from answerable.presentation.answer_coverage import format_problem

    return [format_problem(problem) for problem in problems]


def _write_question_files(
    store: EvidenceStore, items: Sequence[IngestItem], now: int
) -> None:
    """Write the files that questions over a large store read."""
    if stored := sum(each["stored"] for each in items):
        # A small store has none, and most runs store nothing.
        from answerable.services.lineage.question_files import write_question_files

        write_question_files(store, stored, now=now)


def _suggest_trace(store: EvidenceStore, now: int) -> str:
    """Suggest a `trace` command for the newest events; empty if there are none."""
    segments = list_live_segments(store.log.entries())
    if not segments:
        return ""
    last = max(int(each.max_time) for each in segments)
    if last > now:  # a clock is ahead: the other events are earlier
        return format_command("trace")
    since = "7d" if now - _WEEK < last else format_time(last)
    return format_command("trace", "--since", since)


def _read_source_batches(source: str, context: EventContext) -> Iterator[EventBatch]:
    """Read a source `NAME:PATH` with its connector, batch by batch."""
    name, _, location = source.partition(":")
    connector = registry.load_event_connector(name)
    if not location:
        raise UsageError(
            f"a path is missing (got {source!r}, expected {name}:PATH)",
            f"name a file, a folder, or - for standard input: {name}:-",
        )
    return connector.read(location, context)


def _observe_batches(
    batches: Iterator[EventBatch], observe: Callable[[EventBatch], None]
) -> Iterator[EventBatch]:
    """Yield batches after a callback has seen them."""
    for batch in batches:
        observe(batch)
        yield batch


def _store_batches(
    store: EvidenceStore,
    batches: Iterator[EventBatch],
    counts: _IngestCounts,
    now: int,
    progress: ProgressCallback,
    quarantine: Callable[[Sequence[QuarantinedRecord]], None],
) -> Iterator[LogCursor]:
    """Store the events and the unreadable records of all batches.

    Events are held up to a number and a size, so that large ones need no more memory.

    Yields:
        Positions of files that are durable up to there.
    """
    events: list[AuditEvent] = []
    encoded = EncodedEvents()
    aside: list[QuarantinedRecord] = []
    positions: dict[str, FilePosition] = {}
    size = 0
    for batch in batches:
        _add_batch_counts(counts, batch)
        events += batch.events
        encoded.extend(batch.encoded)
        aside += batch.quarantined
        positions |= batch.positions
        size += _estimate_size(batch)
        is_full = len(events) + len(encoded) >= BATCH_SIZE or size >= _BATCH_BYTES
        if is_full:
            _append_events(store, events, counts, now)
            _append_events(store, encoded, counts, now)
            events, encoded, size = [], EncodedEvents(), 0
        if is_full or sum(len(each.raw) for each in aside) >= _QUARANTINE_BYTES:
            quarantine(aside)
            aside = []
        if is_full and positions:
            yield positions
            positions = {}
        progress(batch.done_bytes, batch.total_bytes, batch.place)
    _append_events(store, events, counts, now)
    _append_events(store, encoded, counts, now)
    quarantine(aside)
    if positions:
        yield positions


def _estimate_size(batch: EventBatch) -> int:
    """Estimate the size of the events of a batch in bytes: of what can be long."""
    return sum(map(len, batch.encoded.records)) + sum(
        len(each.resource) + sum(len(value) for _, value in each.facts)
        for each in batch.events
    )


def _quarantine_records(
    store: EvidenceStore,
    source: str,
    now: int,
    records: Sequence[QuarantinedRecord],
    *,
    is_incremental: bool,
) -> None:
    """Store unreadable records.

    A run that reads only new parts counts them first in the store, because the next run
    does not read them again, even if this one is killed now.
    """
    if not records:
        return
    if is_incremental:
        add_quarantined_records(
            store.layout,
            _name_location(source),
            now,
            sum(each.count for each in records),
            store.count_new_quarantined_records(records),
        )
    store.quarantine(records, now)


def _add_batch_counts(counts: _IngestCounts, batch: EventBatch) -> None:
    """Add the records, files and problems of a batch to the counts."""
    quarantined = sum(each.count for each in batch.quarantined)
    counts.read += len(batch.events) + len(batch.encoded) + quarantined
    counts.quarantined += quarantined
    counts.skipped += len(batch.skipped)
    counts.problems += batch.problems
    if batch.place and batch.place != counts.place:
        counts.place = batch.place
        counts.places += 1


def _append_events(
    store: EvidenceStore,
    events: Sequence[AuditEvent] | EncodedEvents,
    counts: _IngestCounts,
    now: int,
) -> None:
    """Append events to the store and add the results to the counts."""
    if not len(events):
        return
    appended = store.append(events, now)
    counts.stored += appended.stored
    counts.duplicate += appended.duplicate
    counts.conflict += appended.conflict


def _count_as_duplicates(counts: _IngestCounts, omitted: int) -> None:
    """Count events that another process stored at the same time, and sealed first."""
    counts.stored -= omitted
    counts.duplicate += omitted


def _count_omitted_events(store: EvidenceStore) -> int:
    """Count the events that were not sealed, because another journal has them."""
    return sum(each.duplicate for each in store.list_own_entries(JournalSealed))


def _build_unread_log(source: str, counts: _IngestCounts, now: int) -> UnreadLog:
    """Build the record of what was not read from the counts of a source."""
    kinds = Counter(str(problem.kind) for problem in counts.problems)
    return UnreadLog(_name_location(source), now, counts.quarantined, dict(kinds))


def _name_location(source: str) -> str:
    """Return a source with the absolute path of its files, if it has some."""
    name, _, location = source.partition(":")
    if location != "-" and os.path.exists(location):
        location = os.path.abspath(location)
    return f"{name}:{location}"


def _build_ingest_item(
    source: str, counts: _IngestCounts, segments: int, seconds: float
) -> IngestItem:
    """Build the document item of an ingested source from its counts."""
    return {
        "source": source,
        "read": counts.read,
        "stored": counts.stored,
        "duplicate": counts.duplicate,
        "conflict": counts.conflict,
        "quarantined": counts.quarantined,
        "skipped": counts.skipped,
        "files": counts.places,
        "segments": segments,
        "seconds": round(seconds, 3),
    }

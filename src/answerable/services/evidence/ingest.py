"""Ingestion of audit logs into sealed evidence (`ingest`)."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from answerable.connectors import registry
from answerable.model.connector import EventBatch, EventContext, no_progress
from answerable.model.documents.core import Document, IngestItem, SourceItem
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent, Quarantined
from answerable.model.sighting import Problem
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_lists import problem_line, spelled_time
from answerable.store.investigation_queries import first_and_last
from answerable.store.store import Store

# Events per durable batch: small files share one.
TOGETHER = 10_000
_ASIDE_BYTES = 8 << 20
_WEEK = 7 * 86_400 * 10**9

Progress = Callable[[int, int, str], None]


@dataclass(slots=True)
class _Counts:
    read: int = 0
    stored: int = 0
    duplicate: int = 0
    conflict: int = 0
    quarantined: int = 0
    skipped: int = 0
    places: int = 0
    place: str = ""
    problems: list[Problem] = field(default_factory=list)


def ingest(
    store: Store,
    sources: Sequence[str],
    *,
    now: int,
    progress: Progress = no_progress,
) -> Document:
    """Read audit logs, store new events, and seal them.

    Args:
        sources: `NAME:PATH`, e.g. `cloudtrail:logs/`.
        now: UTC nanoseconds.
        progress: Called with bytes read, total bytes, and place.

    Returns:
        An item per source; partial if something was unreadable or quarantined.

    Raises:
        UsageError: A source is unknown, or its path does not exist.
        EnvironmentRefused: The path cannot be read, or the disk cannot be written.
    """
    # All sources are opened first, so that a misspelled one stores nothing.
    opened = [(source, _open(source)) for source in sources]
    items: list[IngestItem] = []
    covered: list[SourceItem] = []
    partial = False
    for source, batches in opened:
        begun = perf_counter()
        counts = _Counts()
        with few_collections():
            _store(store, batches, counts, now, progress)
            segments = store.seal(now)
        items.append(_item(source, counts, segments, perf_counter() - begun))
        lines = [problem_line(problem) for problem in counts.problems]
        covered.append(
            {"source": source, "at": spelled_time(now), "age_s": 0, "problems": lines}
        )
        partial = partial or bool(counts.problems or counts.quarantined)
    seen = sorted({source.partition(":")[0] for source in sources})
    return Document(
        "ingest",
        items,
        {"partial": partial, "sources": covered, "seen": seen, "not_collected": []},
        next=_following(store, now),
    )


def _following(store: Store, now: int) -> str:
    """Suggest a `trace` command for the newest events; empty if there are none."""
    _, last = first_and_last(store)
    if not last:
        return ""
    since = "7d" if now - _WEEK < last <= now else spelled_time(last)
    return command("trace", "--since", since)


@contextmanager
def few_collections() -> Iterator[None]:
    """Reduce garbage collection while batches are read: it costs a tenth."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _open(source: str) -> Iterator[EventBatch]:
    name, _, location = source.partition(":")
    connector = registry.event_connector(name)
    if not location:
        raise UsageError(
            f"a path is missing (got {source!r}, expected {name}:PATH)",
            f"name a file, a folder, or - for standard input: {name}:-",
        )
    return connector.read(location, EventContext())


def _store(
    store: Store,
    batches: Iterator[EventBatch],
    counts: _Counts,
    now: int,
    progress: Progress,
) -> None:
    events: list[AuditEvent] = []
    aside: list[Quarantined] = []
    for batch in batches:
        _count(counts, batch)
        events += batch.events
        aside += batch.quarantined
        if len(events) >= TOGETHER:
            _append(store, events, counts, now)
            events = []
        if sum(len(each.raw) for each in aside) >= _ASIDE_BYTES:
            store.quarantine(aside, now)
            aside = []
        progress(batch.done_bytes, batch.total_bytes, batch.place)
    _append(store, events, counts, now)
    if aside:
        store.quarantine(aside, now)


def _count(counts: _Counts, batch: EventBatch) -> None:
    counts.read += len(batch.events) + len(batch.quarantined)
    counts.quarantined += len(batch.quarantined)
    counts.skipped += len(batch.skipped)
    counts.problems += batch.problems
    if batch.place and batch.place != counts.place:
        counts.place = batch.place
        counts.places += 1


def _append(
    store: Store, events: Sequence[AuditEvent], counts: _Counts, now: int
) -> None:
    appended = store.append(events, now)
    counts.stored += appended.stored
    counts.duplicate += appended.duplicate
    counts.conflict += appended.conflict


def _item(source: str, counts: _Counts, segments: int, seconds: float) -> IngestItem:
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

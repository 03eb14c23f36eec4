"""Find events that are already stored, by event id within a day, in bounded memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, compress, repeat
from operator import floordiv
from typing import TYPE_CHECKING, cast

from answerable.evidence.canonical_event import decode_event
from answerable.evidence.log_entries import (
    JournalSealed,
    SegmentManifest,
    list_live_segments,
)
from answerable.model.encoded_event import EncodedEvent, EncodedEvents
from answerable.model.errors import EnvironmentFailure
from answerable.model.event import AuditEvent
from answerable.model.time_units import DAY_NS
from answerable.store import journal_files
from answerable.store.store_layout import StoreLayout, format_day
from answerable.store.transparency_log import TransparencyLog

if TYPE_CHECKING:  # imported where segments are read
    from answerable.store.duckdb_engine import DuckDbEngine
    from answerable.store.journal_files import JournalWriter

# Only the id, time and raw digest of an event are read.
StoredEvent = AuditEvent | EncodedEvent
_Selection = Callable[[SegmentManifest], bool]
StoredEvents = Sequence[StoredEvent] | EncodedEvents
# About 130 bytes each.
MAX_IDS = 2_000_000
# A larger day is not cached: its segments are queried for each batch. They are sorted by
# time, so a batch concerns few of them.
MAX_IDS_PER_DAY = 500_000
_NS_PER_MS = 1_000_000  # nanoseconds: what an id keeps of its time


class _JournalTail:
    """Ids and raw digests of the records of a journal; few are ever looked up."""

    def __init__(self) -> None:
        self._batches: list[tuple[Sequence[bytes], Sequence[bytes]]] = []
        self._found: dict[bytes, list[bytes]] = {}
        self._indexed = 0

    def add(self, ids: Sequence[bytes], digests: Sequence[bytes]) -> None:
        """Add records."""
        self._batches.append((ids, digests))

    def list_ids(self) -> Iterator[bytes]:
        """List the ids of all records."""
        return chain.from_iterable(ids for ids, _ in self._batches)

    def list_digests(self, event_id: bytes) -> list[bytes]:
        """List the digests of an id: none, one, or several for a conflict."""
        for ids, digests in self._batches[self._indexed :]:
            for number, digest in zip(ids, digests, strict=True):
                self._found.setdefault(number, []).append(digest)
        self._indexed = len(self._batches)
        return self._found.get(event_id, [])


class KnownEventIds:
    """Cache of stored ids by day; evicts the least recently used days.

    Days with too many events are never cached.

    A known id is then looked up with its digest: the same record is a duplicate,
    another record under the same id is a conflict.
    """

    def __init__(self, layout: StoreLayout, log: TransparencyLog) -> None:
        self._layout, self._log = layout, log
        self._days: dict[int, set[bytes]] = {}
        self._segments: set[str] = set()
        self._rows: Counter[str] = Counter()  # sealed ones of a day
        self._tails: dict[str, _JournalTail] = {}
        self._own: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._note: bytes | None = None
        self._engine: DuckDbEngine | None = None
        self._interrupted = ""  # journal of an append that a signal interrupted

    def close(self) -> None:
        """Close the database connection for known event ids."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def split_new_events(
        self, events: StoredEvents
    ) -> tuple[StoredEvents, int, list[StoredEvent]]:
        """Split events into new ones, duplicates and conflicts with stored ones.

        Args:
            events: A batch.

        Returns:
            New events (including conflicts), the number of duplicates, and the
            conflicts. Nothing is cached before `append_new_events`.
        """
        self._load_newly_sealed_ids()
        ids, times, _ = _list_identifying_fields(events)
        wanted = _find_days(times)
        self._load_ids_of_days(wanted)
        unique = set(ids)
        sealed = self._find_ids_in_large_days(ids, times)
        known = [sealed, *(self._days[day] for day in wanted)]
        if len(unique) == len(ids) and all(each.isdisjoint(unique) for each in known):
            return events, 0, []
        fresh: list[StoredEvent] = []
        suspects: list[StoredEvent] = []
        batch: dict[bytes, list[bytes]] = {}
        for event in events:
            number = event.event_id
            day = event.event_time // DAY_NS
            if number in batch or number in sealed or number in self._days[day]:
                suspects.append(event)
            else:
                batch[number] = [event.raw_sha256]
                fresh.append(event)
        if not suspects:
            return fresh, 0, []
        stored = self._find_stored_digests(suspects)
        duplicate, conflicts = 0, []
        for event in suspects:
            seen = batch.setdefault(event.event_id, [])
            if event.raw_sha256 in seen or (event.event_id, event.raw_sha256) in stored:
                duplicate += 1
                continue
            seen.append(event.raw_sha256)
            fresh.append(event)
            conflicts.append(event)
        return fresh, duplicate, conflicts

    def append_new_events(
        self, writer: "JournalWriter", events: StoredEvents, encoded: EncodedEvents
    ) -> None:
        """Append new events to the journal of this process, and cache them.

        Raises:
            EnvironmentFailure: The disk failed; the journal is unchanged.
        """
        self._interrupted = writer.name  # until they are cached
        try:
            writer.append(encoded)
        except EnvironmentFailure:
            self._interrupted = ""
            raise
        self._remember(events, writer.name)
        self._interrupted = ""

    def recover_from_interruption(self, writer: "JournalWriter | None") -> None:
        """Read again what the journal of an interrupted append has.

        Args:
            writer: Open journal of this process.
        """
        name = self._interrupted
        if not name:
            return
        if writer is not None and writer.name == name:
            writer.truncate_unacknowledged_bytes()
        self._own.discard(name)
        self._tails.pop(name, None)
        self._days.clear()
        self._interrupted = ""

    def _remember(self, events: StoredEvents, journal: str) -> None:
        """Cache events that are now in this process's journal."""
        self._own.add(journal)
        ids, times, digests = _list_identifying_fields(events)
        self._tails.setdefault(journal, _JournalTail()).add(ids, digests)
        if len(days := _find_days(times)) == 1:
            self._days[days.pop()].update(ids)
            return
        for day, number in zip(_list_days(times), ids, strict=True):
            self._days[day].add(number)

    def _load_newly_sealed_ids(self) -> None:
        """Load ids that other processes sealed, and forget sealed journals."""
        note = self._log.checkpoint()
        if note == self._note:
            return
        entries = self._log.entries()
        live = list_live_segments(entries)
        self._rows = Counter()
        for entry in live:
            self._rows[entry.day] += entry.count
            if entry.segment not in self._segments:
                self._segments.add(entry.segment)
                if self._note is not None and entry.journal not in self._own:
                    self._days.pop(_get_segment_day(entry), None)
        sealed = {each.journal for each in entries if isinstance(each, JournalSealed)}
        if sealed & self._tails.keys():
            self._tails = {
                name: tail for name, tail in self._tails.items() if name not in sealed
            }
            for day in [day for day in self._days if self._is_day_too_large(day)]:
                del self._days[day]  # its segments know by now
        self._note = note

    def _load_ids_of_days(self, days: set[int]) -> None:
        """Load the ids of some days, and evict other days if too many are cached."""
        for day in days & set(self._days):
            self._days[day] = self._days.pop(day)
        held = sum(map(len, self._days.values()))
        for day in [day for day in self._days if day not in days]:
            if held < MAX_IDS:
                break
            held -= len(self._days.pop(day))
        missing = days - set(self._days)
        if not missing:
            return
        for name in self._layout.list_journals():
            self._load_journal_ids(name)
        for day in missing:
            ids: set[bytes] = set()
            if not self._is_day_too_large(day):
                found = self._query_segments("event_id", "", self._select_day(day))
                ids.update(cast("bytes", row[0]) for row in found)
            for tail in self._tails.values():
                ids.update(tail.list_ids())
            self._days[day] = ids

    def _is_day_too_large(self, day: int) -> bool:
        """Return whether a day has too many events to cache."""
        return self._rows.get(format_day(day), 0) > MAX_IDS_PER_DAY

    def _find_ids_in_large_days(
        self, event_ids: Sequence[bytes], times: Sequence[int]
    ) -> set[bytes]:
        """Query the segments of large days for these ids of these times."""
        large = {day for day in self._days if self._is_day_too_large(day)}
        if not large:
            return set()
        is_asked = [day in large for day in _list_days(times)]
        asked = list(compress(times, is_asked))
        if not asked:
            return set()
        is_between = self._select_between(min(asked), max(asked))
        if not self._list_segment_files(is_between):
            return set()
        from arro3.core import Array, DataType, Table

        ids = Array(list(compress(event_ids, is_asked)), DataType.binary())
        engine = self._open_engine()
        engine.register_arrow("asked", Table.from_pydict({"event_id": ids}))
        found = self._query_segments(
            "event_id", "SEMI JOIN asked USING (event_id)", is_between
        )
        engine.connection.unregister("asked")
        return {cast("bytes", row[0]) for row in found}

    def _load_journal_ids(self, name: str) -> None:
        """Load the ids of another process's journal, if it has grown."""
        if name in self._own:
            return
        try:
            size = self._layout.journal_file(name).stat().st_size
            if size == self._sizes.get(name) and name in self._tails:
                return
            records = journal_files.read_acknowledged_records(self._layout, name)
        except FileNotFoundError:
            return
        self._sizes[name] = size
        events = list(map(decode_event, records))
        tail = self._tails[name] = _JournalTail()
        tail.add([e.event_id for e in events], [e.raw_sha256 for e in events])

    def _select_day(self, day: int) -> _Selection:
        """Select the segments of a day."""
        name = format_day(day)
        return lambda entry: entry.day == name

    def _select_between(self, first: int, last: int) -> _Selection:
        """Select the segments that may contain ids of these times."""
        first, last = first // _NS_PER_MS, last // _NS_PER_MS
        return lambda entry: (
            int(entry.min_time) // _NS_PER_MS <= last
            and first <= int(entry.max_time) // _NS_PER_MS
        )

    def _query_segments(
        self, columns: str, join: str, selection: _Selection
    ) -> list[tuple[object, ...]]:
        """Query selected segments; again if another process has replaced their files.

        Raises:
            EnvironmentFailure: A file cannot be read.
        """
        while True:
            note = self._log.checkpoint()
            files = self._list_segment_files(selection)
            query = f"SELECT {columns} FROM read_parquet([{files}]) {join}"  # noqa: S608 - our own names
            try:
                return self._run_query(query) if files else []
            except EnvironmentFailure:
                if self._log.checkpoint() == note:
                    raise

    def _list_segment_files(self, selection: _Selection) -> str:
        """List the files of selected segments, quoted for SQL."""
        from answerable.store.duckdb_engine import quote_text

        note, has_file = b"", self._layout.has_segment_file
        live: list[SegmentManifest] = []
        found = None
        # Compaction deletes files after it has logged the one that replaces them.
        while found is None or (
            len(found) < len(live) and note != self._log.checkpoint()
        ):
            note = self._log.checkpoint()
            live = list(filter(selection, list_live_segments(self._log.entries())))
            found = [each for each in live if has_file(each.day, each.segment)]
        self._layout.require_segments(found)
        return ", ".join(
            quote_text(
                str(self._layout.segment_file(e.day, e.segment, ".parquet").absolute())
            )
            for e in found
        )

    def _find_stored_digests(
        self, candidates: Sequence[StoredEvent]
    ) -> set[tuple[bytes, bytes]]:
        """Find the stored (event id, raw digest) pairs of some events."""
        from arro3.core import Array, DataType, Table

        pairs: set[tuple[bytes, bytes]] = {
            (event.event_id, raw)
            for event in candidates
            for tail in self._tails.values()
            for raw in tail.list_digests(event.event_id)
        }
        times = [event.event_time for event in candidates]
        is_between = self._select_between(min(times), max(times))
        if not self._list_segment_files(is_between):
            return pairs
        ids = Array([event.event_id for event in candidates], DataType.binary())
        engine = self._open_engine()
        engine.register_arrow("suspects", Table.from_pydict({"event_id": ids}))
        found = self._query_segments(
            "event_id, raw_sha256", "SEMI JOIN suspects USING (event_id)", is_between
        )
        engine.connection.unregister("suspects")
        return pairs | {(cast("bytes", a), cast("bytes", b)) for a, b in found}

    def _open_engine(self) -> "DuckDbEngine":
        """Return the DuckDB engine, opened on first use."""
        from answerable.store.duckdb_engine import DuckDbEngine

        if self._engine is None:
            self._engine = DuckDbEngine(self._layout.segments)
        return self._engine

    def _run_query(self, query: str) -> list[tuple[object, ...]]:
        """Run an SQL query over segments; a damaged one is an `EnvironmentFailure`."""
        import _duckdb as duckdb

        try:
            return self._open_engine().run(query)
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise EnvironmentFailure(
                f"a segment of the same days cannot be read: {said}",
                "set it aside or restore it: answerable store repair",
            ) from error


def _list_identifying_fields(
    events: StoredEvents,
) -> tuple[Sequence[bytes], Sequence[int], Sequence[bytes]]:
    """List the ids, times and raw digests of events."""
    if isinstance(events, EncodedEvents):
        return events.event_ids, events.event_times, events.digests
    return (
        [event.event_id for event in events],
        [event.event_time for event in events],
        [event.raw_sha256 for event in events],
    )


def _find_days(times: Sequence[int]) -> set[int]:
    """Find the days since 1970 of some times."""
    first, last = min(times) // DAY_NS, max(times) // DAY_NS
    return {first} if first == last else set(_list_days(times))


def _list_days(times: Sequence[int]) -> list[int]:
    """List the days since 1970 of some times."""
    return list(map(floordiv, times, repeat(DAY_NS)))


def _get_segment_day(manifest: SegmentManifest) -> int:
    """Return a segment's day as the number of days since 1970."""
    return int(manifest.min_time) // DAY_NS

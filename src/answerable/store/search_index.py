"""Index the newest events in memory, for a process that answers many queries.

The search columns of the newest sealed events are loaded once and shared by all
threads. Segments never change, so each is read once. Complete events are read from
their segments; recently read ones are cached.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from answerable.evidence.log_entries import SegmentManifest
from answerable.model.event import AuditEvent
from answerable.store.duckdb_engine import KEPT_DATABASE, DuckDbEngine
from answerable.store.event_columns import (
    NAMES,
    ROW_NUMBER_SQL,
    TYPES,
    build_fact_sql,
    decode_event_row,
)
from answerable.store.event_sources import EventSources, build_segment_rows_sql
from answerable.store.store_layout import StoreLayout

# About 35 bytes each; what is older is searched in its files.
MAX_EVENTS = 6_000_000
_SEGMENTS_PER_BATCH = 8  # segments loaded between two compactions
_MAX_WHOLE_EVENTS = 8_000  # cached complete events, about 3 KB each
_INDEX_MEMORY_LIMIT = "1GB"
_BLANK = "''"
_INDEXED_COLUMNS = (
    "event_id",
    "event_time",
    "source",
    "written_by",
    "action",
    "outcome",
    "identity",
    "session",
    "credential",
    "person",
    "run",
    "agent",
    "tool",
    "resource",
    "resource_prefix",
    "resources",
    "issued_to",
    "created",
    "deleted",
    "decision_id",
    "scope",
)
# Of facts those of decisions and refused exchanges alone, what a call is authorised as,
# and two more.
INDEXED_COLUMNS_SQL = (
    f"{', '.join(_INDEXED_COLUMNS)}, if(decision_id <> '' OR (source = 'sts' "
    f"AND outcome = 'denied'), facts, []) AS facts, "
    f"{build_fact_sql('authorised_by', 'action')} AS called, "
    f"{build_fact_sql('category', _BLANK)} AS category, {build_fact_sql('region', _BLANK)} AS region"
)
_INDEX_SCHEMA = ", ".join(
    [
        *(f"{name} {TYPES[name]}" for name in (*_INDEXED_COLUMNS, "facts")),
        "called VARCHAR",
        "category VARCHAR",
        "region VARCHAR",
        "segment INTEGER",
        "row BIGINT",
    ]
)
NOT_INDEXED, TAIL = -1, -2
PLACE_COLUMNS = "event_time, event_id, segment, row"

# Time, id, segment and row of an event; a negative segment is none that is held.
EventPlace = tuple[int, bytes, int, int]


class SearchIndex:
    """Search index shared by the threads of a process with the same store folder.

    Args:
        max_events: Maximum number of rows.
    """

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self._most = max_events
        self._lock = threading.Lock()
        self._engine: DuckDbEngine | None = None
        self._held: dict[str, int] = {}  # segments by name
        self._files: list[str] = []  # of all that ever were, by number
        self._whole: OrderedDict[tuple[int, int], AuditEvent] = OrderedDict()
        self._keeping = threading.Lock()
        self._state: object = None

    def close(self) -> None:
        """Close the index and free its memory."""
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = None

    def open_engine(
        self,
        layout: StoreLayout,
        state: object,
        read_sources: Callable[[], EventSources],
    ) -> DuckDbEngine:
        """Open an engine on the index for the calling thread, with current views.

        Args:
            layout: Layout of the store.
            state: Current state of the store.
            read_sources: Reads the event sources of that state.
        """
        with self._lock:
            if self._engine is None:
                self._engine = DuckDbEngine(
                    layout.segments, _INDEX_MEMORY_LIMIT, with_kept_database=True
                )
            self._refresh_views(self._engine, state, read_sources)
            mine = self._engine.open_cursor()
        for view in ("events", "skimmed"):
            mine.run(f"CREATE TEMP VIEW {view} AS SELECT * FROM {KEPT_DATABASE}.{view}")  # noqa: S608 - our own names
        return mine

    def refresh(self, state: object, read_sources: Callable[[], EventSources]) -> None:
        """Load new segments and journal records, if the store has changed."""
        with self._lock:
            if self._engine is not None:
                self._refresh_views(self._engine, state, read_sources)

    def _refresh_views(
        self,
        engine: DuckDbEngine,
        state: object,
        read_sources: Callable[[], EventSources],
    ) -> None:
        """Update the index in one transaction, if the store has changed."""
        if state == self._state:
            return
        self._state, parts = None, read_sources()
        wanted = self._select_newest_segments(parts.segments)
        if not self._held.keys() <= {each.segment for each in parts.segments}:
            self._held = {}  # of another log
        if not self._held:
            self._build_index(engine, parts, wanted)
        before = len(self._files)
        engine.run("BEGIN")
        try:
            self._update_index(engine, parts, wanted)
            engine.run("COMMIT")
        except BaseException:
            engine.run("ROLLBACK")
            self._held = {}  # start again
            raise
        if len(self._files) > before:
            engine.compact()
        self._state = state

    def _build_index(
        self,
        engine: DuckDbEngine,
        sources: EventSources,
        segments: Sequence[SegmentManifest],
    ) -> None:
        """Build the index from the newest segments, before other threads use it."""
        engine.run(f"CREATE OR REPLACE TABLE {KEPT_DATABASE}.held ({_INDEX_SCHEMA})")
        for number, each in enumerate(reversed(segments), 1):
            self._load_segment(engine, each.segment, sources.segment_path(each))
            if number % _SEGMENTS_PER_BATCH == 0 or number == len(segments):
                engine.compact()

    def _update_index(
        self,
        engine: DuckDbEngine,
        sources: EventSources,
        segments: Sequence[SegmentManifest],
    ) -> None:
        """Load new segments, drop old ones, and recreate the views."""
        for segment in self._held.keys() - {each.segment for each in segments}:
            number = self._held.pop(segment)
            engine.run(f"DELETE FROM {KEPT_DATABASE}.held WHERE segment = {number}")  # noqa: S608 - a number
        for each in reversed(segments):
            if each.segment not in self._held:
                self._load_segment(engine, each.segment, sources.segment_path(each))
        sources.load_unsealed_records_into(engine, f"{KEPT_DATABASE}.tail")
        events = sources.build_events_sql(f"{KEPT_DATABASE}.tail")
        engine.run(f"CREATE OR REPLACE VIEW {KEPT_DATABASE}.events AS {events}")
        skimmed = " UNION ALL ".join(self._build_view_queries(sources))
        engine.run(f"CREATE OR REPLACE VIEW {KEPT_DATABASE}.skimmed AS {skimmed}")

    def _select_newest_segments(
        self, segments: Sequence[SegmentManifest]
    ) -> list[SegmentManifest]:
        """Select the newest segments up to the maximum number of rows."""
        found, rows = list[SegmentManifest](), 0
        for each in segments:
            rows += each.count
            if rows > self._most:
                break
            found.append(each)
        return found

    def _load_segment(self, engine: DuckDbEngine, segment: str, file: str) -> None:
        """Load the search columns of a segment into the index."""
        # In the order of the file: who acts as one identity is found side by side.
        number = len(self._files)
        rows = build_segment_rows_sql([file], ", file_row_number=true")
        engine.run(
            f"INSERT INTO {KEPT_DATABASE}.held SELECT {INDEXED_COLUMNS_SQL}, {number}, {ROW_NUMBER_SQL} "  # noqa: S608 - our own names
            f"FROM {rows} e"
        )
        self._held[segment] = number
        self._files.append(file)

    def _build_view_queries(self, sources: EventSources) -> Iterator[str]:
        """Yield the queries of the view `skimmed`: index, journals, older segments."""
        yield f"SELECT * FROM {KEPT_DATABASE}.held"  # noqa: S608 - our own names
        if sources.journals:
            tail = f"{KEPT_DATABASE}.tail"
            yield f"SELECT {INDEXED_COLUMNS_SQL}, {TAIL} AS segment, n AS row FROM {tail} e"  # noqa: S608 - our own names
        older = [each for each in sources.segments if each.segment not in self._held]
        if older:
            files = build_segment_rows_sql(
                [sources.segment_path(each) for each in older]
            )
            yield f"SELECT {INDEXED_COLUMNS_SQL}, {NOT_INDEXED} AS segment, 0 AS row FROM {files} e"  # noqa: S608 - our own names

    def read_events_at(
        self, engine: DuckDbEngine, places: Sequence[EventPlace]
    ) -> dict[EventPlace, AuditEvent]:
        """Read complete events of indexed rows; rows that are not indexed are omitted.

        Args:
            engine: Engine of the calling thread.
            places: Places from the view `skimmed`.
        """
        found: dict[EventPlace, AuditEvent] = {}
        rows: dict[int, list[EventPlace]] = defaultdict(list)
        for place in places:
            _, key, segment, row = place
            event = self._whole.get((segment, row))
            if event is not None and event.event_id == key:
                found[place] = event
            elif segment != NOT_INDEXED:
                rows[segment].append(place)
        if rows:
            found |= self._read_events_by_row(engine, rows)
        return found

    def _read_events_by_row(
        self, engine: DuckDbEngine, rows: Mapping[int, Sequence[EventPlace]]
    ) -> dict[EventPlace, AuditEvent]:
        """Read complete events by segment and row."""
        parts = []
        for segment, places in rows.items():
            table, number = f"{KEPT_DATABASE}.tail", "n"
            if segment != TAIL:
                files = [self._files[segment]]
                table, number = (
                    build_segment_rows_sql(files, ", file_row_number=true"),
                    ROW_NUMBER_SQL,
                )
            listed = ", ".join(str(row) for _, _, _, row in places)
            parts.append(
                f"SELECT {segment}, {number}, {NAMES} FROM {table} "  # noqa: S608 - our own names
                f"WHERE {number} IN ({listed})"
            )
        found: dict[EventPlace, AuditEvent] = {}
        for values in engine.run(" UNION ALL ".join(parts)):
            segment, row = cast("tuple[int, int]", values[:2])
            event = decode_event_row(values[2:])
            found[event.event_time, event.event_id, segment, row] = event
            if segment != TAIL:
                self._cache_event((segment, row), event)
        # What stood in a tail may be sealed by now, and something else in its place.
        wanted = {place for each in rows.values() for place in each}
        return {place: event for place, event in found.items() if place in wanted}

    def _cache_event(self, position: tuple[int, int], event: AuditEvent) -> None:
        """Cache a complete event; the oldest cached one is evicted."""
        with self._keeping:
            self._whole[position] = event
            while len(self._whole) > _MAX_WHOLE_EVENTS:
                self._whole.popitem(last=False)

"""Run SQL over sealed segments and unsealed journal records."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from answerable.model.errors import EnvironmentFailure
from answerable.store.store_keys import LogKeys
from answerable.store.store_layout import DERIVED_TABLES, StoreLayout
from answerable.store.transparency_log import TransparencyLog

if TYPE_CHECKING:
    from answerable.evidence.log_entries import SegmentManifest
    from answerable.model.event import AuditEvent
    from answerable.store.damaged_segments import DamagedFiles
    from answerable.store.duckdb_engine import DuckDbEngine
    from answerable.store.event_engine import EventEngine
    from answerable.store.event_sources import EventSources
    from answerable.store.foreign_events import ForeignEvents
    from answerable.store.query_tables import NamedTable, ParquetTable
    from answerable.store.query_views import ViewDefinitions
    from answerable.store.search_index import EventPlace, SearchIndex
    from answerable.store.segment_catalogue import SegmentCatalogue
    from answerable.store.segment_scope import SearchWindow, SegmentScope
    from answerable.store.segment_statistics import SegmentStatistics

ResultT = TypeVar("ResultT")
_MAX_ATTEMPTS = 20  # of a query, while files are damaged or compacted
_MAX_TESTED_IDENTITIES = 1000  # named in one query


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Limits of user SQL; 0 for unlimited.

    Attributes:
        rows: Maximum number of rows.
        seconds: Maximum run time.
    """

    rows: int = 0
    seconds: float = 0.0


NO_QUERY_LIMITS = QueryLimits()


class EventQueries:
    """Trusted connection with current views `events` and `skimmed`.

    Args:
        layout: Layout of the store.
        log: Log of the store.
        keys: Keys of the store.
        index: In-memory search index shared by threads, None for none.
    """

    def __init__(
        self,
        layout: StoreLayout,
        log: TransparencyLog,
        keys: LogKeys,
        index: "SearchIndex | None" = None,
    ) -> None:
        self._layout, self._log, self._keys, self._index = layout, log, keys, index
        self._engine: DuckDbEngine | None = None
        self._state: object = None
        self._tail_state: object = None  # of the table of unsealed records
        self._damaged: DamagedFiles = {}
        self._catalogue: SegmentCatalogue | None = None
        self._sources: tuple[object, EventSources] | None = None
        self._foreign: ForeignEvents | None = None
        self.engine: EventEngine | None = None  # instead of DuckDB in this process

    def read_with(self, events: "ForeignEvents") -> None:
        """Read these events, too, with an engine that is opened again."""
        self._close_engine()
        self._foreign, self._sources = events, None

    def close(self) -> None:
        """Close the connection, and remove the foreign events."""
        self._close_engine()
        if self._foreign is not None:
            self._foreign.close()

    def _close_engine(self) -> None:
        """Close the connection."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def run_query(
        self,
        query: str,
        parameters: Sequence[object],
        tables: "Mapping[str, NamedTable | ParquetTable]",
        scope: "SegmentScope | None" = None,
    ) -> list[tuple[object, ...]]:
        """Run trusted SQL with extra temporary tables.

        Args:
            tables: Extra tables by name.
            scope: Segments that it has to read; None for all.
        """
        return self._retry_without_damaged_segments(
            lambda: self._run_query(query, parameters, tables, scope)
        )

    @property
    def has_index(self) -> bool:
        """Return whether an index or another engine answers, and no derived files."""
        return self._index is not None or self.engine is not None

    def get_current_sources(self) -> "EventSources":
        """Return the readable segments with their statistics, and unsealed records."""
        return self._retry_without_damaged_segments(self._get_current_sources)

    def call_with_sources(self, call: "Callable[[EventSources], ResultT]") -> ResultT:
        """Call a function with the sources; again without a segment it finds damaged."""
        return self._retry_without_damaged_segments(
            lambda: call(self._get_current_sources())
        )

    def list_newest_windows(self, scope: "SegmentScope") -> "list[SearchWindow]":
        """Split the time span of a scope into windows to search, the newest first."""
        from answerable.store.segment_scope import SearchWindow, list_newest_windows

        # An index has the newest events in memory; foreign events have no statistics.
        if self.has_index or self._foreign is not None:
            return [SearchWindow(scope.since, scope.until)]
        return list_newest_windows(self.get_current_sources(), scope)

    def _get_current_sources(
        self, scope: "SegmentScope | None" = None
    ) -> "EventSources":
        """Return the sources of the current state, read again if it has changed."""
        state = self._read_store_state()
        if self._sources is None or self._sources[0] != state:
            self._sources = state, self._read_event_sources()
        found = self._sources[1]
        return found if scope is None else found.select_segments(scope)

    def _run_query(
        self,
        query: str,
        parameters: Sequence[object],
        tables: "Mapping[str, NamedTable | ParquetTable]",
        scope: "SegmentScope | None",
    ) -> list[tuple[object, ...]]:
        """Run trusted SQL once."""
        from answerable.store.query_tables import open_temporary_tables

        if self.engine is not None:
            shown = self._get_current_sources(scope)
            return self.engine.run(shown, query, parameters, tables)
        engine = self._get_current_engine(scope)
        with open_temporary_tables(engine, tables):
            return engine.run(query, parameters)

    def run_user_select(
        self,
        text: str,
        definitions: "ViewDefinitions | None",
        limits: QueryLimits = NO_QUERY_LIMITS,
    ) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """Run a SELECT of the user on a separate, locked-down connection.

        Raises:
            UsageError: It is not exactly one SELECT, or the engine cannot run it.
        """
        from answerable.store.query_views import NO_VIEWS
        from answerable.store.user_select import UserSelect, translate_engine_errors

        select = UserSelect(text, definitions or NO_VIEWS, limits)
        segments, read = self._layout.segments, self._read_shown_sources
        with translate_engine_errors(limits):
            return self._retry_without_damaged_segments(
                lambda: select.run(segments, read)
            )

    def run_select_on(
        self,
        engine: "EventEngine",
        text: str,
        tables: "Mapping[str, NamedTable]",
        limits: QueryLimits,
    ) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """Run a SELECT of a user on another engine; see `EventEngine.run_select`."""
        return self._retry_without_damaged_segments(
            lambda: engine.run_select(self._read_shown_sources(), text, tables, limits)
        )

    def read_events_at(
        self, places: "Sequence[EventPlace]", identities: Collection[str] = ()
    ) -> "list[AuditEvent]":
        """Read complete events by place (time, id, segment, row), in that order.

        Args:
            places: The places.
            identities: All identities of these events; empty if they are not known.
        """
        return self._retry_without_damaged_segments(
            lambda: self._read_events_at(places, identities)
        )

    def find_unreadable_segments(self) -> "dict[str, tuple[SegmentManifest, str]]":
        """Find the live segments that queries leave out, with the reason, by name."""
        live = self._log.list_live(self._log.entries())
        if not self._damaged and all(
            self._layout.has_segment_file(each.day, each.segment) for each in live
        ):
            return {}
        from answerable.store.damaged_segments import find_unreadable_segments

        found = find_unreadable_segments(self._layout, live, self._damaged)
        return {e.segment: (e, found[e.segment]) for e in live if e.segment in found}

    def _retry_without_damaged_segments(self, call: "Callable[[], ResultT]") -> ResultT:
        """Run a query; if segment files are damaged, run it without these segments."""
        import _duckdb as duckdb

        known: object = None  # damaged files and the log: compaction deletes files
        for _ in range(_MAX_ATTEMPTS):
            if known == (state := (self._damaged, self._log.checkpoint())):
                break
            try:
                return call()
            except (duckdb.Error, EnvironmentFailure) as error:
                from answerable.store.damaged_segments import may_be_file_damage

                if not may_be_file_damage(error):
                    raise
            known = state
            self._set_aside_damaged_segments()
        return call()

    def _set_aside_damaged_segments(self) -> None:
        """Look for damaged segment files, and build the views again without them."""
        from answerable.store.damaged_segments import (
            discard_files,
            find_damaged_files,
        )

        known = self.find_unreadable_segments()
        entries = self._log.entries()
        live = [e for e in self._log.list_live(entries) if e.segment not in known]
        damaged = find_damaged_files(self._layout, live)
        if self._layout.remote is not None:  # they are read from there again
            damaged = discard_files(self._layout, live, damaged)
        self._damaged = {**self._damaged, **damaged}
        if self._index is None:
            self._close_engine()  # it keeps what it read of a file
        self._state = self._sources = None

    def _read_events_at(
        self, places: "Sequence[EventPlace]", identities: Collection[str]
    ) -> "list[AuditEvent]":
        """Read complete events by place once."""
        found: dict[EventPlace, AuditEvent] = {}
        if self._index is not None:
            engine = self._get_current_engine()
            found = self._index.read_events_at(engine, places)
        left = [place for place in places if place not in found]
        if not left:
            return [found[place] for place in places]
        by_id: dict[bytes, list[AuditEvent]] = {}
        for event in self._read_events_by_id(left, identities):
            by_id.setdefault(event.event_id, []).append(event)
        events: list[AuditEvent] = []
        for place in places:
            # Two records of one id and other bytes are both there.
            events += [found[place]] if place in found else by_id.pop(place[1], [])
        return events

    def _read_events_by_id(
        self, places: "Sequence[EventPlace]", identities: Collection[str]
    ) -> "list[AuditEvent]":
        """Read complete events by id and time."""
        from answerable.store.event_columns import (
            build_read_events_sql,
            decode_event_row,
        )

        named = identities if len(identities) <= _MAX_TESTED_IDENTITIES else ()
        query, parameters, tables, scope = build_read_events_sql(places, named)
        rows = self._run_query(query, parameters, tables, scope)
        return [decode_event_row(row) for row in rows]

    def _get_current_engine(
        self, scope: "SegmentScope | None" = None
    ) -> "DuckDbEngine":
        """Return the engine, with views of the current segments in a scope."""
        from answerable.store.event_columns import FILE_COLUMNS
        from answerable.store.event_sources import create_event_view
        from answerable.store.search_index import INDEXED_COLUMNS_SQL, NOT_INDEXED
        from answerable.store.segment_scope import NO_EVENTS

        state = self._read_store_state()
        if self._index is not None:
            return self._get_current_shared_engine(self._index, state)
        if self._engine is None:
            self._engine = self._open_engine()
            self._state = self._tail_state = None
        if scope is NO_EVENTS:
            return self._engine
        sources = self._get_current_sources(scope)
        shown = state, tuple(each.segment for each in sources.segments)
        if shown != self._state:
            has_tail = create_event_view(
                self._engine, sources, "events", has_tail=self._tail_state == state
            )
            self._tail_state = state if has_tail else None
            self._engine.run(
                f"CREATE OR REPLACE VIEW skimmed AS SELECT {INDEXED_COLUMNS_SQL}, "  # noqa: S608 - our own names
                f"{NOT_INDEXED} AS segment, 0 AS row, {FILE_COLUMNS} FROM events e"
            )
            self._state = shown
        return self._engine

    def _get_current_shared_engine(
        self, index: "SearchIndex", state: object
    ) -> "DuckDbEngine":
        """Return an engine on the shared search index, refreshed."""
        if self._engine is None:
            self._engine = index.open_engine(
                self._layout, state, self._read_event_sources
            )
        elif state != self._state:
            index.refresh(state, self._read_event_sources)
        self._state = state
        return self._engine

    def _read_event_sources(self) -> "EventSources":
        """Read the current segments with their statistics, and unsealed records."""
        from answerable.store.damaged_segments import select_local_segments
        from answerable.store.event_sources import EventSources

        found = EventSources.read(self._layout, self._log, self._damaged)
        if self._foreign is not None:
            found = replace(found, foreign=tuple(self._foreign.files))
        if not found.segments:
            return found
        here = select_local_segments(self._layout, found.segments)
        return replace(found, statistics=self._get_catalogue().get_statistics(here))

    def _read_shown_sources(self) -> "EventSources":
        """Read the sources of the views: foreign events since the named time only."""
        found = self._read_event_sources()
        if self._foreign is None:
            return found
        return found.without_foreign(self._foreign.earlier_files)

    def _get_catalogue(self) -> "SegmentCatalogue":
        """Return the catalogue of segments, opened on first use."""
        if self._catalogue is None:
            from answerable.store.segment_catalogue import SegmentCatalogue

            self._catalogue = SegmentCatalogue(self._layout, self._log, self._keys)
        return self._catalogue

    def add_to_catalogue(self, statistics: "Mapping[str, SegmentStatistics]") -> None:
        """Store the statistics of new segments; after an error, a query does it."""
        with suppress(EnvironmentFailure):
            self._get_catalogue().add(statistics)

    def refresh_catalogue(self, *, most_only: bool = True) -> None:
        """Store the statistics of all segments, without those of obsolete files."""
        import _duckdb as duckdb

        from answerable.store.damaged_segments import select_local_segments

        with suppress(duckdb.Error, EnvironmentFailure):
            live = self._get_current_sources().segments
            here = select_local_segments(self._layout, live)
            self._get_catalogue().drop_obsolete(here, most_only=most_only)

    def _open_engine(self) -> "DuckDbEngine":
        """Open an engine over the segments and the foreign events."""
        from answerable.store.duckdb_engine import DuckDbEngine

        roots, files = [self._layout.root], list[Path]()
        if self._foreign is not None:
            roots.append(self._foreign.folder)
            files += map(Path, self._foreign.files)
        folders = [root / "derived" / name for root in roots for name in DERIVED_TABLES]
        return DuckDbEngine(self._layout.segments, files=files, folders=folders)

    def _read_store_state(self) -> object:
        """Return what changes with each write, or with each file found damaged."""
        from answerable.store.event_sources import read_store_state

        return read_store_state(self._layout, self._log), (*self._damaged.items(),)

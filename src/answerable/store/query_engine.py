"""Run SQL over sealed segments and unsealed journal records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.event import AuditEvent
from answerable.store import journal_files
from answerable.store.store_layout import StoreLayout
from answerable.store.transparency_log import TransparencyLog

if TYPE_CHECKING:
    from answerable.evidence.log_entries import SegmentManifest
    from answerable.store.damaged_segments import DamagedFiles
    from answerable.store.duckdb_engine import DuckDbEngine
    from answerable.store.event_sources import EventSources
    from answerable.store.query_tables import NamedTable
    from answerable.store.query_views import ViewDefinitions
    from answerable.store.search_index import EventPlace, SearchIndex

ResultT = TypeVar("ResultT")


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
        index: In-memory search index shared by threads, None for none.
    """

    def __init__(
        self,
        layout: StoreLayout,
        log: TransparencyLog,
        index: "SearchIndex | None" = None,
    ) -> None:
        self._layout, self._log, self._index = layout, log, index
        self._engine: DuckDbEngine | None = None
        self._state: object = None
        self._damaged: DamagedFiles = {}

    def close(self) -> None:
        """Close the connection."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def run_query(
        self,
        query: str,
        parameters: Sequence[object],
        tables: "Mapping[str, NamedTable]",
    ) -> list[tuple[object, ...]]:
        """Run trusted SQL with extra temporary tables."""
        return self._retry_without_damaged_segments(
            lambda: self._run_query(query, parameters, tables)
        )

    def _run_query(
        self,
        query: str,
        parameters: Sequence[object],
        tables: "Mapping[str, NamedTable]",
    ) -> list[tuple[object, ...]]:
        """Run trusted SQL once."""
        from answerable.store.query_tables import quote_name, register_table

        engine = self._get_current_engine()
        for name, table in tables.items():
            register_table(engine, name, table, temporary=True)
        try:
            return engine.run(query, parameters)
        finally:
            for name in tables:
                engine.run(f"DROP TABLE IF EXISTS {quote_name(name)}")

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
        import duckdb

        from answerable.store.query_views import NO_VIEWS
        from answerable.store.user_select import UserSelect

        select = UserSelect(text, definitions or NO_VIEWS, limits)
        segments, read = self._layout.segments, self._read_event_sources
        try:
            return self._retry_without_damaged_segments(
                lambda: select.run(segments, read)
            )
        except duckdb.InterruptException:
            raise UsageError(
                f"sql: the query took longer than {limits.seconds:g} seconds",
                "narrow the query, e.g. to one day: WHERE event_time >= ...",
            ) from None
        except duckdb.Error as error:
            raise UsageError(
                f"sql: {str(error).splitlines()[0]}",
                "the views and their columns: SELECT * FROM information_schema.columns",
            ) from error

    def read_events_at(self, places: "Sequence[EventPlace]") -> list[AuditEvent]:
        """Read complete events by place (time, id, segment, row), in that order."""
        return self._retry_without_damaged_segments(
            lambda: self._read_events_at(places)
        )

    def find_unreadable_segments(self) -> "dict[str, tuple[SegmentManifest, str]]":
        """Find the live segments that queries leave out, with the reason, by name."""
        from answerable.evidence.log_entries import list_live_segments

        live = list_live_segments(self._log.entries())
        if not self._damaged and all(
            self._layout.has_segment_file(each.day, each.segment) for each in live
        ):
            return {}
        from answerable.store.damaged_segments import find_unreadable_segments

        found = find_unreadable_segments(self._layout, live, self._damaged)
        return {e.segment: (e, found[e.segment]) for e in live if e.segment in found}

    def _retry_without_damaged_segments(self, call: "Callable[[], ResultT]") -> ResultT:
        """Run a query; if a segment file is damaged, run it without that segment."""
        import duckdb

        try:
            return call()
        except (duckdb.Error, EnvironmentFailure) as error:
            if not _may_be_file_damage(error):
                raise
        self._set_aside_damaged_segments()
        return call()

    def _set_aside_damaged_segments(self) -> None:
        """Look for damaged segment files, and build the views again without them."""
        from answerable.evidence.log_entries import list_live_segments
        from answerable.store.damaged_segments import find_damaged_files

        live = list_live_segments(self._log.entries())
        self._damaged = {**self._damaged, **find_damaged_files(self._layout, live)}
        if self._index is None:
            self.close()  # the engine keeps what it read of a file
        self._state = None

    def _read_events_at(self, places: "Sequence[EventPlace]") -> list[AuditEvent]:
        """Read complete events by place once."""
        engine = self._get_current_engine()
        found = (
            {} if self._index is None else self._index.read_events_at(engine, places)
        )
        left = [place for place in places if place not in found]
        if not left:
            return [found[place] for place in places]
        by_id: dict[bytes, list[AuditEvent]] = {}
        for event in self._read_events_by_id(engine, left):
            by_id.setdefault(event.event_id, []).append(event)
        events = list[AuditEvent]()
        for place in places:
            # Two records of one id and other bytes are both there.
            events += [found[place]] if place in found else by_id.pop(place[1], [])
        return events

    def _read_events_by_id(
        self, engine: "DuckDbEngine", places: "Sequence[EventPlace]"
    ) -> list[AuditEvent]:
        """Read complete events by id and time."""
        from answerable.store.event_columns import NAMES, decode_event_row

        ids = list(dict.fromkeys(key for _, key, _, _ in places))
        times = [at for at, _, _, _ in places]
        query = (
            f"SELECT {NAMES} FROM events WHERE event_time >= ? AND event_time <= ? "  # noqa: S608 - our own names
            f"AND event_id IN ({', '.join('?' * len(ids))}) ORDER BY raw_sha256"
        )
        rows = engine.run(query, [min(times), max(times), *ids])
        return [decode_event_row(row) for row in rows]

    def _get_current_engine(self) -> "DuckDbEngine":
        """Return the engine, with its views refreshed if the store has changed."""
        from answerable.store.duckdb_engine import DuckDbEngine
        from answerable.store.event_sources import create_event_view
        from answerable.store.search_index import INDEXED_COLUMNS_SQL, NOT_INDEXED

        state = self._read_store_state()
        if self._index is not None:
            return self._get_current_shared_engine(self._index, state)
        if self._engine is None:
            self._engine = DuckDbEngine(self._layout.segments)
            self._state = None
        if state != self._state:
            create_event_view(self._engine, self._read_event_sources(), "events")
            self._engine.run(
                f"CREATE OR REPLACE VIEW skimmed AS SELECT {INDEXED_COLUMNS_SQL}, "  # noqa: S608 - our own names
                f"{NOT_INDEXED} AS segment, 0 AS row FROM events e"
            )
            self._state = state
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
        """Read the current segments and unsealed records."""
        from answerable.store.event_sources import EventSources

        return EventSources.read(self._layout, self._log, self._damaged)

    def _read_store_state(self) -> object:
        """Return the checkpoint and journal sizes, which change with each write."""
        tails = []
        for name in journal_files.list_journals(self._layout):
            try:
                tails.append((name, self._layout.journal_file(name).stat().st_size))
            except FileNotFoundError:
                continue
        return self._log.checkpoint(), tails, tuple(self._damaged.items())


def _may_be_file_damage(error: Exception) -> bool:
    """Return whether an error of the engine may come from a damaged file."""
    import duckdb

    cause = error.__cause__ if isinstance(error, EnvironmentFailure) else error
    kinds = (duckdb.IOException, duckdb.InvalidInputException, duckdb.InternalException)
    return type(cause) is duckdb.Error or isinstance(cause, kinds)

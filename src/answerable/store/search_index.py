"""In-memory search index over events, for a process that answers many queries.

The search columns of the newest sealed events are loaded once and shared by all
threads. Segments never change, so each is read once. Complete events are read from
their segments; recently read ones are cached.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

from answerable.evidence.log_entries import Manifest
from answerable.model.event import AuditEvent
from answerable.store.duckdb_engine import KEPT, Engine
from answerable.store.event_columns import NAMES, TYPES, fact, to_event
from answerable.store.event_sources import Parts, read_files
from answerable.store.store_layout import Layout

# About 35 bytes each; what is older is searched in its files.
MOST = 6_000_000
_AT_ONCE = 8  # segments loaded between two compactions
_WHOLE = 8_000  # cached complete events, about 3 KB each
_MEMORY = "1GB"
_BLANK = "''"
_LOOKED_IN = (
    *("event_id", "event_time", "source", "written_by", "action", "outcome"),
    *("identity", "session", "credential", "person", "run", "agent", "tool"),
    *("resource", "resource_prefix", "resources", "issued_to", "created", "deleted"),
    *("decision_id", "scope"),
)
# Of facts those of decisions alone, what a call is authorised as, and two more.
SKIMMED = (
    f"{', '.join(_LOOKED_IN)}, if(decision_id <> '', facts, []) AS facts, "
    f"{fact('authorised_by', 'action')} AS called, "
    f"{fact('category', _BLANK)} AS category, {fact('region', _BLANK)} AS region"
)
_SHAPE = ", ".join(
    [
        *(f"{name} {TYPES[name]}" for name in (*_LOOKED_IN, "facts")),
        *("called VARCHAR", "category VARCHAR", "region VARCHAR"),
        *("segment INTEGER", "row BIGINT"),
    ]
)
UNHELD, TAIL = -1, -2
PLACE = "event_time, event_id, segment, row"
ROW = "file_row_number"  # as the engine calls it

# Time, id, segment and row of an event; a negative segment is none that is held.
Place = tuple[int, bytes, int, int]


class Skim:
    """Search index shared by the threads of a process with the same store folder.

    Args:
        most: Maximum number of rows.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._engine: Engine | None = None
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

    def engine(
        self, layout: Layout, state: object, read: Callable[[], Parts]
    ) -> Engine:
        """Open an engine for the calling thread, with current views.

        Args:
            layout: Layout of the store.
            state: Current state of the store.
            read: Reads the event sources of that state.
        """
        with self._lock:
            if self._engine is None:
                self._engine = Engine(layout.segments, _MEMORY, keeps=True)
            self._refresh(self._engine, state, read)
            mine = self._engine.beside()
        for view in ("events", "skimmed"):
            mine.run(f"CREATE TEMP VIEW {view} AS SELECT * FROM {KEPT}.{view}")  # noqa: S608 - our own names
        return mine

    def refresh(self, state: object, read: Callable[[], Parts]) -> None:
        """Refresh the views to the current state."""
        with self._lock:
            if self._engine is not None:
                self._refresh(self._engine, state, read)

    def _refresh(
        self, engine: Engine, state: object, read: Callable[[], Parts]
    ) -> None:
        if state == self._state:
            return
        self._state, parts = None, read()
        wanted = self._newest(parts.segments)
        if not self._held.keys() <= {each.segment for each in parts.segments}:
            self._held = {}  # of another log
        if not self._held:
            self._begin(engine, parts, wanted)
        before = len(self._files)
        engine.run("BEGIN")
        try:
            self._take_in(engine, parts, wanted)
            engine.run("COMMIT")
        except BaseException:
            engine.run("ROLLBACK")
            self._held = {}  # begin anew
            raise
        if len(self._files) > before:
            engine.pack()
        self._state = state

    def _begin(self, engine: Engine, parts: Parts, wanted: Sequence[Manifest]) -> None:
        """Build the index, a few segments at a time, before it is shared."""
        engine.run(f"CREATE OR REPLACE TABLE {KEPT}.held ({_SHAPE})")
        for number, each in enumerate(reversed(wanted), 1):
            self._hold(engine, each.segment, parts.file(each))
            if number % _AT_ONCE == 0 or number == len(wanted):
                engine.pack()

    def _take_in(
        self, engine: Engine, parts: Parts, wanted: Sequence[Manifest]
    ) -> None:
        for segment in self._held.keys() - {each.segment for each in wanted}:
            number = self._held.pop(segment)
            engine.run(f"DELETE FROM {KEPT}.held WHERE segment = {number}")  # noqa: S608 - a number
        for each in reversed(wanted):
            if each.segment not in self._held:
                self._hold(engine, each.segment, parts.file(each))
        parts.load(engine, f"{KEPT}.tail")
        events = parts.events(f"{KEPT}.tail")
        engine.run(f"CREATE OR REPLACE VIEW {KEPT}.events AS {events}")
        skimmed = " UNION ALL ".join(self._views(parts))
        engine.run(f"CREATE OR REPLACE VIEW {KEPT}.skimmed AS {skimmed}")

    def _newest(self, segments: Sequence[Manifest]) -> list[Manifest]:
        found, rows = list[Manifest](), 0
        for each in segments:
            rows += each.count
            if rows > self._most:
                break
            found.append(each)
        return found

    def _hold(self, engine: Engine, segment: str, file: str) -> None:
        # In the order of the file: who acts as one identity is found side by side.
        number = len(self._files)
        rows = read_files([file], ", file_row_number=true")
        engine.run(
            f"INSERT INTO {KEPT}.held SELECT {SKIMMED}, {number}, {ROW} "  # noqa: S608 - our own names
            f"FROM {rows} e"
        )
        self._held[segment] = number
        self._files.append(file)

    def _views(self, parts: Parts) -> Iterator[str]:
        yield f"SELECT * FROM {KEPT}.held"  # noqa: S608 - our own names
        if parts.records:
            tail = f"{KEPT}.tail"
            yield f"SELECT {SKIMMED}, {TAIL} AS segment, n AS row FROM {tail} e"  # noqa: S608 - our own names
        older = [each for each in parts.segments if each.segment not in self._held]
        if older:
            files = read_files([parts.file(each) for each in older])
            yield f"SELECT {SKIMMED}, {UNHELD} AS segment, 0 AS row FROM {files} e"  # noqa: S608 - our own names

    def whole(self, engine: Engine, places: Sequence[Place]) -> dict[Place, AuditEvent]:
        """Read complete events that are indexed or cached; omit others.

        Args:
            engine: Engine of the calling thread.
            places: Places from the view `skimmed`.
        """
        found: dict[Place, AuditEvent] = {}
        rows: dict[int, list[Place]] = defaultdict(list)
        for place in places:
            _, key, segment, row = place
            event = self._whole.get((segment, row))
            if event is not None and event.event_id == key:
                found[place] = event
            elif segment != UNHELD:
                rows[segment].append(place)
        if rows:
            found |= self._read(engine, rows)
        return found

    def _read(
        self, engine: Engine, rows: Mapping[int, Sequence[Place]]
    ) -> dict[Place, AuditEvent]:
        parts = []
        for segment, places in rows.items():
            table, number = f"{KEPT}.tail", "n"
            if segment != TAIL:
                files = [self._files[segment]]
                table, number = read_files(files, ", file_row_number=true"), ROW
            listed = ", ".join(str(row) for _, _, _, row in places)
            parts.append(
                f"SELECT {segment}, {number}, {NAMES} FROM {table} "  # noqa: S608 - our own names
                f"WHERE {number} IN ({listed})"
            )
        found: dict[Place, AuditEvent] = {}
        for values in engine.run(" UNION ALL ".join(parts)):
            segment, row = cast("tuple[int, int]", values[:2])
            event = to_event(values[2:])
            found[event.event_time, event.event_id, segment, row] = event
            if segment != TAIL:
                self._keep((segment, row), event)
        # What stood in a tail may be sealed by now, and something else in its place.
        wanted = {place for each in rows.values() for place in each}
        return {place: event for place, event in found.items() if place in wanted}

    def _keep(self, where: tuple[int, int], event: AuditEvent) -> None:
        with self._keeping:
            self._whole[where] = event
            while len(self._whole) > _WHOLE:
                self._whole.popitem(last=False)

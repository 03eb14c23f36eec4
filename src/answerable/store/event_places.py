"""Places of events that a search found, and the events at these places."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from answerable.model.errors import EnvironmentFailure
from answerable.model.event import AuditEvent
from answerable.store.duckdb_engine import quote_text
from answerable.store.event_columns import (
    FILE_COLUMNS,
    NAMES,
    ROW_NUMBER_SQL,
    decode_event_row,
)
from answerable.store.search_index import PLACE_COLUMNS
from answerable.store.segment_scope import NO_EVENTS

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Place of an event, and its identity: segments are sorted by it. `list_found_columns`
# adds its file and row.
FOUND_PLACE = f"{PLACE_COLUMNS}, identity"
FoundPlace = tuple[int, bytes, int, int, str, str, int]
_NO_FILE = "'' AS file, 0 AS file_row"
_MAX_READ_BY_ROW = 5_000  # events


def list_found_columns(store: "EvidenceStore", columns: str) -> str:
    """List columns of `skimmed`, and those of the file, which an index does not have."""
    return f"{columns}, {_NO_FILE if store.queries.has_index else FILE_COLUMNS}"


def read_newest_events(
    store: "EvidenceStore", found: Iterable[FoundPlace], limit: int
) -> list[AuditEvent]:
    """Read the newest of the found events whole, newest first."""
    places = sorted(found, reverse=True)[:limit]
    events = _read_by_row(store, places)
    if events is None:
        events = store.read_events_at(
            list(dict.fromkeys(place[:4] for place in places)),
            {place[4] for place in places},
        )
    return sort_newest_first(events)


def sort_newest_first(events: Iterable[AuditEvent]) -> list[AuditEvent]:
    """Sort events, newest first.

    Records of one id stand side by side, in the same order wherever they lie.
    """
    found = sorted(events, key=lambda each: each.raw_sha256)
    found.sort(key=lambda each: (each.event_time, each.event_id), reverse=True)
    return found


def _read_by_row(
    store: "EvidenceStore", places: Sequence[FoundPlace]
) -> list[AuditEvent] | None:
    """Read events of segment files by the numbers of their rows.

    Returns:
        None if not all are there: an event is unsealed, or in another file by now.
    """
    import _duckdb as duckdb

    rows: dict[str, list[int]] = {}
    for *_, file, number in places:
        rows.setdefault(file, []).append(number)
    if not rows:
        return []
    if "" in rows or len(places) > _MAX_READ_BY_ROW:
        return None
    try:
        read = store.run_query(_build_read_rows_sql(rows), scope=NO_EVENTS)
    except (duckdb.Error, EnvironmentFailure):
        return None
    events = list(map(decode_event_row, read))
    wanted = sorted(place[:2] for place in places)
    same = sorted((each.event_time, each.event_id) for each in events) == wanted
    return events if same else None


def _build_read_rows_sql(rows: Mapping[str, Collection[int]]) -> str:
    """Build the query of complete events by segment file and number of the row."""
    return " UNION ALL ".join(
        f"SELECT {NAMES} FROM read_parquet({quote_text(file)}, hive_partitioning=false) "  # noqa: S608 - quoted
        f"WHERE {ROW_NUMBER_SQL} IN ({', '.join(map(str, numbers))})"
        for file, numbers in rows.items()
    )

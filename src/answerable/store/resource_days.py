"""Count the events of resources by day, in derived files.

A row has the events of one day with the same resources. So a question about a resource
reads the days that have it, and counts the events of the others without their rows.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.model.errors import EnvironmentFailure
from answerable.model.time_units import DAY_NS
from answerable.store.day_files import (
    DayFileKind,
    DayFiles,
    open_day_files,
    remove_other_files,
)
from answerable.store.event_queries import (
    build_resource_options,
    convert_glob_to_like,
)
from answerable.store.large_stores import is_large_store
from answerable.store.query_tables import ParquetTable
from answerable.store.segment_scope import NO_EVENTS
from answerable.store.store_layout import DAYS_FOLDER, format_day

if TYPE_CHECKING:
    from answerable.store.event_sources import EventSources
    from answerable.store.store import EvidenceStore

_MONTH = len("2026-01")
MAX_NAMES = 200  # resources that a search names one by one


def _build_resource_rows_sql(rows: str) -> str:
    """Build the SQL of the resources of a table of events, counted by day."""
    return (
        f"SELECT resource, resources, event_time // {DAY_NS} AS day, "  # noqa: S608 - ours
        f"count(*) AS events FROM {rows} GROUP BY ALL"
    )


RESOURCES = DayFileKind(
    "resources",
    f"{DAYS_FOLDER}/resources",
    1,
    _build_resource_rows_sql,
    "resource, resources, day",
    by_month=True,
    options=", ROW_GROUP_SIZE 20480",
)


@dataclass(frozen=True, slots=True)
class ResourceDays:
    """Days of the events that match patterns of resources.

    Attributes:
        sources: Sources of which the sealed events were counted.
        first: Number of events by day since 1970 whose first resource matches.
        other: Number of the events of which only another resource matches.
        names: The first resources that match; None if they are too many to list.
    """

    sources: "EventSources"
    first: dict[int, int]
    other: dict[int, int]
    names: Sequence[str] | None


def count_resource_days(
    store: "EvidenceStore", patterns: Sequence[str], days: tuple[int, int]
) -> ResourceDays | None:
    """Count the sealed events that match patterns by day; None if only rows tell.

    Args:
        store: The store.
        patterns: Globs as in `EventFilter.resources`.
        days: First and last day that is needed, since 1970; others may be counted.
    """
    with suppress(EnvironmentFailure):
        files = _open_files(store)
        first_name, last_name = map(format_day, days)
        paths = [
            path
            for path in files.paths
            # The name begins with a day, or with a month.
            if first_name[:_MONTH] <= path.name[:_MONTH] <= last_name[:_MONTH]
        ]
        if not paths:
            return ResourceDays(files.sources, {}, {}, ())
        counted = {"counted": ParquetTable(tuple(paths))}
        first, other = (
            _count_by_day(store, counted, *each)
            for each in build_resource_options(patterns)
        )
        names = _list_names(store, counted, patterns) if first else ()
        return ResourceDays(files.sources, first, other, names)
    return None


def _list_names(
    store: "EvidenceStore",
    counted: Mapping[str, ParquetTable],
    patterns: Sequence[str],
) -> Sequence[str] | None:
    """List the first resources that match patterns; None if they are too many."""
    if not any("*" in each or "?" in each for each in patterns):
        return patterns
    condition, values = build_resource_options(patterns)[0]
    query = f"SELECT DISTINCT resource FROM counted WHERE {condition} LIMIT ?"  # noqa: S608 - ours
    rows = store.run_query(query, [*values, MAX_NAMES + 1], counted, NO_EVENTS)
    names = sorted(cast("str", name) for (name,) in rows)
    return names if len(names) <= MAX_NAMES else None


def _count_by_day(
    store: "EvidenceStore",
    counted: Mapping[str, ParquetTable],
    condition: str,
    values: Sequence[object],
) -> dict[int, int]:
    """Count the events by day whose resources meet a condition."""
    query = (
        "SELECT day, sum(events)::BIGINT FROM counted "  # noqa: S608 - ours
        f"WHERE {condition} GROUP BY day"
    )
    rows = store.run_query(query, values, counted, NO_EVENTS)
    return dict(cast("list[tuple[int, int]]", rows))


def suggest_resources(
    store: "EvidenceStore", word: str, limit: int
) -> list[str] | None:
    """Find first resources of a large store that contain a word, most frequent first.

    Returns:
        None if there are no counts, or if unsealed events may have others.
    """
    if store.queries.has_index or not is_large_store(store):
        return None
    with suppress(EnvironmentFailure):
        files = _open_files(store)
        rows = store.run_query(
            "SELECT resource FROM counted WHERE resource <> '' AND "
            "lower(resource) LIKE ? ESCAPE '\\' GROUP BY resource "
            "ORDER BY sum(events) DESC, resource LIMIT ?",
            (convert_glob_to_like(f"*{word.lower()}*"), limit),
            {"counted": ParquetTable(tuple(files.paths))},
            NO_EVENTS,
        )
        found = [cast("str", name) for (name,) in rows]
        others = files.sources.journals or files.sources.foreign
        return None if others and not found else found
    return None


def has_resource_days(store: "EvidenceStore") -> bool:
    """Return whether a question about a resource has written counts."""
    return any((store.derived / RESOURCES.folder).glob("*"))


def _open_files(store: "EvidenceStore") -> DayFiles:
    """Find the counts of all days, write missing ones, and remove obsolete ones.

    Raises:
        EnvironmentFailure: The disk cannot be written, or there are no sealed events.
    """
    files = open_day_files(store, RESOURCES)
    remove_other_files(store, RESOURCES, files.paths)
    if not files.paths:
        raise EnvironmentFailure("the store has no sealed events")
    return files

"""Count the events of each chain by day and outcome, in one file for each month.

The counts of a month are written again if its events or their chains have changed.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from answerable.model.time_units import DAY_NS
from answerable.store.chain_file import (
    MonthCounts,
    are_valid_files,
    load_chain_file_list,
    remove_obsolete_files,
    save_chain_file_list,
)
from answerable.store.chain_tables import CHAIN_COUNTS
from answerable.store.chain_writer import lock_chain_file, write_named_file
from answerable.store.day_files import TAIL
from answerable.store.documented_views import JOINED_CHAINS
from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.durable_files import make_store_folder
from answerable.store.lineage_days import (
    CHAIN_KEYS,
    SOURCED_KEY_COLUMNS,
    list_lineage_files,
)
from answerable.store.query_tables import (
    ColumnType,
    NamedTable,
    ParquetTable,
    register_table,
)
from answerable.store.segment_scope import NO_EVENTS, SegmentScope
from answerable.store.store_layout import (
    CHAIN_COUNTS_FOLDER,
    CHAIN_FOLDER,
    format_day,
)

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_MEMORY = "192MB"
_ALL = "all"  # months, where no file tells the days
_MONTH = len("2026-01")
_COUNTS = (
    f"c.n, c.valid_from, e.outcome, e.event_time // {DAY_NS}, count(*), "
    "min(e.event_time), max(e.event_time)"
)
# Events of a key, an outcome and a day.
_KEY_NAMES = SOURCED_KEY_COLUMNS.split(", ")
_KEY_DAY = {
    **dict.fromkeys(_KEY_NAMES, ColumnType.TEXT),
    "believed": ColumnType.BOOL,
    "outcome": ColumnType.TEXT,
    "day": ColumnType.INT,
    "events": ColumnType.INT,
    "first": ColumnType.INT,
    "last": ColumnType.INT,
}


@dataclass(frozen=True, slots=True)
class _KeyFile:
    """File of chain keys, with the days of it that are counted; empty for all."""

    path: Path
    days: tuple[int, ...] = ()

    def build_rows_sql(self) -> str:
        """Build the SQL that reads its chain keys of these days."""
        days = ", ".join(map(str, self.days))
        only = f" WHERE day IN ({days})" if days else ""
        rows = ParquetTable((self.path,)).build_rows_sql()
        return f"SELECT {', '.join(_KEY_DAY)} FROM {rows}{only}"  # noqa: S608 - ours


def write_chain_counts(
    store: "EvidenceStore",
) -> tuple[ParquetTable, ParquetTable] | None:
    """Count the events of each chain by day and outcome, where that is not known.

    Counts name chains by their numbers, so they are those of one list of chain files.
    Events that were stored later may have no chain yet: their month is counted again.

    Returns:
        The chains, and the counts; None if there are no chains any more.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    with lock_chain_file(store):
        before = load_chain_file_list(store)
        if before is None:
            return None
        make_store_folder(store.derived / CHAIN_COUNTS_FOLDER)
        chains, counts = before.open_parts(store), dict[str, MonthCounts]()
        for month, files in _list_key_files(store).items():
            derived_from = tuple(each.path.name for each in files)
            known = before.counts.get(month)
            if known is None or not _is_current(store, known, derived_from):
                name, is_complete = _write_month(store, chains, month, files)
                known = MonthCounts(name, derived_from if is_complete else ())
            counts[month] = known
        after = msgspec.structs.replace(
            before,
            counts=counts,
            is_counted=True,
            obsolete=(*before.obsolete, *before.list_names()),
        )
        save_chain_file_list(store, after)
        remove_obsolete_files(store, after)
        return chains, after.open_counts(store)


def _is_current(
    store: "EvidenceStore", counts: MonthCounts, derived_from: tuple[str, ...]
) -> bool:
    """Return whether counts are valid, and those of some files of chain keys."""
    file = ParquetTable((store.derived / CHAIN_COUNTS_FOLDER / counts.name,))
    return counts.derived_from == derived_from and are_valid_files(
        store, CHAIN_COUNTS_FOLDER, file
    )


def _list_key_files(store: "EvidenceStore") -> dict[str, list[_KeyFile]]:
    """List the files of chain keys by month.

    The unsealed events of all months have one file. Without any file, the events tell.
    """
    found: dict[str, list[_KeyFile]] = defaultdict(list)
    for path in list_lineage_files(store, CHAIN_KEYS):
        if not path.name.startswith(TAIL):
            found[path.name[:_MONTH]].append(_KeyFile(path))
            continue
        query = "SELECT DISTINCT day FROM tail ORDER BY day"
        tables = {"tail": ParquetTable((path,))}
        days: dict[str, list[int]] = defaultdict(list)
        for (day,) in store.run_query(query, (), tables, NO_EVENTS):
            days[format_day(cast("int", day))[:_MONTH]].append(cast("int", day))
        for month, each in days.items():
            found[month].append(_KeyFile(path, tuple(each)))
    return found or {_ALL: []}


def _write_month(
    store: "EvidenceStore",
    chains: ParquetTable,
    month: str,
    files: Sequence[_KeyFile],
) -> tuple[str, bool]:
    """Write the counts of a month, with this month in memory.

    The events of a key and a day are read where its chain changes among them.

    Returns:
        Name of the file, and whether each event has a chain.
    """
    folders = [store.derived / name for name in (CHAIN_FOLDER, CHAIN_KEYS.folder)]
    engine = DuckDbEngine(store.derived / CHAIN_COUNTS_FOLDER, _MEMORY, folders=folders)
    try:
        rows = _count_key_days(store, chains, engine, files)
        counted = [dict(zip(CHAIN_COUNTS, row, strict=True)) for row in rows]
        register_table(engine, "from_events", NamedTable(CHAIN_COUNTS, counted))
        rows_sql = (
            f"(SELECT {', '.join(CHAIN_COUNTS)} FROM counted WHERE n IS NOT NULL "  # noqa: S608 - ours
            "UNION ALL FROM from_events ORDER BY ALL)"
        )
        name = write_named_file(store, CHAIN_COUNTS_FOLDER, month, engine, rows_sql)
        with_chain, every = engine.run(
            f"SELECT sum(events) FROM {rows_sql} UNION ALL "  # noqa: S608 - ours
            "SELECT sum(events) FROM key_days"
        )
        return name, with_chain == every
    finally:
        engine.close()


def _count_key_days(
    store: "EvidenceStore",
    chains: ParquetTable,
    engine: DuckDbEngine,
    files: Sequence[_KeyFile],
) -> Sequence[Sequence[object]]:
    """Make the table `counted` of chain keys by day, each with its chain on that day.

    Returns:
        Counts of the events that only the events tell.
    """
    register_table(engine, "key_days", NamedTable(_KEY_DAY, []))
    for each in files:
        engine.run(f"INSERT INTO key_days {each.build_rows_sql()}")
    same = " AND ".join(f"d.{name} = c.{name}" for name in _KEY_NAMES)
    engine.run(
        "CREATE TABLE counted AS SELECT d.*, c.n, c.valid_from FROM "  # noqa: S608 - ours
        f"(SELECT {', '.join(_KEY_NAMES)}, outcome, day, sum(events)::BIGINT AS events, "
        "min(first) AS first, max(last) AS last FROM key_days GROUP BY ALL) d "
        f"LEFT JOIN {chains.build_rows_sql()} c ON {same} "
        "AND d.first >= c.valid_from AND d.last < c.valid_to"
    )
    if not files:
        return store.run_query(
            f"SELECT {_COUNTS} FROM skimmed e JOIN chains c ON {JOINED_CHAINS} "  # noqa: S608 - ours
            "GROUP BY ALL",
            (),
            {"chains": chains},
        )
    left = engine.run(f"SELECT {', '.join(_KEY_DAY)} FROM counted WHERE n IS NULL")  # noqa: S608 - ours
    return _count_changing(store, chains, left) if left else ()


def _count_changing(
    store: "EvidenceStore", chains: ParquetTable, left: Sequence[Sequence[object]]
) -> Sequence[Sequence[object]]:
    """Count the events of chain keys on days on which their chain changes."""
    rows = [dict(zip(_KEY_DAY, row, strict=True)) for row in left]
    only = JOINED_CHAINS.replace("c.valid_from", "c.first").replace(
        "e.event_time < c.valid_to", "e.event_time <= c.last AND e.outcome = c.outcome"
    )
    first = min(cast("int", each["first"]) for each in rows)
    last = max(cast("int", each["last"]) for each in rows)
    return store.run_query(
        f"SELECT {_COUNTS} FROM (SELECT * FROM skimmed e SEMI JOIN changing c ON {only}) e "  # noqa: S608 - ours
        f"JOIN chains c ON {JOINED_CHAINS} GROUP BY ALL",
        (),
        {"chains": chains, "changing": NamedTable(_KEY_DAY, rows)},
        SegmentScope(first, last + 1),
    )

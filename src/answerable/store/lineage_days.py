"""Lineage facts in derived files: one for each day of sealed events.

The chain keys and the issued credentials of a day are few among its events. Chains are
derived from them, and again from those that have changed.
"""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.model.errors import EnvironmentFailure
from answerable.model.time_units import DAY_NS
from answerable.store.credential_issuances import (
    BELIEVED,
    KEY_COLUMNS,
    build_issuance_rows_sql,
)
from answerable.store.day_files import DayFileKind, open_day_files, write_tail_file
from answerable.store.query_tables import ParquetTable
from answerable.store.store_layout import DAYS_FOLDER

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Columns of a chain key with its source and trust.
SOURCED_KEY_COLUMNS = f"source, believed, {KEY_COLUMNS}"


def build_chain_key_rows_sql(rows: str) -> str:
    """Build the SQL of the chain keys of a table of events, counted by day and outcome."""
    return (
        f"SELECT source, {BELIEVED} AS believed, {KEY_COLUMNS}, outcome, "  # noqa: S608 - ours
        f"event_time // {DAY_NS} AS day, count(*) AS events, min(event_time) AS first, "
        f"max(event_time) AS last FROM {rows} GROUP BY ALL"
    )


ISSUANCES = DayFileKind(
    "issuances",
    f"{DAYS_FOLDER}/issuances",
    1,
    build_issuance_rows_sql,
    "issued, event_time, event",
)
CHAIN_KEYS = DayFileKind(
    "chain-keys",
    f"{DAYS_FOLDER}/chain-keys",
    1,
    build_chain_key_rows_sql,
    f"{SOURCED_KEY_COLUMNS}, outcome, day",
)


def open_lineage_days(store: "EvidenceStore", kind: DayFileKind) -> ParquetTable | None:
    """Open the files of all days, and write missing ones; None if that is impossible.

    An index in memory and foreign events have no such files.
    """
    with suppress(EnvironmentFailure):
        if files := list_lineage_files(store, kind, with_tail=False):
            return ParquetTable(tuple(files))
    return None


def list_lineage_files(
    store: "EvidenceStore", kind: DayFileKind, *, with_tail: bool = True
) -> list[Path]:
    """List the files of all days, and perhaps one of the unsealed events; write missing ones.

    Returns:
        Empty for an index in memory, for foreign events, and without events.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    sources = store.queries.get_current_sources()
    if store.queries.has_index or sources.foreign:
        return []
    files = open_day_files(store, sources, kind)
    if with_tail and sources.journals:
        files.append(write_tail_file(store, sources, kind))
    return files

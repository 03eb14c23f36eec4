"""Lineage facts of sealed events in one derived file for each day.

The issuances of credentials are few among the events of a day, and a question about any
time needs those of other days.
"""

from typing import TYPE_CHECKING

from answerable.model.errors import EnvironmentFailure
from answerable.store.credential_issuances import build_issuance_rows_sql
from answerable.store.day_files import DayFileKind, open_day_files
from answerable.store.query_tables import ParquetTable
from answerable.store.store_layout import DAYS_FOLDER

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

ISSUANCES = DayFileKind(
    "issuances",
    f"{DAYS_FOLDER}/issuances",
    1,
    build_issuance_rows_sql,
    "issued, event_time, event",
)


def open_lineage_days(store: "EvidenceStore", kind: DayFileKind) -> ParquetTable | None:
    """Open the files of all days, and write missing ones; None if that is impossible.

    An index in memory and foreign events have no such files.
    """
    sources = store.queries.get_current_sources()
    if store.queries.has_index or sources.foreign or not sources.segments:
        return None
    try:
        return ParquetTable(tuple(open_day_files(store, sources, kind)))
    except EnvironmentFailure:
        return None

"""Lineage facts in derived files: one for each day of sealed events.

The chain keys and the issued credentials of a day are few among its events. Chains are
derived from them, and again from those that have changed.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.model.errors import EnvironmentFailure
from answerable.model.lineage import ChainKey
from answerable.model.time_units import DAY_NS
from answerable.store.credential_issuances import (
    BELIEVED,
    KEY_COLUMNS,
    build_issuance_file_sql,
    drain_rows,
)
from answerable.store.day_files import (
    DayFileKind,
    DayFiles,
    open_day_files,
    write_tail_file,
)
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.query_tables import ParquetTable
from answerable.store.store_layout import DAYS_FOLDER

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_KEYS_AT_ONCE = 25_000  # in memory, when chains are derived
_MEMORY = "192MB"  # to order them
# Columns of a chain key with its source and trust.
SOURCED_KEY_COLUMNS = f"source, believed, {KEY_COLUMNS}"


def _build_chain_key_rows_sql(rows: str) -> str:
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
    build_issuance_file_sql,
    "issued, event_time, event",
)
CHAIN_KEYS = DayFileKind(
    "chain-keys",
    f"{DAYS_FOLDER}/chain-keys",
    1,
    _build_chain_key_rows_sql,
    f"{SOURCED_KEY_COLUMNS}, outcome, day",
)


# Services whose names in an ARN are of identities.
_IDENTITY_SERVICES = ("iam", "sts")


def _build_touched_rows_sql(rows: str) -> str:
    """Build the SQL of the identities that events touched, counted by chain key.

    An event touches what it created, deleted, issued a credential for or accessed. Only
    identities that `is_touch_counted` accepts have rows.
    """
    columns = ("resource", "created", "deleted", "issued_to")
    named = f"[{', '.join(columns)}] || coalesce(resources, [])"
    # Most events touch none: their lists are not built.
    tests = " OR ".join(map(_build_touch_test, columns))
    return (
        f"SELECT touched, source, believed, {KEY_COLUMNS}, outcome, day, "  # noqa: S608 - ours
        "count(*) AS events, min(event_time) AS first, max(event_time) AS last FROM "
        "(SELECT unnest(list_distinct(list_filter("
        f"{named}, lambda v: {_build_touch_test('v')}))) AS "
        f"touched, source, {BELIEVED} AS believed, {KEY_COLUMNS}, outcome, event_time, "
        f"event_time // {DAY_NS} AS day FROM {rows} "
        f"WHERE {tests} OR len(resources) > 0) GROUP BY ALL"
    )


def _build_touch_test(name: str) -> str:
    """Build the SQL that tells whether `is_touch_counted` accepts a value."""
    test = f"split_part({name}, ':', 3) IN {_IDENTITY_SERVICES}"
    return f"(starts_with({name}, 'arn:') AND {test})"


def is_touch_counted(identity: str) -> bool:
    """Return whether the files of touched identities have all events of an identity."""
    start, _, rest = identity.partition(":")
    return start == "arn" and rest.split(":")[1:2] in (["iam"], ["sts"])


TOUCHED = DayFileKind(
    "touched",
    f"{DAYS_FOLDER}/touched",
    1,
    _build_touched_rows_sql,
    f"touched, {SOURCED_KEY_COLUMNS}, outcome, day",
    by_month=True,
    options=", ROW_GROUP_SIZE 8192",  # one identity is in few groups of a month
)


def open_lineage_days(store: "EvidenceStore", kind: DayFileKind) -> DayFiles | None:
    """Open the files of all days, and write missing ones; None if that is impossible.

    An index in memory and foreign events have no such files.
    """
    if _has_no_files(store):
        return None
    with suppress(EnvironmentFailure):
        found = open_day_files(store, kind)
        return found if found.paths else None
    return None


def _has_no_files(store: "EvidenceStore") -> bool:
    """Return whether an index in memory or foreign events have no derived files."""
    return store.queries.has_index or bool(store.queries.get_current_sources().foreign)


def list_lineage_files(store: "EvidenceStore", kind: DayFileKind) -> list[Path]:
    """List the files of all days, and one of the unsealed events; write missing ones.

    Returns:
        Empty for an index in memory, for foreign events, and without events.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    if _has_no_files(store):
        return []
    found = open_day_files(store, kind)
    files = [*found.paths]
    if found.sources.journals:
        files.append(write_tail_file(store, found, kind))
    return files


def iterate_chain_keys(
    store: "EvidenceStore", files: Sequence[Path]
) -> Iterator[SourcedChainKey]:
    """Yield the chain keys of all events, by the time of their first event.

    The credentials of neighbours were issued at about the same time. The keys are
    ordered in a file, of which a part is in memory.

    Args:
        store: The store.
        files: Files of chain keys; none to read the events.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    days = f"({_build_chain_key_rows_sql('events')})"
    if files:
        days = ParquetTable(tuple(files)).build_rows_sql()
    keys = f"SELECT {SOURCED_KEY_COLUMNS}, min(first) AS first FROM {days} GROUP BY ALL"  # noqa: S608 - ours
    order = f"first, {SOURCED_KEY_COLUMNS}"
    if not files:
        query = f"SELECT {SOURCED_KEY_COLUMNS} FROM ({keys}) ORDER BY {order}"  # noqa: S608 - ours
        yield from decode_sourced_keys(store.run_query(query))
        return
    file = files[0].with_name(".ordered.new")
    ordered = f"SELECT *, row_number() OVER () AS place FROM ({keys} ORDER BY {order})"  # noqa: S608 - ours
    name = quote_text(str(file.absolute()))
    query = (
        f"SELECT {SOURCED_KEY_COLUMNS} FROM read_parquet({name}) "  # noqa: S608 - ours
        "WHERE place > ? AND place <= ? ORDER BY place"
    )
    engine = DuckDbEngine(file.parent, _MEMORY)
    try:
        engine.run(f"COPY ({ordered}) TO {name} (FORMAT parquet)")
        start = 0
        while rows := engine.run(query, (start, start + _KEYS_AT_ONCE)):
            start += _KEYS_AT_ONCE
            yield from decode_sourced_keys(rows)
    finally:
        engine.close()
        file.unlink(missing_ok=True)


def decode_sourced_keys(rows: list[tuple[object, ...]]) -> Iterator[SourcedChainKey]:
    """Yield the chain keys of rows of `SOURCED_KEY_COLUMNS`, and free each row."""
    for source, believed, *key in drain_rows(rows):
        yield SourcedChainKey(ChainKey(*map(str, key)), str(source), bool(believed))

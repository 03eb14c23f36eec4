"""Write the chain file and its counts: all chains, or those that have changed."""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.store.chain_changes import (
    ChainInputs,
    load_chain_inputs,
    save_chain_inputs,
)
from answerable.store.chain_file import (
    compute_chain_mac,
    get_chain_path,
    read_chain_mac,
)
from answerable.store.chain_tables import (
    CHAIN_COUNTS,
    build_chain_interval_table,
    build_chain_table,
)
from answerable.store.damaged_segments import compute_file_digest
from answerable.store.documented_views import JOINED_CHAINS
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import (
    choose_file_mode,
    make_store_folder,
    translate_os_errors,
    write_file,
)
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
from answerable.store.store_layout import CHAIN_COUNTS_FILE, CHAIN_FILE

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Of the rows: a search reads the parts of the file that may have a name.
_ORDER = (
    "source, believed, identity, credential, session, person, run, agent, tool, "
    "valid_from"
)
_BATCH = 20_000  # chain keys that are held as rows at once
_COUNTS = "c.n, c.valid_from, e.outcome, count(*), min(e.event_time), max(e.event_time)"


@contextlib.contextmanager
def lock_chain_file(store: "EvidenceStore") -> Iterator[None]:
    """Wait until no other process derives or counts the chains of the store.

    The folder is locked: an erasure deletes all files in it.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    make_store_folder(store.derived)
    with translate_os_errors("lock", store.derived):
        handle = os.open(store.derived, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for part in store.derived.glob(f".{CHAIN_FILE}.parquet.*new"):
            part.unlink(missing_ok=True)  # of a killed process
        yield
    finally:
        os.close(handle)


def find_earlier_chain_file(
    store: "EvidenceStore",
) -> tuple[ParquetTable, ChainInputs] | None:
    """Find the chain file of any generation, with the facts it was derived from."""
    file = get_chain_path(store, CHAIN_FILE, "parquet")
    inputs = load_chain_inputs(store, compute_file_digest(file))
    return None if inputs is None else (ParquetTable((file,)), inputs)


def write_chain_file(
    store: "EvidenceStore",
    generation: str,
    chains: Iterable[ChainTimeline],
    inputs: ChainInputs | None = None,
    replaced: Sequence[SourcedChainKey] | None = None,
) -> ParquetTable:
    """Write the current chains, in memory as for a part of them.

    The file of counts, which names chains by their numbers, is written again.

    Args:
        store: The store.
        generation: Generation of the facts that are read.
        chains: Chains to write.
        inputs: Facts that they were derived from, if known.
        replaced: Chain keys without the chains that the file has of them; the other
            chains of the file are kept. None to keep none.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    file = get_chain_path(store, CHAIN_FILE, "parquet")
    table = ParquetTable((file,))
    if replaced is None:
        _write_file(store, CHAIN_FILE, generation, _build_tables(chains, 0), _ORDER)
    elif replaced:
        query = "SELECT coalesce(max(n) + 1, 0) FROM chains"
        ((first,),) = store.run_query(query, (), {"chains": table}, NO_EVENTS)
        tables = _build_tables(chains, cast("int", first))
        gone = build_chain_interval_table([(each, 0, 0) for each in replaced])
        _write_file(store, CHAIN_FILE, generation, tables, _ORDER, gone)
    else:  # no chain has changed
        _write_mac(store, CHAIN_FILE, generation)
    if inputs is not None:
        save_chain_inputs(store, compute_file_digest(file), inputs)
    return table


def write_chain_counts(store: "EvidenceStore", chains: ParquetTable) -> ParquetTable:
    """Count the events of each chain by outcome, and write the counts.

    They name chains by their numbers, so they are the counts of one chain file alone.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    with lock_chain_file(store):
        counted_file = read_chain_mac(store, CHAIN_FILE)
        rows = _count_events(store, chains)
        counted = [dict(zip(CHAIN_COUNTS, row, strict=True)) for row in rows]
        table = NamedTable(CHAIN_COUNTS, counted)
        return _write_file(store, CHAIN_COUNTS_FILE, counted_file, [table])


def _count_events(
    store: "EvidenceStore", chains: ParquetTable
) -> Sequence[Sequence[object]]:
    """Count the events of each chain by outcome, from the chain keys of each day.

    The events of a key and a day are read where its chain changes among them.
    """
    files = list_lineage_files(store, CHAIN_KEYS)
    if not files:
        return store.run_query(
            f"SELECT {_COUNTS} FROM skimmed e JOIN chains c ON {JOINED_CHAINS} "  # noqa: S608 - ours
            "GROUP BY ALL ORDER BY ALL",
            tables={"chains": chains},
        )
    same = " AND ".join(
        f"d.{name} = c.{name}" for name in SOURCED_KEY_COLUMNS.split(", ")
    )
    days = (
        f"(SELECT {SOURCED_KEY_COLUMNS}, outcome, day, sum(events) AS events, "  # noqa: S608 - ours
        "min(first) AS first, max(last) AS last FROM key_days GROUP BY ALL) d"
    )
    within = f"{same} AND d.first >= c.valid_from AND d.last < c.valid_to"
    tables = {"chains": chains, "key_days": ParquetTable(tuple(files))}
    left = store.run_query(
        f"SELECT {SOURCED_KEY_COLUMNS}, outcome, first, last FROM {days} "  # noqa: S608 - ours
        f"ANTI JOIN chains c ON {within}",
        (),
        tables,
        NO_EVENTS,
    )
    rows = store.run_query(
        "SELECT c.n, c.valid_from, d.outcome, sum(d.events)::BIGINT, min(d.first), "  # noqa: S608 - ours
        f"max(d.last) FROM {days} JOIN chains c ON {within} GROUP BY ALL",
        (),
        tables,
        NO_EVENTS,
    )
    return [*rows, *(_count_changing(store, chains, left) if left else ())]


def _count_changing(
    store: "EvidenceStore", chains: ParquetTable, left: Sequence[Sequence[object]]
) -> Sequence[Sequence[object]]:
    """Count the events of chain keys on days on which their chain changes."""
    names = [*SOURCED_KEY_COLUMNS.split(", "), "outcome", "first", "last"]
    types = dict.fromkeys(names, ColumnType.TEXT)
    types |= {
        "believed": ColumnType.BOOL,
        "first": ColumnType.INT,
        "last": ColumnType.INT,
    }
    days = NamedTable(types, [dict(zip(names, row, strict=True)) for row in left])
    only = JOINED_CHAINS.replace("c.valid_from", "c.first").replace(
        "e.event_time < c.valid_to", "e.event_time <= c.last AND e.outcome = c.outcome"
    )
    first, last = (
        min(cast("int", r[-2]) for r in left),
        max(cast("int", r[-1]) for r in left),
    )
    return store.run_query(
        f"SELECT {_COUNTS} FROM (SELECT * FROM skimmed e SEMI JOIN changing c ON {only}) e "  # noqa: S608 - ours
        f"JOIN chains c ON {JOINED_CHAINS} GROUP BY ALL",
        (),
        {"chains": chains, "changing": days},
        SegmentScope(first, last + 1),
    )


def _build_tables(chains: Iterable[ChainTimeline], first: int) -> Iterator[NamedTable]:
    """Yield tables of the chains, each with a part of the chain keys."""
    left, number = iter(chains), first
    while (part := tuple(islice(left, _BATCH))) or number == first:
        yield build_chain_table(part, number)
        number += _BATCH


def _write_file(
    store: "EvidenceStore",
    name: str,
    derived_from: str,
    tables: Iterable[NamedTable],
    order: str = "ALL",
    replaced: NamedTable | None = None,
) -> ParquetTable:
    """Write tables of equal columns as one file in some order, with its MAC."""
    file = get_chain_path(store, name, "parquet")
    make_store_folder(file.parent)
    _write_parquet(tables, file, order, replaced)
    _write_mac(store, name, derived_from)
    return ParquetTable((file,))


def _write_mac(store: "EvidenceStore", name: str, derived_from: str) -> None:
    """Write the MAC of a file and of its input."""
    file = get_chain_path(store, name, "parquet")
    mac = compute_chain_mac(store, name, file, derived_from)
    write_file(get_chain_path(store, name, "mac"), mac.encode(), sync=False)


def _write_parquet(
    tables: Iterable[NamedTable],
    file: Path,
    order: str,
    replaced: NamedTable | None = None,
) -> None:
    """Write tables as a Parquet file that replaces the one there.

    Each table is written to a file of its own first, so that one of them is in memory.

    Args:
        tables: The tables.
        file: The file.
        order: Columns that its rows are sorted by.
        replaced: Chain keys whose rows of the file there are left out; its other rows
            are kept. None to keep none.
    """
    engine = DuckDbEngine(file.parent)
    temp_path = file.with_name(f".{file.name}.new")
    parts: list[Path] = []
    try:
        for number, table in enumerate(tables):
            parts.append(file.with_name(f".{file.name}.{number}.new"))
            register_table(engine, "part", table)
            _copy_rows(engine, "part", parts[-1])
        names = ", ".join(quote_text(str(each.absolute())) for each in parts)
        rows = f"read_parquet([{names}])"
        if replaced is not None:
            register_table(engine, "replaced", replaced)
            old = f"read_parquet({quote_text(str(file.absolute()))})"
            keys = SOURCED_KEY_COLUMNS
            rows = (
                f"(FROM {old} ANTI JOIN replaced USING ({keys}) UNION ALL FROM {rows})"
            )
        _copy_rows(engine, f"{rows} ORDER BY {order}", temp_path)
        with translate_os_errors("write", file):
            temp_path.chmod(choose_file_mode(file.parent))
            temp_path.replace(file)
    finally:
        engine.close()
        with contextlib.suppress(OSError):
            for each in (temp_path, *parts):
                each.unlink(missing_ok=True)


def _copy_rows(engine: DuckDbEngine, rows: str, file: Path) -> None:
    """Copy rows to a new Parquet file."""
    with translate_os_errors("write", file):
        file.unlink(missing_ok=True)  # of a killed process of another user
    engine.run(
        f"COPY (FROM {rows}) TO {quote_text(str(file.absolute()))} "
        "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
    )

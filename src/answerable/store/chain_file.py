"""Chains as a Parquet file in `derived/`, for the view `lineage` and for large stores.

A second file has the number of events of each chain, by outcome. Each file has a MAC
that covers its content and the generation of its input. A file of another generation, a
damaged or a foreign file is written again; deleting it is harmless.
"""

import contextlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.errors import EnvironmentFailure
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.chain_tables import CHAIN_COUNTS, build_chain_table
from answerable.store.damaged_segments import compute_file_digest
from answerable.store.documented_views import JOINED_CHAINS
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import (
    choose_file_mode,
    make_store_folder,
    read_file,
    translate_os_errors,
    write_file,
)
from answerable.store.query_tables import NamedTable, ParquetTable, register_table
from answerable.store.store_layout import CHAIN_COUNTS_FILE, CHAIN_FILE

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_VERSION = 3  # raised when the columns of a file change
# Of the rows: a search reads the parts of the file that may have a name.
_ORDER = (
    "source, believed, identity, credential, session, person, run, agent, tool, "
    "valid_from"
)
_BATCH = 20_000  # chain keys that are held as rows at once


def find_chain_file(store: "EvidenceStore") -> ParquetTable | None:
    """Find the file of the current chains; None if there is none."""
    return _find_file(store, CHAIN_FILE)


def find_chain_counts(store: "EvidenceStore") -> ParquetTable | None:
    """Find the file with the number of events of each chain; None if there is none."""
    return _find_file(store, CHAIN_COUNTS_FILE)


def find_chain_file_age(store: "EvidenceStore", now: int) -> int | None:
    """Find how long ago the chain file of any generation was written, in nanoseconds.

    Returns:
        None if there is no file.
    """
    with contextlib.suppress(OSError):
        return now - _get_path(store, CHAIN_FILE, "parquet").stat().st_mtime_ns
    return None


def write_chain_file(
    store: "EvidenceStore", chains: Iterable[ChainTimeline]
) -> ParquetTable:
    """Write the current chains, in memory as for a part of them.

    The file of counts, which names chains by their numbers, is written again.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    with contextlib.suppress(OSError):
        _get_path(store, CHAIN_COUNTS_FILE, "mac").unlink(missing_ok=True)
    return _write_file(store, CHAIN_FILE, _build_tables(chains), _ORDER)


def write_chain_counts(store: "EvidenceStore", chains: ParquetTable) -> ParquetTable:
    """Count the events of each chain by outcome, and write the counts.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    rows = store.run_query(
        "SELECT c.n, c.valid_from, e.outcome, count(*), min(e.event_time), "  # noqa: S608 - ours
        f"max(e.event_time) FROM skimmed e JOIN chains c ON {JOINED_CHAINS} "
        "GROUP BY ALL ORDER BY ALL",
        tables={"chains": chains},
    )
    counted = [dict(zip(CHAIN_COUNTS, row, strict=True)) for row in rows]
    return _write_file(store, CHAIN_COUNTS_FILE, [NamedTable(CHAIN_COUNTS, counted)])


def _build_tables(chains: Iterable[ChainTimeline]) -> Iterator[NamedTable]:
    """Yield tables of the chains, each with a part of the chain keys."""
    left, number = iter(chains), 0
    while (part := tuple(islice(left, _BATCH))) or not number:
        yield build_chain_table(part, number * _BATCH)
        number += 1


def _find_file(store: "EvidenceStore", name: str) -> ParquetTable | None:
    """Find a file of the current generation."""
    file = _get_path(store, name, "parquet")
    with contextlib.suppress(FileNotFoundError, EnvironmentFailure):
        found = read_file(_get_path(store, name, "mac"))
        if found == _compute_mac(store, name, file):
            return ParquetTable((file,))
    return None


def _write_file(
    store: "EvidenceStore",
    name: str,
    tables: Iterable[NamedTable],
    order: str = "ALL",
) -> ParquetTable:
    """Write tables of equal columns as one file in some order, with its MAC."""
    file = _get_path(store, name, "parquet")
    make_store_folder(file.parent)
    _write_parquet(tables, file, order)
    mac = _compute_mac(store, name, file)
    write_file(_get_path(store, name, "mac"), mac, sync=False)
    return ParquetTable((file,))


def _write_parquet(tables: Iterable[NamedTable], file: Path, order: str) -> None:
    """Write tables as a Parquet file that replaces the one there.

    Each table is written to a file of its own first, so that one of them is in memory.
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
        _copy_rows(engine, f"read_parquet([{names}]) ORDER BY {order}", temp_path)
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


def _get_path(store: "EvidenceStore", name: str, ending: str) -> Path:
    """Return the path of a file, or of its MAC."""
    return store.derived / f"{name}.{ending}"


def _compute_mac(store: "EvidenceStore", name: str, file: Path) -> bytes:
    """Compute the MAC of a file and its generation, with the fingerprint key."""
    generation = compute_chains_generation(store)
    named = f"{name} {_VERSION} {generation} {compute_file_digest(file)}"
    return store.fingerprint(named).encode()

"""Chains as a Parquet file in `derived/`, for the view `lineage` of user SQL.

The file has a MAC that covers its content and the generation of its input. A file of
another generation, a damaged or a foreign file is written again; deleting it is
harmless.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.errors import EnvironmentFailure
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.chain_tables import build_chain_table
from answerable.store.damaged_segments import compute_file_digest
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import (
    FILE_MODE,
    make_private_folder,
    read_file,
    translate_os_errors,
    write_file,
)
from answerable.store.query_tables import NamedTable, ParquetTable, register_table

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_VERSION = 1  # raised when the columns of the file change


def find_chain_file(store: "EvidenceStore") -> ParquetTable | None:
    """Find the file of the current chains; None if there is none."""
    file = _get_path(store, "parquet")
    with contextlib.suppress(FileNotFoundError, EnvironmentFailure):
        found = read_file(_get_path(store, "mac"))
        if found == _compute_mac(store, file):
            return ParquetTable(file)
    return None


def write_chain_file(
    store: "EvidenceStore", chains: Sequence[ChainTimeline]
) -> ParquetTable | NamedTable:
    """Write the current chains; on a disk error, return them as rows."""
    table, file = build_chain_table(chains), _get_path(store, "parquet")
    try:
        make_private_folder(file.parent)
        _write_parquet(table, file)
        write_file(_get_path(store, "mac"), _compute_mac(store, file), sync=False)
    except EnvironmentFailure:
        return table
    return ParquetTable(file)


def _write_parquet(table: NamedTable, file: Path) -> None:
    """Write a table as a Parquet file that replaces the one there."""
    engine = DuckDbEngine(file.parent)
    temp_path = file.with_name(f".{file.name}.new")
    try:
        register_table(engine, "chains", table)
        engine.run(
            f"COPY chains TO {quote_text(str(temp_path.absolute()))} "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
        with translate_os_errors("write", file):
            temp_path.chmod(FILE_MODE)
            temp_path.replace(file)
    finally:
        engine.close()
        with contextlib.suppress(OSError):
            temp_path.unlink(missing_ok=True)


def _get_path(store: "EvidenceStore", ending: str) -> Path:
    """Return the path of the file, or of its MAC."""
    return store.derived / f"chains.{ending}"


def _compute_mac(store: "EvidenceStore", file: Path) -> bytes:
    """Compute the MAC of the file and its generation, with the fingerprint key."""
    generation = compute_chains_generation(store)
    named = f"chains {_VERSION} {generation} {compute_file_digest(file)}"
    return store.fingerprint(named).encode()

"""Chains as a Parquet file in `derived/`, for the view `lineage` and for large stores.

A second file has the number of events of each chain, by outcome. Each file has a MAC
that covers its content and the generation of its input. A file of another generation, a
damaged or a foreign file is written again; deleting it is harmless.
"""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.model.errors import EnvironmentFailure
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.damaged_segments import compute_file_digest
from answerable.store.durable_files import read_file
from answerable.store.query_tables import ParquetTable
from answerable.store.store_layout import CHAIN_COUNTS_FILE, CHAIN_FILE

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_VERSION = 3  # raised when the columns of a file change


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
        return now - get_chain_path(store, CHAIN_FILE, "parquet").stat().st_mtime_ns
    return None


def _find_file(store: "EvidenceStore", name: str) -> ParquetTable | None:
    """Find a file of the current generation."""
    file = get_chain_path(store, name, "parquet")
    with contextlib.suppress(FileNotFoundError, EnvironmentFailure):
        found = read_file(get_chain_path(store, name, "mac"))
        generation = compute_chains_generation(store)
        if found == compute_chain_mac(store, name, file, generation):
            return ParquetTable((file,))
    return None


def get_chain_path(store: "EvidenceStore", name: str, ending: str) -> Path:
    """Return the path of a file, or of its MAC."""
    return store.derived / f"{name}.{ending}"


def compute_chain_mac(
    store: "EvidenceStore", name: str, file: Path, generation: str
) -> bytes:
    """Compute the MAC of a file and its generation, with the fingerprint key."""
    named = f"{name} {_VERSION} {generation} {compute_file_digest(file)}"
    return store.fingerprint(named).encode()

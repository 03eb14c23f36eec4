"""Chains as a Parquet file in `derived/`, for the view `lineage` and for large stores.

A second file has the number of events of each chain, by outcome. Each file has a MAC
that covers its content and its input: a generation that was computed before the input was
read, and for the counts the MAC of the chains. A file of another input, a damaged or a
foreign file is written again; deleting it is harmless.
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

CHAIN_FILE_VERSION = 4  # raised when the columns of a file change


def find_chain_file(store: "EvidenceStore") -> ParquetTable | None:
    """Find the file of the current chains; None if there is none."""
    return _find_file(store, CHAIN_FILE, compute_chains_generation(store))


def find_chain_counts(store: "EvidenceStore") -> ParquetTable | None:
    """Find the file with the number of events of each chain; None if there is none."""
    return _find_file(store, CHAIN_COUNTS_FILE, read_chain_mac(store, CHAIN_FILE))


def find_chain_file_age(store: "EvidenceStore", now: int) -> int | None:
    """Find how long ago the chain file of any generation was written, in nanoseconds.

    Returns:
        None if there is no file.
    """
    with contextlib.suppress(OSError):
        return now - get_chain_path(store, CHAIN_FILE, "parquet").stat().st_mtime_ns
    return None


def _find_file(
    store: "EvidenceStore", name: str, derived_from: str
) -> ParquetTable | None:
    """Find a file that was derived from an input."""
    if not (mac := read_chain_mac(store, name)):
        return None
    file = get_chain_path(store, name, "parquet")
    is_same = mac == compute_chain_mac(store, name, file, derived_from)
    return ParquetTable((file,)) if is_same else None


def read_chain_mac(store: "EvidenceStore", name: str) -> str:
    """Read the MAC of a file; empty if there is none."""
    with contextlib.suppress(FileNotFoundError, EnvironmentFailure):
        return read_file(get_chain_path(store, name, "mac")).decode("ascii", "replace")
    return ""


def get_chain_path(store: "EvidenceStore", name: str, ending: str) -> Path:
    """Return the path of a file, or of its MAC."""
    return store.derived / f"{name}.{ending}"


def compute_chain_mac(
    store: "EvidenceStore", name: str, file: Path, derived_from: str
) -> str:
    """Compute the MAC of a file and its input, with the fingerprint key."""
    named = f"{name} {CHAIN_FILE_VERSION} {derived_from} {compute_file_digest(file)}"
    return store.fingerprint(named)

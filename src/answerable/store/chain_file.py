"""Chains in Parquet files of `derived/`, for the view `lineage` and for large stores.

A part has the chains of some chain keys, and a file of counts the events of each chain in
one month, by day and outcome. The name of a file has a MAC of its content, and no file
changes. The list of the current files has the generation of their input, which was
computed before the input was read. A missing, damaged or foreign file is derived again;
deleting one is harmless.
"""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.checked_files import select_valid_files
from answerable.store.damaged_segments import compute_file_digest
from answerable.store.durable_files import read_file, write_file
from answerable.store.query_tables import ParquetTable
from answerable.store.store_layout import CHAIN_COUNTS_FOLDER, CHAIN_FOLDER

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

CHAIN_FILE_VERSION = 5  # raised when the columns of a file change
_LIST_FILE = "chains.list"
_EARLIER_VERSIONS = tuple(
    f"{folder}.{ending}"
    for folder in (CHAIN_FOLDER, CHAIN_COUNTS_FOLDER)
    for ending in ("parquet", "mac")
)
_MAC_BYTES = 24


class ChainPart(msgspec.Struct, frozen=True):
    """File with the chains of some chain keys.

    Attributes:
        name: Name of the file.
        keys: Number of chain keys.
    """

    name: str
    keys: int


class MonthCounts(msgspec.Struct, frozen=True):
    """File with the number of events of each chain in one month.

    Attributes:
        name: Name of the file.
        derived_from: Names of the files of chain keys that were counted; none if some of
            their events had no chain yet.
    """

    name: str
    derived_from: tuple[str, ...]


class ChainFileList(msgspec.Struct, frozen=True):
    """Files of the chains of all events.

    Attributes:
        generation: Generation of the events, snapshots and statements.
        parts: Files of the chains.
        next_number: Number of the next chain key; none has had it.
        counts: Files of counts by month; some may be missing.
        is_counted: Whether the counts are those of all events.
        obsolete: Files of the list before, which a question may read.
    """

    generation: str
    parts: tuple[ChainPart, ...] = ()
    next_number: int = 0
    counts: dict[str, MonthCounts] = {}
    is_counted: bool = False
    obsolete: tuple[str, ...] = ()

    def list_names(self) -> tuple[str, ...]:
        """List the names of the current files."""
        return (
            *(each.name for each in self.parts),
            *(each.name for each in self.counts.values()),
        )

    def open_parts(self, store: "EvidenceStore") -> ParquetTable:
        """Open the chains as one table."""
        folder = store.derived / CHAIN_FOLDER
        return ParquetTable(tuple(folder / each.name for each in self.parts))

    def open_counts(self, store: "EvidenceStore") -> ParquetTable:
        """Open the counts as one table; a chain has several rows."""
        folder = store.derived / CHAIN_COUNTS_FOLDER
        return ParquetTable(tuple(folder / e.name for e in self.counts.values()))


def find_chain_file(store: "EvidenceStore") -> ParquetTable | None:
    """Find the files of the current chains; None if there are none."""
    found = load_chain_file_list(store)
    if found is None or found.generation != compute_chains_generation(store):
        return None
    return found.open_parts(store)


def find_counted_chains(
    store: "EvidenceStore",
) -> tuple[ParquetTable, ParquetTable] | None:
    """Find the current chains and their counts; None if there are none."""
    found = load_chain_file_list(store)
    if (
        found is None
        or not found.is_counted
        or found.generation != compute_chains_generation(store)
        or not are_valid_files(store, CHAIN_COUNTS_FOLDER, found.open_counts(store))
    ):
        return None
    return found.open_parts(store), found.open_counts(store)


def find_chain_file_age(store: "EvidenceStore", now: int) -> int | None:
    """Find how long ago the chains of any generation were written, in nanoseconds.

    Returns:
        None if there are none.
    """
    with contextlib.suppress(OSError):
        return now - _get_list_path(store).stat().st_mtime_ns
    return None


def load_chain_file_list(store: "EvidenceStore") -> ChainFileList | None:
    """Load the list of the files of chains of any generation; None without valid ones."""
    with contextlib.suppress(OSError, EnvironmentFailure, msgspec.MsgspecError):
        data = read_file(_get_list_path(store))
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if mac != _compute_list_mac(store, body):
            return None
        found = msgspec.msgpack.decode(body, type=ChainFileList)
        if are_valid_files(store, CHAIN_FOLDER, found.open_parts(store)):
            return found
    return None


def save_chain_file_list(store: "EvidenceStore", files: ChainFileList) -> None:
    """Save the list of the files of chains.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    body = msgspec.msgpack.encode(files)
    mac = _compute_list_mac(store, body)
    write_file(_get_list_path(store), mac + body, sync=False)


def delete_chain_file_list(store: "EvidenceStore") -> None:
    """Delete the list of the files of chains."""
    with contextlib.suppress(OSError):
        _get_list_path(store).unlink()


def remove_obsolete_files(store: "EvidenceStore", files: ChainFileList) -> None:
    """Remove the files that are neither in a list nor in the one before it."""
    kept = {*files.list_names(), *files.obsolete}
    for name in _EARLIER_VERSIONS:
        with contextlib.suppress(OSError):
            (store.derived / name).unlink()
    with contextlib.suppress(OSError):
        for folder in (CHAIN_FOLDER, CHAIN_COUNTS_FOLDER):
            for path in (store.derived / folder).iterdir():
                if path.name not in kept:
                    path.unlink(missing_ok=True)


def compute_file_mac(store: "EvidenceStore", folder: str, file: Path) -> str:
    """Compute the MAC of the content of a file, with the fingerprint key."""
    named = f"{_get_form(folder)} {compute_file_digest(file)}"
    return store.fingerprint(named)


def are_valid_files(store: "EvidenceStore", folder: str, table: ParquetTable) -> bool:
    """Return whether the names of files have the MAC of their content."""

    def has_own_mac(file: Path) -> bool:
        mac = file.stem.rpartition("-")[2]
        return mac == compute_file_mac(store, folder, file)

    found = select_valid_files(store, _get_form(folder), table.files, has_own_mac)
    return found == [*table.files]


def _get_form(folder: str) -> str:
    """Return the name and the version of the files of a folder."""
    return f"{folder} {CHAIN_FILE_VERSION}"


def _get_list_path(store: "EvidenceStore") -> Path:
    """Return the path of the list of files."""
    return store.derived / _LIST_FILE


def _compute_list_mac(store: "EvidenceStore", body: bytes) -> bytes:
    """Compute the MAC of a list of files, with the fingerprint key."""
    from hashlib import sha256

    named = f"chain files {CHAIN_FILE_VERSION} {sha256(body).hexdigest()}"
    return store.fingerprint(named).encode()

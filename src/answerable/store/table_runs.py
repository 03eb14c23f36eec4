"""Tables that are derived part by part: each part is written, and all are merged by key.

No part is in memory while the next one is derived, nor while they are merged.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from answerable.store.block_file import BlockFile, encode_block_file
from answerable.store.durable_files import write_file
from answerable.store.erasure_guard import put_derived_file
from answerable.store.temporary_folders import RUNS_PREFIX, make_temporary_folder

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

RowT = TypeVar("RowT")
JoinedT = TypeVar("JoinedT")


PutFile = Callable[[], AbstractContextManager[None]]


@contextmanager
def open_runs_folder(
    store: "EvidenceStore", erasures: int
) -> Iterator[tuple[Path, PutFile]]:
    """Make a folder for parts, removed at the end; with the context to write a file in.

    Args:
        store: The store.
        erasures: Number of erasures, counted before the input was read.

    Raises:
        EnvironmentFailure: It cannot be made.
    """
    put = partial(put_derived_file, store.layout, store.log, erasures)
    with make_temporary_folder(store.derived, RUNS_PREFIX) as folder:
        yield folder, put


class TableRuns:
    """Parts of tables, one block file per part, in a folder of their own."""

    def __init__(self, folder: Path, put: PutFile = nullcontext) -> None:
        """Keep an empty folder, which the caller removes.

        Args:
            folder: Folder of the files.
            put: Context in which a file is written, see `open_runs_folder`.
        """
        self._folder, self._put = folder, put
        self._key = secrets.token_bytes(32)  # nothing else may write a part
        self._files: list[BlockFile] = []

    def add(self, tables: Mapping[str, Iterable[tuple[str, object]]]) -> None:
        """Write the tables of one part, each with keys ascending and unique.

        Raises:
            EnvironmentFailure: The disk is full or fails, or something was erased.
        """
        name = str(len(self._files))
        path = self._folder / name
        with self._put():
            write_file(path, encode_block_file(name, tables, self._key), sync=False)
        self._files.append(BlockFile(path, name, self._key))

    def merge(self, name: str) -> Iterator[tuple[str, object]]:
        """Yield the rows of a table of all parts by key, as they are encoded.

        A key that several parts have is yielded several times, in the order of parts.
        """
        sections = (file.section(name, object) for file in self._files)
        rows = [each.iter_encoded_rows() for each in sections]
        return merge(*rows, key=_get_key)

    def combine(
        self, name: str, kind: type[RowT], join: Callable[[list[RowT]], JoinedT]
    ) -> Iterator[tuple[str, JoinedT]]:
        """Yield the rows of a table of all parts by key; equal keys give one row.

        Args:
            name: Name of the table.
            kind: Type of its rows.
            join: Joins the rows of one key, which are in the order of parts.
        """
        sections = (file.section(name, kind) for file in self._files)
        rows = merge(*(each.iter_rows() for each in sections), key=_get_key)
        for key, equal in groupby(rows, key=_get_key):
            found = [row for _, row in equal]
            yield key, join(found)

    def select_keys(self, name: str, wanted: Collection[str]) -> frozenset[str]:
        """Select the keys that a table of any part has, in one pass over its rows."""
        sections = (file.section(name, object) for file in self._files)
        keys = (key for each in sections for key in each) if wanted else ()
        return frozenset(key for key in keys if key in wanted)


def _get_key(row: tuple[str, object]) -> str:
    """Return the key of a row."""
    return row[0]

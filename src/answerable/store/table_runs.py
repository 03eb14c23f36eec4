"""Tables that are derived part by part: each part is written, and all are merged by key.

No part is in memory while the next one is derived, nor while they are merged.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from answerable.store.block_file import BlockFile, encode_block_file
from answerable.store.durable_files import write_file

RowT = TypeVar("RowT")
JoinedT = TypeVar("JoinedT")


class TableRuns:
    """Parts of tables, one block file per part, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Keep an empty folder, which the caller removes."""
        self._folder = folder
        self._key = secrets.token_bytes(32)  # nothing else may write a part
        self._files: list[BlockFile] = []

    def add(self, tables: Mapping[str, Iterable[tuple[str, object]]]) -> None:
        """Write the tables of one part, each with keys ascending and unique.

        Raises:
            EnvironmentFailure: The disk is full or fails.
        """
        name = str(len(self._files))
        path = self._folder / name
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

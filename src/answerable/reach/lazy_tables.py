"""Sequences and mappings over stored tables, whose rows are decoded on access."""

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar, overload

from answerable.model.inventory import DerivedTables

Key = TypeVar("Key", bound=str)
Row = TypeVar("Row")
Value = TypeVar("Value")


def encode_number_key(number: int) -> str:
    """Encode a number as a key that sorts in numeric order."""
    return f"{number:010}"


def encode_unsigned_numbers(numbers: Iterable[int]) -> bytes:
    """Encode unsigned 32-bit numbers, little-endian."""
    found = array("I", numbers)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def decode_unsigned_numbers(data: bytes) -> "array[int]":
    """Decode numbers written by `encode_unsigned_numbers`."""
    found = array("I")
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


class LazySequence(Sequence[Value], Generic[Value]):
    """Sequence whose values are read on first use."""

    def __init__(self, size: int, read: Callable[[int], Value]) -> None:
        self._size, self._read = size, read
        self._found: dict[int, Value] = {}

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, number: int) -> Value: ...
    @overload
    def __getitem__(self, number: slice) -> list[Value]: ...
    def __getitem__(self, number: int | slice) -> Value | list[Value]:
        if isinstance(number, slice):
            return [self[n] for n in range(*number.indices(self._size))]
        found = self._found.get(number)
        if found is None:
            place = number + self._size if number < 0 else number
            if not 0 <= place < self._size:
                raise IndexError(number)
            found = self._found[number] = self._read(place)
        return found

    def __iter__(self) -> Iterator[Value]:
        return map(self.__getitem__, range(self._size))


class LazyMapping(Mapping[Key, Value], Generic[Key, Row, Value]):
    """Mapping whose rows are decoded on first use."""

    def __init__(
        self, rows: Mapping[str, Row], read: Callable[[Key, Row], Value]
    ) -> None:
        self._rows, self._read = rows, read
        self._found: dict[Key, Value] = {}

    def __getitem__(self, key: Key) -> Value:
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._read(key, self._rows[key])
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._found or key in self._rows

    def __iter__(self) -> Iterator[Key]:
        return iter(self._rows)  # type: ignore[arg-type]  # keys are ids in the table

    def __len__(self) -> int:
        return len(self._rows)


def encode_groups(
    sizes: Mapping[str, int], list_ids: Callable[[str], Iterable[str]]
) -> dict[str, Iterable[tuple[str, object]]]:
    """Encode groups of ids as tables: their sizes, and the ids of each in order.

    Args:
        sizes: Number of ids by group.
        list_ids: Lists the ids of a group, when its table is read.
    """
    return {
        "sizes": sorted(sizes.items()),
        **{f"ids {name}": _number_ids(name, list_ids) for name in sizes},
    }


def _number_ids(
    name: str, list_ids: Callable[[str], Iterable[str]]
) -> Iterator[tuple[str, object]]:
    """Yield the ids of a group by number."""
    for number, key in enumerate(list_ids(name)):
        yield encode_number_key(number), key


def restore_groups(
    stored: DerivedTables, read: Callable[[str], Value]
) -> dict[str, LazySequence[Value]]:
    """Restore groups from tables of ids; a value is read by its id on first use."""

    def restore(name: str, size: int) -> LazySequence[Value]:
        ids = stored.section(f"ids {name}", str)
        return LazySequence(size, lambda number: read(ids[encode_number_key(number)]))

    sizes = stored.section("sizes", int)
    return {name: restore(name, size) for name, size in sizes.items()}

"""Sets and numbers as bytes, and tables of them that are read by row.

A set with few members is written as their numbers, any other as its bits.
"""

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar, overload

from answerable.reach.bits.planes import gathered, positions

_NUMBERS, _BITS = b"n", b"b"
_DENSE = 32  # bits of a number
Value = TypeVar("Value")


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """Write numbers of 32 bits, little-endian."""
    found = array("I", numbers)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def unpack_numbers(data: bytes) -> "array[int]":
    """Read what `pack_numbers` wrote."""
    found = array("I")
    found.frombytes(data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def pack_set(bits: int) -> bytes:
    """Write a set."""
    if bits.bit_count() * _DENSE < bits.bit_length():
        return _NUMBERS + pack_numbers(positions(bits))
    return _BITS + bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def unpack_set(data: bytes) -> int:
    """Read what `pack_set` wrote."""
    if data[:1] == _BITS:
        return int.from_bytes(data[1:], "little")
    numbers = list(unpack_numbers(data[1:]))
    return gathered(numbers, numbers[-1] + 1) if numbers else 0


def number_key(number: int) -> str:
    """Spell a number as a key that sorts by it."""
    return f"{number:010}"


class ReadSequence(Sequence[Value], Generic[Value]):
    """A sequence whose values are read when they are first asked for."""

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


class ReadMapping(Mapping[str, Value], Generic[Value]):
    """A table whose rows are turned into values when they are read."""

    def __init__(
        self, rows: Mapping[str, bytes], read: Callable[[bytes], Value]
    ) -> None:
        self._rows, self._read = rows, read
        self._found: dict[str, Value] = {}

    def __getitem__(self, key: str) -> Value:
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._read(self._rows[key])
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

"""Encoding of bitsets as bytes.

A sparse set is written as the numbers of its members, any other as its bits.
"""

from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.lazy_tables import pack_numbers, unpack_numbers

_NUMBERS, _BITS = b"n", b"b"
_DENSE = 32  # bits of a number


def pack_set(bits: int) -> bytes:
    """Encode a bitset."""
    if bits.bit_count() * _DENSE < bits.bit_length():
        return _NUMBERS + pack_numbers(positions(bits))
    return _BITS + bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def unpack_set(data: bytes) -> int:
    """Decode a bitset written by `pack_set`."""
    if data[:1] == _BITS:
        return int.from_bytes(data[1:], "little")
    numbers = list(unpack_numbers(data[1:]))
    return gathered(numbers, numbers[-1] + 1) if numbers else 0

"""Sets and numbers as bytes.

A set with few members is written as their numbers, any other as its bits.
"""

from answerable.reach.bits.planes import gathered, positions
from answerable.reach.lazy import pack_numbers, unpack_numbers

_NUMBERS, _BITS = b"n", b"b"
_DENSE = 32  # bits of a number


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

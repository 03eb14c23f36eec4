"""Encode bitsets as bytes, and decode them.

A sparse set is written as the numbers of its members, any other as its bits.
"""

from answerable.reach.aws.bulk.bitset import build_bitset, list_positions
from answerable.reach.lazy_tables import (
    decode_unsigned_numbers,
    encode_unsigned_numbers,
)

_NUMBERS, _BITS = b"n", b"b"
_DENSE = 32  # bits of a number


def encode_bitset(bits: int) -> bytes:
    """Encode a bitset as bytes: member numbers if sparse, else its bits."""
    if bits.bit_count() * _DENSE < bits.bit_length():
        return _NUMBERS + encode_unsigned_numbers(list_positions(bits))
    return _BITS + bits.to_bytes((bits.bit_length() + 7) // 8, "little")


def decode_bitset(data: bytes) -> int:
    """Decode a bitset written by `encode_bitset`."""
    if data[:1] == _BITS:
        return int.from_bytes(data[1:], "little")
    numbers = list(decode_unsigned_numbers(data[1:]))
    return build_bitset(numbers, numbers[-1] + 1) if numbers else 0

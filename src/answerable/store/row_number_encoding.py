"""Encode row numbers of a segment: 4 bytes each, big endian."""

import struct
from collections.abc import Sequence

from answerable.model.errors import VerificationError

_BYTES = 4


def encode_row_numbers(rows: Sequence[int]) -> bytes:
    """Encode row numbers in the given order."""
    return struct.pack(f">{len(rows)}I", *rows)


def decode_row_numbers(data: bytes) -> list[int]:
    """Decode row numbers.

    Raises:
        VerificationError: The length is not a multiple of 4 bytes.
    """
    if len(data) % _BYTES:
        raise VerificationError("a list of row numbers is truncated")
    return list(struct.unpack(f">{len(data) // _BYTES}I", data))

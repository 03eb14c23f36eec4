"""Bloom filter of texts as bytes: 10 bits and 7 probes per text, 1 % false positives."""

import hashlib
from collections.abc import Collection

_BITS_PER_TEXT = 10
_PROBES = 7
_ONE = ord("1")
TextHash = tuple[int, int]


def hash_text(text: str) -> TextHash:
    """Hash a text for the probes of a filter of any size."""
    digest = hashlib.blake2b(
        text.encode("utf-8", "surrogatepass"), digest_size=16
    ).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big") | 1


def build_bloom_filter(texts: Collection[str]) -> bytes:
    """Build the filter of some texts; at least one byte."""
    count = (len(texts) * _BITS_PER_TEXT + 7) // 8 or 1
    size = count * 8
    digits = bytearray(b"0") * size  # a digit is set faster than a bit
    for text in texts:
        start, step = hash_text(text)
        start, step = start % size, step % size
        for at in range(start, start + _PROBES * step, step) if step else (start,):
            digits[at % size] = _ONE
    digits.reverse()
    return int(digits, 2).to_bytes(count, "little")


def may_contain(bits: bytes, hashed: TextHash) -> bool:
    """Return False only if a filter was built without this text."""
    start, step = hashed
    size = len(bits) * 8
    for _ in range(_PROBES):
        at = start % size
        if not bits[at >> 3] >> (at & 7) & 1:
            return False
        start += step
    return True

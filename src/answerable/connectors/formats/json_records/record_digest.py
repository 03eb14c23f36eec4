"""Compute the digest of a record, equal for its pretty-printed copies."""

import hashlib

import msgspec


def digest_without_whitespace(raw: bytes) -> bytes:
    """Hash a record without white space between tokens (SHA-256).

    A pretty-printed copy is then no conflict with the original. The first keys show
    whether it was pretty-printed.
    """
    head = raw[:64]
    if b'": ' in head or b"\n" in head or b'" :' in head:
        raw = msgspec.json.format(raw, indent=-1)
    return hashlib.sha256(raw).digest()

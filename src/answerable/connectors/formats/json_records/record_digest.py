"""Compute the digest of a record, equal for its pretty-printed copies."""

import hashlib

import msgspec

HEAD_BYTES = 64


def digest_without_whitespace(raw: bytes) -> bytes:
    """Hash a record without white space between tokens (SHA-256).

    A pretty-printed copy is then no conflict with the original.
    """
    if is_pretty_printed(raw[:HEAD_BYTES]):
        raw = msgspec.json.format(raw, indent=-1)
    return hashlib.sha256(raw).digest()


def is_pretty_printed(head: bytes) -> bool:
    """Return whether the first bytes of a record have white space between tokens."""
    if b" " in head and (b'": ' in head or b'" :' in head):
        return True
    return b"\n" in head

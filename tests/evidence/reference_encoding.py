"""A slow, obvious RFC 8785 encoder and tree: what the fast ones are held equal to."""

import dataclasses
import hashlib
from enum import Enum
from typing import Any

from answerable.model.event import AuditEvent

SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def jcs(value: Any) -> str:
    """RFC 8785 3.2, for the values that an event can hold."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        assert abs(value) <= 2**53, "RFC 8785 numbers are doubles"
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(_letter, value)) + '"'
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(jcs, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(f"{jcs(key)}:{jcs(value[key])}" for key in keys) + "}"


def _letter(letter: str) -> str:
    number = ord(letter)
    if number in SHORT:
        return SHORT[number]
    return f"\\u{number:04x}" if number < 32 else letter


def encode(event: AuditEvent) -> bytes:
    """The canonical encoding, word for word as docs/evidence.md says it."""
    members: dict[str, Any] = {}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if field.default is not dataclasses.MISSING and value == field.default:
            continue
        members[field.name] = _plain(value)
    return jcs(members).encode("utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and abs(value) > 2**53:
        return str(value)
    return value


def tree(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1, as written there."""
    size = len(leaves)
    if size == 0:
        return hashlib.sha256(b"").digest()
    if size == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < size:
        split *= 2
    left, right = tree(leaves[:split]), tree(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 2.1.1, as written there."""
    size = len(leaves)
    if size == 1:
        return []
    split = 1
    while split * 2 < size:
        split *= 2
    if index < split:
        return [*path(index, leaves[:split]), tree(leaves[split:])]
    return [*path(index - split, leaves[split:]), tree(leaves[:split])]


def proof(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """PROOF and SUBPROOF of RFC 6962 2.1.2, as written there."""
    size = len(leaves)
    if old == size:
        return [] if whole else [tree(leaves)]
    split = 1
    while split * 2 < size:
        split *= 2
    if old <= split:
        return [*proof(old, leaves[:split], whole), tree(leaves[split:])]
    return [*proof(old - split, leaves[split:], False), tree(leaves[:split])]

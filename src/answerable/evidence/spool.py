r"""The spool's format: a recorder's records as JSON lines, each chained to the last.

    RECORDER/000001.jsonl ...   lines, in the order of their sequence numbers
    line    record, its last brace replaced by `,"chain":"` HEX `"}` and a line end

The first chain hash is SHA-256 of `answerable spool 1\n`, the recorder's name and a
line end; each next one SHA-256(chain before || bytes of the record as it was without
the chain). A line without its end was cut by a crash and was never acknowledged.

No line holds a zero byte. Those at the end of a file are room for lines to come. Whoever
reads while a recorder writes takes nothing from the first of them on: lines take their
place from one read to the next. Of a recorder that has ended, zero bytes before a line
are what a power loss left of a group that was never acknowledged.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from answerable.model.errors import ParseError
from answerable.model.record import Act, Record

_MAGIC = b"answerable spool 1\n"
_CHAIN = b',"chain":"'
_END = b'"}\n'
# What follows the record's own bytes, less its brace.
_TAIL = len(_CHAIN) + 64 + len(_END)

encode = msgspec.json.Encoder().encode


class _Decided(msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="decided"):
    """A `Decided`, of which two parts are spelled already."""

    sequence: int
    at: int
    id: str
    caller: msgspec.Raw
    act: Act
    decision: msgspec.Raw


_decode = msgspec.json.Decoder(Record, strict=True).decode


def encode_decided(
    sequence: int,
    at: int,
    id: str,
    caller: msgspec.Raw,
    act: Act,
    decision: msgspec.Raw,
) -> bytes:
    """Encode a `Decided`, of whose caller and decision many records say the same.

    Args:
        sequence: Its number.
        at: UTC nanoseconds.
        id: Decision id.
        caller: Encoded.
        act: What was asked.
        decision: Encoded.
    """
    return encode(_Decided(sequence, at, id, caller, act, decision))


def chain_start(recorder: str) -> bytes:
    """Give the chain hash before the first record."""
    return hashlib.sha256(_MAGIC + recorder.encode() + b"\n").digest()


def lines(records: Iterable[bytes], chain: bytes) -> tuple[bytes, bytes]:
    """Make lines of encoded records.

    Returns:
        The lines, and the chain hash after the last.
    """
    sha256 = hashlib.sha256
    made: list[bytes] = []
    for record in records:
        chain = sha256(chain + record).digest()
        made.append(b'%b,"chain":"%b"}\n' % (record[:-1], chain.hex().encode()))
    return b"".join(made), chain


def read_line(line: bytes) -> tuple[Record, bytes, bytes]:
    """Take a line apart.

    Args:
        line: With its end.

    Returns:
        The record, its bytes as they were chained, and the chain hash after it. Whether
        that is so, `follows` tells.

    Raises:
        ParseError: It is no line of a spool.
    """
    start = len(line) - _TAIL
    if start < 0 or line[start : start + len(_CHAIN)] != _CHAIN or line[-3:] != _END:
        raise ParseError("not a line of a spool")
    raw = line[:start] + b"}"
    spelled = line[start + len(_CHAIN) : -len(_END)]
    try:
        chain = bytes.fromhex(spelled.decode("ascii"))
        record = _decode(raw)
    except (ValueError, RecursionError):
        raise ParseError("not a record of a gateway") from None
    if chain.hex().encode() != spelled:  # capitals, or blanks
        raise ParseError("not a record of a gateway")
    return record, raw, chain


def follows(raw: bytes, chain: bytes, before: bytes) -> bool:
    """Tell whether a record stands where it was written."""
    return hashlib.sha256(before + raw).digest() == chain

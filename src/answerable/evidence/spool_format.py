r"""Encode and verify the spool format: records as JSON lines in a hash chain.

  RECORDER/000001.jsonl ...   lines, in the order of their sequence numbers
  line    record, its last brace replaced by `,"chain":"` HEX `"}` and a line end

The first chain hash is SHA-256 of `answerable spool 1\n`, the recorder's name and a
line end; each next one SHA-256(chain before || bytes of the record without the chain).
A line without its end was cut by a crash and was never acknowledged.

No line holds a zero byte. Zero bytes at the end of a file are preallocated space, and a
reader of a live spool stops at the first. In the spool of a finished recorder, zero
bytes before a line are the remains of an unacknowledged group after a power loss.
"""

import hashlib
from collections.abc import Iterable

import msgspec

from answerable.model.errors import ParseError
from answerable.model.spool_record import CallSummary, SpoolRecord

_MAGIC = b"answerable spool 1\n"
_CHAIN = b',"chain":"'
_END = b'"}\n'
# Length of the chain member and line end after the record.
_TAIL = len(_CHAIN) + 64 + len(_END)

encode_record = msgspec.json.Encoder().encode


class _EncodedDecision(
    msgspec.Struct, frozen=True, gc=False, tag_field="kind", tag="decided"
):
    """Decision record whose caller and decision are already encoded."""

    sequence: int
    at: int
    id: str
    caller: msgspec.Raw
    act: CallSummary
    decision: msgspec.Raw


_decode = msgspec.json.Decoder(SpoolRecord, strict=True).decode


def encode_decision(
    sequence: int,
    at: int,
    id: str,
    caller: msgspec.Raw,
    call: CallSummary,
    decision: msgspec.Raw,
) -> bytes:
    """Encode a decision record from an encoded caller and decision.

    Args:
        at: UTC nanoseconds.
        caller: Encoded JSON, shared by many records.
        decision: Encoded JSON, shared by many records.
    """
    return encode_record(_EncodedDecision(sequence, at, id, caller, call, decision))


def initial_chain_hash(recorder: str) -> bytes:
    """Return the chain hash before the first record."""
    return hashlib.sha256(_MAGIC + recorder.encode() + b"\n").digest()


def encode_spool_lines(records: Iterable[bytes], chain: bytes) -> tuple[bytes, bytes]:
    """Encode records as spool lines and extend the chain hash.

    Returns:
        The lines, and the chain hash after the last.
    """
    sha256 = hashlib.sha256
    made: list[bytes] = []
    for record in records:
        chain = sha256(chain + record).digest()
        made.append(b'%b,"chain":"%b"}\n' % (record[:-1], chain.hex().encode()))
    return b"".join(made), chain


def parse_spool_line(line: bytes) -> tuple[SpoolRecord, bytes, bytes]:
    """Parse a line into its record, raw bytes and chain hash.

    Args:
        line: Including the line end.

    Returns:
        The record, its chained bytes, and the chain hash after it, which `verify_chain_hash`
            verifies.

    Raises:
        ParseError: The line is malformed.
    """
    start = len(line) - _TAIL
    if start < 0 or line[start : start + len(_CHAIN)] != _CHAIN or line[-3:] != _END:
        raise ParseError("not a spool line")
    raw = line[:start] + b"}"
    spelled = line[start + len(_CHAIN) : -len(_END)]
    try:
        chain = bytes.fromhex(spelled.decode("ascii"))
        record = _decode(raw)
    except (ValueError, RecursionError):
        raise ParseError("not a gateway record") from None
    if chain.hex().encode() != spelled:  # capitals, or blanks
        raise ParseError("not a gateway record")
    return record, raw, chain


def verify_chain_hash(raw: bytes, chain: bytes, before: bytes) -> bool:
    """Return whether a record's chain hash follows from the one before it."""
    return hashlib.sha256(before + raw).digest() == chain

"""Encode and decode the records of an investigation case.

Each act on a case (opened, an item added, a note, closed) is one object of the store
with its own entry in the log, so that the history of a case is append-only.
"""

from enum import StrEnum

import msgspec

from answerable.model.errors import VerificationError

CASE_RECORD = "case"  # kind of the stored objects


class CaseRecordKind(StrEnum):
    """Kind of a case record."""

    OPENED = "opened"
    EVENT = "event"
    DECISION = "decision"
    FINDING = "finding"
    NOTE = "note"
    ASSIGNED = "assigned"
    CLOSED = "closed"


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One act on a case.

    Attributes:
        case: Id of the case, 12 hex digits.
        kind: Kind of the act.
        at: UTC nanoseconds as a decimal string.
        by: Login name of the operating system that ran the command; not verified.
        value: Id of the added event, decision or finding, or of the assigned person;
            else empty.
        text: Title, note or reason; of a finding its title and subject.
        schema: Version of this shape.
    """

    case: str
    kind: CaseRecordKind
    at: str
    by: str
    value: str = ""
    text: str = ""
    schema: int = 1


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(CaseRecord, strict=True)


def encode_case_record(record: CaseRecord) -> bytes:
    """Encode a record as canonical JSON."""
    return _encoder.encode(record)


def decode_case_record(data: bytes) -> CaseRecord:
    """Decode a record; unknown members are rejected.

    Raises:
        VerificationError: It is malformed, or a later release wrote it.
    """
    try:
        return _decoder.decode(data)
    except (ValueError, RecursionError):
        raise VerificationError(
            "a record of a case has a form that this release does not support"
        ) from None

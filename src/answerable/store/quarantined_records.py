"""Encode records that could not be parsed as an object, and decode it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from answerable.model.event import QuarantinedRecord


class _KeptRecord(msgspec.Struct):
    """Quarantined record as encoded in its object."""

    place: str
    offset: int
    why: str
    raw: bytes


def encode_quarantined_records(records: "Iterable[QuarantinedRecord]") -> bytes:
    """Encode quarantined records as the content of one object."""
    return msgspec.json.encode(
        [
            _KeptRecord(
                _escape_surrogates(each.place),
                each.offset,
                _escape_surrogates(each.why),
                each.raw,
            )
            for each in records
        ]
    )


def decode_quarantined_records(data: bytes) -> list[bytes]:
    """Return the bytes of the quarantined records of one object."""
    kept = msgspec.json.decode(data, type=list[_KeptRecord])
    return [each.raw for each in kept]


def _escape_surrogates(text: str) -> str:
    """Escape characters that UTF-8 cannot encode, as in a file name."""
    return text.encode("utf-8", "backslashreplace").decode()

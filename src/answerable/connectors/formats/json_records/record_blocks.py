"""Blocks of consecutive JSON records: where one ends, and the place of each."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate, compress, repeat
from typing import NamedTuple

import msgspec

_BLANK = b" \t\r\n"
_BETWEEN = _BLANK + b","


class RecordPiece(NamedTuple):
    """Record with its offset, or a refusal reason.

    Attributes:
        offset: Offset in the decompressed stream.
        raw: The record, or the beginning of the refused bytes.
        refusal_reason: Empty for a record.
    """

    offset: int
    raw: bytes
    refusal_reason: str = ""


# Of three values: the constructor of a named tuple is slower.
_MAKE_PIECE = partial(tuple.__new__, RecordPiece)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])


def decode_record_block(
    buffer: bytearray, start: int, end: int
) -> tuple[Sequence[int], list[bytes]] | None:
    """Decode values between commas in a part of a buffer; None if one is not whole.

    Returns:
        The place of each value after the start of the part, and the values.
    """
    with memoryview(buffer) as view:
        block = b"".join((b"[", view[start:end], b"]"))
    try:
        records = list(map(bytes, _RAWS.decode(block)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    sizes = list(map(len, records))
    if sum(sizes) + len(sizes) - 1 == end - start:  # nothing but a comma between two
        return _list_places(sizes), records
    places: list[int] = []
    at = 1
    for size in sizes:
        while block[at] in _BETWEEN:
            at += 1
        places.append(at - 1)
        at += size
    return places, records


def split_lines(text: bytes) -> tuple[Sequence[int], list[bytes]]:
    """Split text into lines that are not blank, stripped, with the place of each."""
    lines = text.split(b"\n")
    places = _list_places(list(map(len, lines)))
    bare = list(map(bytes.strip, lines))
    return list(compress(places, bare)), list(filter(None, bare))


def _list_places(sizes: Sequence[int]) -> list[int]:
    """List the places of values of these sizes, with one byte after each."""
    return list(accumulate(map((1).__add__, sizes[:-1]), initial=0))


def make_record_pieces(
    offset: int, places: Iterable[int], records: Iterable[bytes]
) -> Iterable[RecordPiece]:
    """Make pieces of records at places after an offset."""
    offsets = map(offset.__add__, places)
    return map(_MAKE_PIECE, zip(offsets, records, repeat("")))


def locate_records(
    value: bytes, records: Iterable[msgspec.Raw | bytes], start: int = 0
) -> Iterator[tuple[int, bytes]]:
    """Yield records that lie in a value in this order, each with its place.

    Args:
        value: Value that contains them.
        records: Its records.
        start: Place in the value from which they are searched.
    """
    for raw in records:
        record = bytes(raw)
        start = value.find(record, start)
        yield start, record
        start += len(record)


def find_record_boundary(buffer: bytearray, key: int) -> int:
    """Find the end of the previous record, before a record's first key."""
    at = key - 1
    for wanted in (0x7B, 0x2C, 0x7D):
        while at >= 0 and buffer[at] in _BLANK:
            at -= 1
        if at < 0 or buffer[at] != wanted:
            return -1
        at -= 1
    return at + 2

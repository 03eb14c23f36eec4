"""Blocks of consecutive JSON records: where one ends, and the place of each."""

from collections.abc import Iterable, Iterator

import msgspec

_BLANK = b" \t\r\n"
_BETWEEN = _BLANK + b","
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])


def decode_record_block(block: bytes) -> list[tuple[int, bytes]] | None:
    """Decode values between commas, each with its place; None if one is not whole."""
    try:
        raws = _RAWS.decode(b"[" + block + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    found: list[tuple[int, bytes]] = []
    at = 0
    for raw in raws:
        while block[at] in _BETWEEN:
            at += 1
        record = bytes(raw)
        found.append((at, record))
        at += len(record)
    return found


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

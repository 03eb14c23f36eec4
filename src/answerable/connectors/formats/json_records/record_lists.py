"""Find and decode lists of records in their wrappers: `{"Records": [...]}`."""

import re
from collections.abc import Sequence
from itertools import chain

import msgspec

from answerable.connectors.formats.json_records.record_blocks import locate_records
from answerable.connectors.formats.json_records.repeated_keys import has_repeated_keys

LOOKAHEAD_BYTES = 512
_MAX_WRAPPER_LINE = 256 << 10
_QUOTES_OF_A_NAME = 2  # of one member, as no name has an escaped quote
_RAW = msgspec.json.Decoder(msgspec.Raw)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
# Members before the list: scalars and flat objects.
_OTHER_MEMBERS = (
    rb'(?:"[^"\\]{1,64}"\s*:\s*'
    rb'(?:"[^"\\]*"|true|false|null|-?[\d.]+|\{[^{}\[\]]*\})\s*,\s*)*'
)


class RecordLists:
    """Lists of records in documents of one log format.

    Args:
        names: Members that may hold the list.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._marks = tuple(f'"{name}"'.encode() for name in names)
        alternatives = "|".join(map(re.escape, names)).encode() or rb"(?!)"
        self._further = re.compile(rb'"(?:' + alternatives + rb')"\s*:\s*\[\s*[^\]\s]')
        self._wrapper = re.compile(
            rb"(\{\s*"
            + _OTHER_MEMBERS
            + rb'"(?:'
            + alternatives
            + rb')"\s*:\s*\[)[\s\S]*'
        )

    def may_be_in(self, text: bytes) -> bool:
        """Return False only if no value in a text wraps a list."""
        return any(mark in text for mark in self._marks)

    def find_start(self, head: bytes) -> int:
        """Return the offset after the opening bracket of a wrapped list, 0 for none."""
        if not self.may_be_in(head):
            return 0
        wrapper = self._wrapper.fullmatch(head)
        return wrapper.end(1) if wrapper else 0

    def are_in_rest(self, text: bytes | bytearray) -> bool:
        """Return whether a list that is not empty begins in the rest of a wrapper."""
        return self._further.search(text) is not None

    def decode(
        self, value: bytes, *, search_members: bool
    ) -> Sequence[msgspec.Raw] | None:
        """Decode the records in a wrapper, in order; None if the value is no wrapper.

        It may have several lists, but no name twice: parsers could disagree about it.

        Args:
            value: Complete JSON value.
            search_members: True to search for the list behind other members, too.
        """
        named = search_members and self.may_be_in(value)
        if not named and not self.find_start(value[:LOOKAHEAD_BYTES]):
            return None
        try:
            members = _MEMBERS.decode(value)
            lists = [
                _ITEMS.decode(member)
                for name, member in members.items()
                if name in self._names and _get_first_byte(member) == b"["
            ]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        marks = sum(value.count(mark) for mark in self._marks)
        if not lists or (marks > len(lists) and has_repeated_keys(value)):
            return None
        return list(chain.from_iterable(lists))

    def split_lines(
        self, buffer: bytearray, at: int, start: int
    ) -> tuple[list[tuple[int, bytes]], int]:
        """Split short lines that each wrap one list of objects.

        Args:
            buffer: Lines.
            at: Place of the first line.
            start: Offset of the first record in that line.

        Returns:
            Each record with its place, and the end of the last such line.
        """
        end = buffer.find(b"\n", at, at + _MAX_WRAPPER_LINE)
        line = bytes(buffer[at : max(end, at)])
        records, found = self._decode_objects(line), []
        head = line[:start]
        while records is not None:
            located = locate_records(line, records, start)
            found += [(at + offset, record) for offset, record in located]
            at, end = end, buffer.find(b"\n", end + 1, end + _MAX_WRAPPER_LINE)
            line = bytes(buffer[at + 1 : max(end, at + 1)])
            records = self._decode_single_member(line, head)
            if records is None:
                return found, at
            at += 1
        return found, at

    def _decode_objects(self, value: bytes) -> Sequence[msgspec.Raw] | None:
        """Decode the records of a wrapper if all are objects; else None."""
        records = self.decode(value, search_members=True)
        if records is None or any(_get_first_byte(each) != b"{" for each in records):
            return None
        return records

    def _decode_single_member(
        self, value: bytes, head: bytes
    ) -> Sequence[msgspec.Raw] | None:
        """Decode the objects of a wrapper whose list is its only member; else None.

        Args:
            value: Complete JSON value.
            head: Its beginning, up to the opening bracket of the list.
        """
        if not value.startswith(head) or head.count(b'"') != _QUOTES_OF_A_NAME:
            return None
        try:
            records = _ITEMS.decode(value[len(head) - 1 : -1])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        is_closed = value.endswith(b"}")
        if not is_closed or any(_get_first_byte(each) != b"{" for each in records):
            return None
        return records


def _get_first_byte(value: msgspec.Raw | bytes) -> bytes:
    """Return the first byte of an encoded value, without a copy of the value."""
    return bytes(memoryview(value)[:1])


def is_valid_json(value: bytes) -> bool:
    """Return whether bytes are one complete JSON value."""
    try:
        _RAW.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True

"""Find and decode lists of records in their wrappers: `{"Records": [...]}`."""

import re
from collections.abc import Sequence

import msgspec

LOOKAHEAD_BYTES = 512
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

    def decode(
        self, value: bytes, *, search_members: bool
    ) -> Sequence[msgspec.Raw] | None:
        """Decode the records in a wrapper; None if the value is no wrapper.

        Args:
            value: Complete JSON value.
            search_members: True to search for the list behind other members, too.
        """
        named = search_members and self.may_be_in(value)
        if not named and not self.find_start(value[:LOOKAHEAD_BYTES]):
            return None
        try:
            members = _MEMBERS.decode(value)
            for name in self._names:
                if _get_first_byte(members.get(name, b"")) == b"[":
                    return _ITEMS.decode(members[name])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return None

    def decode_only_list(self, value: bytes) -> Sequence[msgspec.Raw] | None:
        """Decode the records of a wrapper with one list of objects; else None."""
        if sum(value.count(mark) for mark in self._marks) != 1:
            return None
        records = self.decode(value, search_members=True)
        if records is None or any(_get_first_byte(each) != b"{" for each in records):
            return None
        return records

    def decode_single_member(
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

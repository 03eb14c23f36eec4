"""Splitter of a CloudTrail JSON stream into records, with flat memory.

A log file is `{"Records": [...]}`; answers of `lookup-events` and CloudTrail Lake are
`{"Events": [...]}` and `{"QueryResultRows": [...]}`; copies are lists, one record per
line, or concatenated values. A bounded part of the file is kept in memory.

The fast path cuts the buffer at the apparent start of a record and lets the decoder
confirm it: a prefix that decodes as a list of complete values was cut between two
values. If that fails, brackets are counted.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

import msgspec

from answerable.connectors.cloudtrail.parse.json_scanner import (
    CLOSE,
    OPEN,
    QUOTE,
    Scan,
    TooDeepError,
)
from answerable.connectors.cloudtrail.parse.record_types import Envelope
from answerable.model.connector import EventLimits

_BLANK = b" \t\r\n"
_BETWEEN = _BLANK + b","
_BLANKS = re.compile(rb"[ \t\r\n]*")
_SEPARATORS = re.compile(rb"[ \t\r\n,]*")
_WRAPPER = re.compile(rb'(\{\s*"(?:Records|Events|QueryResultRows)"\s*:\s*\[)[\s\S]*')
_FIRST_KEY = re.compile(rb'\{\s*("[^"\\]{1,64}")\s*:[\s\S]*')
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_RAW = msgspec.json.Decoder(msgspec.Raw)
_ENVELOPE = msgspec.json.Decoder(Envelope)
_LOOK = 512
HEAD = 4096
MOST_REFUSED = 10_000
_TRIES = 4


class Piece(NamedTuple):
    """Record with its offset, or a refusal reason.

    Attributes:
        offset: Offset in the decompressed stream.
        raw: The record, or the beginning of the refused bytes.
        why: Empty for a record.
    """

    offset: int
    raw: bytes
    why: str = ""


class _Mode(Enum):
    TOP = auto()  # between values
    LINES = auto()  # one value a line
    VALUE = auto()  # inside a value that must be seen whole
    LIST = auto()  # inside the list of records
    DROP = auto()  # inside a value that is too large
    REST = auto()  # after the list, inside its wrapper
    DEAD = auto()


class Splitter:
    """Incremental splitter from chunks to records.

    Args:
        limits: Maximum sizes of a record and a document.
    """

    def __init__(self, limits: EventLimits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._base = 0
        self._at = 0
        self._mode = _Mode.TOP
        self._wrapped = False
        self._scan: Scan | None = None
        self._back = _Mode.TOP
        self._hint = b""
        self._tried = -1
        self._refused = 0
        self._records = 0
        self._begun = False
        self.problem = ""
        self._steps: dict[_Mode, Callable[[list[Piece], bool], bool]] = {
            _Mode.TOP: self._top,
            _Mode.LINES: self._lines,
            _Mode.VALUE: self._value,
            _Mode.LIST: self._list,
            _Mode.DROP: self._drop,
            _Mode.REST: self._drop,
        }

    @property
    def dead(self) -> bool:
        """Tell whether splitting has stopped."""
        return self._mode is _Mode.DEAD

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return the records that end in this chunk."""
        if self.dead:
            return []
        self._buffer += chunk
        return self._run(final=False)

    def close(self) -> list[Piece]:
        """Return the last records; `problem` describes missing data."""
        pieces = self._run(final=True)
        if self.dead:
            return pieces
        if self._mode in (_Mode.LIST, _Mode.REST, _Mode.DROP) and not self.problem:
            self.problem = "the file ends inside its list of records"
        if not self._begun:
            self.problem = "the file is empty"
        return pieces

    def _run(self, *, final: bool) -> list[Piece]:
        pieces: list[Piece] = []
        try:
            while self._mode is not _Mode.DEAD and self._steps[self._mode](
                pieces, final
            ):
                pass
        except TooDeepError:
            self._die(pieces, "nested deeper than any record")
        if self._at:
            del self._buffer[: self._at]
            self._base += self._at
            if self._scan:
                self._scan.moved(self._at)
            self._at = 0
        return pieces

    # Steps: each consumes something and gives True, or needs more and gives False.

    def _top(self, pieces: list[Piece], final: bool) -> bool:
        if self._base + self._at == 0 and self._buffer[:3] == b"\xef\xbb\xbf":
            self._at = 3
        self._skip(_BLANKS)
        left = len(self._buffer) - self._at
        if not left or (left < _LOOK and not final):
            return False
        self._begun = True
        first = self._buffer[self._at]
        if first == 0x5B:
            self._at += 1
            self._enter_list(wrapped=False)
        elif first == 0x7B:
            self._object()
        elif self._records or self._refused:
            return self._garbage_line(pieces, final)
        else:
            self._die(pieces, "not JSON")
        return True

    def _object(self) -> None:
        head = bytes(self._buffer[self._at : self._at + _LOOK])
        wrapper = _WRAPPER.fullmatch(head)
        if wrapper:
            self._at += wrapper.end(1)
            self._enter_list(wrapped=True)
            return
        end = self._buffer.find(b"\n", self._at)
        if end > 0 and _whole(bytes(self._buffer[self._at : end])):
            self._mode = _Mode.LINES
            return
        self._mode, self._scan = _Mode.VALUE, Scan(self._at)

    def _enter_list(self, *, wrapped: bool) -> None:
        self._mode, self._wrapped, self._hint, self._tried = (
            _Mode.LIST,
            wrapped,
            b"",
            -1,
        )

    def _lines(self, pieces: list[Piece], final: bool) -> bool:
        last = len(self._buffer) if final else self._buffer.rfind(b"\n", self._at)
        if last <= self._at:
            if len(self._buffer) - self._at <= self._limits.record_bytes:
                return False
            self._mode = _Mode.TOP  # a line too long to wait for
            return True
        offset = self._base + self._at
        for line in bytes(self._buffer[self._at : last]).split(b"\n"):
            bare = line.strip()
            if bare:
                self._whole_value(pieces, offset, bare)
            offset += len(line) + 1
        self._at = min(last + 1, len(self._buffer))
        return self._at < len(self._buffer) and self._mode is not _Mode.DEAD

    def _value(self, pieces: list[Piece], final: bool) -> bool:
        end = self._end_of_value(pieces, self._limits.file_bytes, _Mode.TOP, final)
        if end < 0:
            return self._mode is not _Mode.VALUE
        value = bytes(self._buffer[self._at : end])
        self._whole_value(pieces, self._base + self._at, value, search=True)
        self._at = end
        if not self.dead:
            self._mode = _Mode.TOP
        return True

    def _list(self, pieces: list[Piece], final: bool) -> bool:
        if self._scan is None:
            self._skip(_SEPARATORS)
            if self._at >= len(self._buffer):
                return False
            first = self._buffer[self._at]
            if first == 0x5D:
                self._at += 1
                self._mode = _Mode.REST if self._wrapped else _Mode.TOP
                self._scan = Scan(self._at, depth=1) if self._wrapped else None
                self._back = _Mode.TOP
                return True
            if first in CLOSE:
                self._die(pieces, "brackets do not match")
                return True
            if self._many(pieces):
                return True
            if first not in OPEN and first != QUOTE:
                return self._scalar(pieces, final)
            self._scan = Scan(self._at)
        end = self._end_of_value(pieces, self._limits.record_bytes, _Mode.LIST, final)
        if end < 0:
            return self._mode is not _Mode.LIST
        self._record(pieces, self._base + self._at, bytes(self._buffer[self._at : end]))
        self._at = end
        return not self.dead

    def _drop(self, pieces: list[Piece], final: bool) -> bool:
        scan = self._scan or Scan(self._at)
        self._scan = scan
        end = scan.end(self._buffer)
        self._at = scan.position if end < 0 else end
        if end < 0:
            return False
        self._scan = None
        self._mode = self._back
        return True

    # What the steps are made of.

    def _many(self, pieces: list[Piece]) -> bool:
        """Take all records before the last certain record start in the buffer."""
        buffer, end = self._buffer, self._base + len(self._buffer)
        if self._tried == end:
            return False
        if not self._hint:
            key = _FIRST_KEY.fullmatch(bytes(buffer[self._at : self._at + 128]))
            self._hint = key.group(1) if key else b'"eventVersion"'
        found = len(buffer)
        for _ in range(_TRIES):
            found = buffer.rfind(self._hint, self._at + 1, found)
            if found < 0:
                break
            cut = _boundary(buffer, found)
            if cut > self._at and self._take(pieces, cut):
                return True
        self._tried = end
        return False

    def _take(self, pieces: list[Piece], cut: int) -> bool:
        block = bytes(self._buffer[self._at : cut])
        try:
            raws = _RAWS.decode(b"[" + block + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        at, base = 0, self._base + self._at
        for raw in raws:
            while block[at] in _BETWEEN:
                at += 1
            record = bytes(raw)
            self._record(pieces, base + at, record)
            at += len(record)
        self._at = cut
        return True

    def _end_of_value(
        self, pieces: list[Piece], most: int, back: _Mode, final: bool
    ) -> int:
        scan = self._scan or Scan(self._at)
        self._scan = scan
        end = scan.end(self._buffer)
        if end >= 0:
            self._scan = None
            return end
        size = len(self._buffer) - self._at
        if size > most:
            self._refuse(pieces, f"larger than {most} bytes")
            self._mode, self._back = _Mode.DROP, back
            self._at = scan.position
        elif final and size:
            self._refuse(pieces, "the file ends inside a record")
            self.problem = self.problem or "the file ends inside a record"
            self._at, self._scan = len(self._buffer), None
        return -1

    def _whole_value(
        self, pieces: list[Piece], offset: int, value: bytes, *, search: bool = False
    ) -> None:
        wrapped = _WRAPPER.fullmatch(value) if len(value) < _LOOK else None
        wrapped = wrapped or _WRAPPER.fullmatch(value[:_LOOK])
        if wrapped or (search and (b'"Events"' in value or b'"Records"' in value)):
            try:
                envelope = _ENVELOPE.decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                envelope = Envelope()
            listed = envelope.records if envelope.records is not None else None
            listed = envelope.events if listed is None else listed
            if listed is not None:
                for raw in listed:
                    self._record(pieces, offset, bytes(raw))
                return
        self._record(pieces, offset, value)

    def _record(self, pieces: list[Piece], offset: int, record: bytes) -> None:
        if len(record) > self._limits.record_bytes:
            why = f"larger than {self._limits.record_bytes} bytes"
            pieces.append(Piece(offset, record[:HEAD], why))
            self._refused += 1
            return
        self._records += 1
        pieces.append(Piece(offset, record))

    def _scalar(self, pieces: list[Piece], final: bool) -> bool:
        ends = [self._buffer.find(each, self._at) for each in (b",", b"]")]
        end = min((each for each in ends if each >= 0), default=-1)
        if end < 0 and not final:
            if len(self._buffer) - self._at > HEAD:
                self._die(pieces, "not JSON")
            return False
        self._refuse(pieces, "no object in the list of records")
        self._at = end if end >= 0 else len(self._buffer)
        return not self.dead

    def _garbage_line(self, pieces: list[Piece], final: bool) -> bool:
        end = self._buffer.find(b"\n", self._at)
        if end < 0 and not final and len(self._buffer) - self._at < HEAD:
            return False
        self._refuse(pieces, "not JSON")
        self._at = end + 1 if end >= 0 else len(self._buffer)
        return not self.dead

    def _refuse(self, pieces: list[Piece], why: str) -> None:
        head = bytes(self._buffer[self._at : self._at + HEAD])
        pieces.append(Piece(self._base + self._at, head, why))
        self._refused += 1
        if self._refused >= MOST_REFUSED:
            self._give_up(f"{MOST_REFUSED} records could not be read")

    def _die(self, pieces: list[Piece], why: str) -> None:
        self._refuse(pieces, why)
        self._give_up(why)

    def _give_up(self, why: str) -> None:
        self.problem = f"{why}: the rest of the file is not read"
        self._mode = _Mode.DEAD
        self._at, self._scan = len(self._buffer), None

    def _skip(self, blanks: re.Pattern[bytes]) -> None:
        found = blanks.match(self._buffer, self._at)
        self._at = found.end() if found else self._at


def _whole(value: bytes) -> bool:
    try:
        _RAW.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _boundary(buffer: bytearray, key: int) -> int:
    """Find the end of the previous record, before a record's first key."""
    at = key - 1
    for wanted in (0x7B, 0x2C, 0x7D):
        while at >= 0 and buffer[at] in _BLANK:
            at -= 1
        if at < 0 or buffer[at] != wanted:
            return -1
        at -= 1
    return at + 2

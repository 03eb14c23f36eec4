"""Split a stream of JSON into the records of a log, with constant memory.

A log file is a wrapped list (`{"Records": [...]}`; the format names the member), a list,
one record per line, or concatenated values. A bounded part of the file is kept in
memory.

The fast path cuts the buffer at the apparent start of a record and lets the decoder
confirm it: a prefix that decodes as a list of complete values was cut between two
values. If that fails, brackets are counted.
"""

import re
from collections.abc import Callable, Sequence
from enum import Enum, auto

from answerable.connectors.formats.json_records import record_lists
from answerable.connectors.formats.json_records.json_scanner import (
    CLOSE,
    OPEN,
    QUOTE,
    JsonScanner,
    TooDeepError,
)
from answerable.connectors.formats.json_records.record_blocks import (
    RecordPiece,
    decode_record_block,
    find_record_boundary,
    locate_records,
    make_record_pieces,
    split_lines,
)
from answerable.connectors.formats.json_records.record_lists import RecordLists
from answerable.model.connector import EventLimits

_BLANKS = re.compile(rb"[ \t\r\n]*")
_SEPARATORS = re.compile(rb"[ \t\r\n,]*")
_FIRST_KEY = re.compile(rb'\{\s*("[^"\\]{1,64}")\s*:[\s\S]*')
MAX_HEAD_BYTES = 4096
MAX_REFUSED = 10_000
_MAX_TRIES = 4


class _SplitterMode(Enum):
    TOP = auto()  # between values
    LINES = auto()  # one value a line
    VALUE = auto()  # inside a value that must be seen whole
    LIST = auto()  # inside the list of records
    DROP = auto()  # inside a value that is too large
    REST = auto()  # after the list, inside its wrapper
    DEAD = auto()


class RecordSplitter:
    """Incremental splitter from chunks to records.

    Args:
        limits: Maximum sizes of a record and a document.
        lists: Lists of records in wrappers.
        offset: Offset of the first chunk in a file of lines, 0 for its beginning.
    """

    def __init__(
        self, limits: EventLimits, lists: RecordLists, offset: int = 0
    ) -> None:
        self._limits, self._lists = limits, lists
        self._buffer = bytearray()
        self._base = self._offset = offset
        self._at = 0
        self._mode = _SplitterMode.TOP
        self._scan: JsonScanner | None = None
        self._back = _SplitterMode.TOP
        self._hint = b""
        self._tried = -1
        self._rest = bytearray()  # end of what was skipped after a wrapped list
        self._refused = self._records = 0
        self._begun = self._wrapped = False
        self.problem = ""
        self._steps: dict[_SplitterMode, Callable[[list[RecordPiece], bool], bool]] = {
            _SplitterMode.TOP: self._detect_input_form,
            _SplitterMode.LINES: self._split_json_lines,
            _SplitterMode.VALUE: self._read_top_level_value,
            _SplitterMode.LIST: self._read_list_item,
            _SplitterMode.DROP: self._skip_rest_of_value,
            _SplitterMode.REST: self._skip_rest_of_value,
        }

    @property
    def is_stopped(self) -> bool:
        """Return whether the rest of the file can no longer be split into records."""
        return self._mode is _SplitterMode.DEAD

    def split_chunk(self, chunk: bytes) -> list[RecordPiece]:
        """Add a chunk of bytes; return the records that are complete with it."""
        if self.is_stopped:
            return []
        self._buffer += chunk
        return self._split_buffered_input(final=False)

    def close(self) -> list[RecordPiece]:
        """Return the last records; `problem` describes missing data."""
        pieces = self._split_buffered_input(final=True)
        if self.is_stopped:
            return pieces
        if (
            self._mode in (_SplitterMode.LIST, _SplitterMode.REST, _SplitterMode.DROP)
            and not self.problem
        ):
            self.problem = "the file ends inside its list of records"
        if not self._begun and not self._offset:
            self.problem = "the file is empty"
        return pieces

    def _split_buffered_input(self, *, final: bool) -> list[RecordPiece]:
        """Split the buffered bytes into records until more input is needed."""
        pieces: list[RecordPiece] = []
        try:
            while self._mode is not _SplitterMode.DEAD and self._steps[self._mode](
                pieces, final
            ):
                pass
        except TooDeepError:
            self._refuse_and_stop(pieces, "the record is nested too deeply")
        if self._at:
            del self._buffer[: self._at]
            self._base += self._at
            if self._scan:
                self._scan.shift_positions(self._at)
            self._at = 0
        return pieces

    # A step consumes bytes and returns True, or returns False to wait for more.
    def _detect_input_form(self, pieces: list[RecordPiece], final: bool) -> bool:
        """Detect the form of the input: list, object or neither."""
        if self._base + self._at == 0 and self._buffer[:3] == b"\xef\xbb\xbf":
            self._at = 3
        self._skip_separators(_BLANKS)
        left = len(self._buffer) - self._at
        if not left or (left < record_lists.LOOKAHEAD_BYTES and not final):
            return False
        self._begun = True
        first = self._buffer[self._at]
        if first == 0x5B:
            self._at += 1
            self._begin_record_list(wrapped=False)
        elif first == 0x7B:
            self._detect_object_form(pieces)
        elif self._records or self._refused or self._offset:
            return self._skip_garbage_line(pieces, final)
        else:
            self._refuse_and_stop(pieces, "not JSON")
        return True

    def _detect_object_form(self, pieces: list[RecordPiece]) -> None:
        """Detect an object's form: wrapped list, JSON lines or one value."""
        head = bytes(self._buffer[self._at : self._at + record_lists.LOOKAHEAD_BYTES])
        start = self._lists.find_start(head)
        if start and self._emit_wrapper_lines(pieces, start):
            return
        if start:
            self._at += start
            self._begin_record_list(wrapped=True)
            return
        end = self._buffer.find(b"\n", self._at)
        if end > 0 and record_lists.is_valid_json(bytes(self._buffer[self._at : end])):
            self._mode = _SplitterMode.LINES
            return
        self._mode, self._scan = _SplitterMode.VALUE, JsonScanner(self._at)

    def _emit_wrapper_lines(self, pieces: list[RecordPiece], start: int) -> bool:
        """Emit the records of short lines that each wrap one list; False for others."""
        records, end = self._lists.split_lines(self._buffer, self._at, start)
        for at, record in records:
            self._emit_record(pieces, self._base + at, record)
        is_moved, self._at = end > self._at, end
        return is_moved

    def _begin_record_list(self, *, wrapped: bool) -> None:
        self._mode, self._wrapped = _SplitterMode.LIST, wrapped
        self._hint, self._tried = b"", -1

    def _split_json_lines(self, pieces: list[RecordPiece], final: bool) -> bool:
        """Split JSON lines at line breaks."""
        last = len(self._buffer) if final else self._buffer.rfind(b"\n", self._at)
        if last <= self._at:
            if len(self._buffer) - self._at <= self._limits.record_bytes:
                return False
            self._mode = _SplitterMode.TOP  # a line too long to wait for
            return True
        lines, offset = bytes(self._buffer[self._at : last]), self._base + self._at
        places, bare = split_lines(lines)
        if self._lists.may_be_in(lines):
            for at, line in zip(places, bare, strict=True):
                self._emit_records(pieces, offset + at, line)
        else:
            self._emit_many(pieces, offset, places, bare)
        self._at = min(last + 1, len(self._buffer))
        return self._at < len(self._buffer) and self._mode is not _SplitterMode.DEAD

    def _read_top_level_value(self, pieces: list[RecordPiece], final: bool) -> bool:
        """Read one top-level value, and emit its records."""
        end = self._find_value_end(
            pieces, self._limits.file_bytes, _SplitterMode.TOP, final
        )
        if end < 0:
            return self._mode is not _SplitterMode.VALUE
        value = bytes(self._buffer[self._at : end])
        self._emit_records(pieces, self._base + self._at, value, search_members=True)
        self._at = end
        if not self.is_stopped:
            self._mode = _SplitterMode.TOP
        return True

    def _read_list_item(self, pieces: list[RecordPiece], final: bool) -> bool:
        """Read the next item of a list of records, or its end."""
        if self._scan is None:
            self._skip_separators(_SEPARATORS)
            if self._at >= len(self._buffer):
                return False
            first = self._buffer[self._at]
            if first == 0x5D:
                self._at += 1
                self._mode = _SplitterMode.REST if self._wrapped else _SplitterMode.TOP
                self._scan = JsonScanner(self._at, depth=1) if self._wrapped else None
                self._back = _SplitterMode.TOP
                self._rest.clear()
                return True
            if first in CLOSE:
                self._refuse_and_stop(pieces, "brackets do not match")
                return True
            if self._emit_record_block(pieces):
                return True
            if first not in OPEN and first != QUOTE:
                return self._refuse_non_object_item(pieces, final)
            self._scan = JsonScanner(self._at)
        end = self._find_value_end(
            pieces, self._limits.record_bytes, _SplitterMode.LIST, final
        )
        if end < 0:
            return self._mode is not _SplitterMode.LIST
        self._emit_record(
            pieces, self._base + self._at, bytes(self._buffer[self._at : end])
        )
        self._at = end
        return not self.is_stopped

    def _skip_rest_of_value(self, pieces: list[RecordPiece], final: bool) -> bool:
        """Skip the rest of a value too large, or of a finished wrapper."""
        scan = self._scan = self._scan or JsonScanner(self._at)
        end = scan.find_end(self._buffer)
        start, self._at = self._at, scan.position if end < 0 else end
        if self._mode is _SplitterMode.REST:
            self._rest += self._buffer[start : self._at]
            if self._lists.are_in_rest(self._rest):
                self.problem = "a second list of records in an object is not read"
            del self._rest[: -record_lists.LOOKAHEAD_BYTES]
        if end < 0:
            return False
        self._scan = None
        self._mode = self._back
        return True

    def _emit_record_block(self, pieces: list[RecordPiece]) -> bool:
        """Take all records before the last certain record start in the buffer."""
        buffer, end = self._buffer, self._base + len(self._buffer)
        if self._tried == end:
            return False
        if not self._hint:
            key = _FIRST_KEY.fullmatch(bytes(buffer[self._at : self._at + 128]))
            if not key:
                return False
            self._hint = key.group(1)
        found = len(buffer)
        for _ in range(_MAX_TRIES):
            found = buffer.rfind(self._hint, self._at + 1, found)
            if found < 0:
                break
            cut = find_record_boundary(buffer, found)
            if cut > self._at and self._emit_decoded_records(pieces, cut):
                return True
        self._tried = end
        return False

    def _emit_decoded_records(self, pieces: list[RecordPiece], end: int) -> bool:
        """Emit all records before `end`; False if they do not decode."""
        found = decode_record_block(self._buffer, self._at, end)
        if found is None:
            return False
        self._emit_many(pieces, self._base + self._at, *found)
        self._at = end
        return True

    def _find_value_end(
        self,
        pieces: list[RecordPiece],
        max_bytes: int,
        next_mode: _SplitterMode,
        final: bool,
    ) -> int:
        """Return the end of the value, -1 if incomplete or too large."""
        scan = self._scan = self._scan or JsonScanner(self._at)
        end = scan.find_end(self._buffer)
        if end >= 0:
            self._scan = None
            return end
        size = len(self._buffer) - self._at
        if size > max_bytes:
            self._emit_refused_piece(pieces, f"larger than {max_bytes} bytes")
            self._mode, self._back = _SplitterMode.DROP, next_mode
            self._at = scan.position
        elif final and size:
            self._emit_refused_piece(pieces, "the file ends inside a record")
            self.problem = self.problem or "the file ends inside a record"
            self._at, self._scan = len(self._buffer), None
        return -1

    def _emit_records(
        self,
        pieces: list[RecordPiece],
        offset: int,
        value: bytes,
        *,
        search_members: bool = False,
    ) -> None:
        """Emit a value as one record, or the records that it wraps."""
        listed = self._lists.decode(value, search_members=search_members)
        for at, raw in locate_records(value, [value] if listed is None else listed):
            self._emit_record(pieces, offset + at, raw)

    def _emit_many(
        self,
        pieces: list[RecordPiece],
        offset: int,
        places: Sequence[int],
        records: Sequence[bytes],
    ) -> None:
        """Emit records at places after an offset."""
        if len(max(records, key=len, default=b"")) > self._limits.record_bytes:
            for at, record in zip(places, records, strict=True):
                self._emit_record(pieces, offset + at, record)
            return
        self._records += len(records)
        pieces += make_record_pieces(offset, places, records)

    def _emit_record(
        self, pieces: list[RecordPiece], offset: int, record: bytes
    ) -> None:
        """Emit a record, or a refusal if it is too large."""
        if len(record) > self._limits.record_bytes:
            why = f"larger than {self._limits.record_bytes} bytes"
            pieces.append(RecordPiece(offset, record[:MAX_HEAD_BYTES], why))
            self._refused += 1
            return
        self._records += 1
        pieces.append(RecordPiece(offset, record))

    def _refuse_non_object_item(self, pieces: list[RecordPiece], final: bool) -> bool:
        """Refuse a list item that is no object, and skip it."""
        ends = [self._buffer.find(each, self._at) for each in (b",", b"]")]
        end = min((each for each in ends if each >= 0), default=-1)
        if end < 0 and not final:
            if len(self._buffer) - self._at > MAX_HEAD_BYTES:
                self._refuse_and_stop(pieces, "not JSON")
            return False
        self._emit_refused_piece(pieces, "a listed record is not an object")
        self._at = end if end >= 0 else len(self._buffer)
        return not self.is_stopped

    def _skip_garbage_line(self, pieces: list[RecordPiece], final: bool) -> bool:
        """Refuse a line that is not JSON, and skip it."""
        end = self._buffer.find(b"\n", self._at)
        if end < 0 and not final and len(self._buffer) - self._at < MAX_HEAD_BYTES:
            return False
        self._emit_refused_piece(pieces, "not JSON")
        self._at = end + 1 if end >= 0 else len(self._buffer)
        return not self.is_stopped

    def _emit_refused_piece(self, pieces: list[RecordPiece], reason: str) -> None:
        """Emit a part of the input as refused; stop after too many."""
        head = bytes(self._buffer[self._at : self._at + MAX_HEAD_BYTES])
        pieces.append(RecordPiece(self._base + self._at, head, reason))
        self._refused += 1
        if self._refused >= MAX_REFUSED:
            self._stop_reading_file(f"{MAX_REFUSED} records could not be read")

    def _refuse_and_stop(self, pieces: list[RecordPiece], reason: str) -> None:
        """Emit a part of the input as refused, and stop splitting."""
        self._emit_refused_piece(pieces, reason)
        self._stop_reading_file(reason)

    def _stop_reading_file(self, reason: str) -> None:
        """Stop reading the file, and record the reason as its problem."""
        self.problem = f"{reason}: the rest of the file is not read"
        self._mode = _SplitterMode.DEAD
        self._at, self._scan = len(self._buffer), None

    def _skip_separators(self, blanks: re.Pattern[bytes]) -> None:
        found = blanks.match(self._buffer, self._at)
        self._at = found.end() if found else self._at

"""Summarize a large response while it streams, without buffering it.

The first two levels of the answer are copied into a sketch of at most 256 KiB; deeper
containers become `{}` or `[]`, and texts longer than 64 KiB `""`. The sketch is then
parsed like any answer. Omitted parts are scanned for strings and brackets only: the
client, which gets every byte, finds out whether they are valid JSON.
"""

import re
from collections.abc import Callable

import msgspec

from answerable.gateway.wire.server_messages import (
    ANSWER_DEPTH,
    ServerMessage,
    parse_server_message,
)
from answerable.server.mcp.json_members import DECODE_ERRORS
from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_SKETCH = 256 * 1024
MAX_TEXT = 64 * 1024
# Levels whose members are copied: the message, and its result, error or params.
SHALLOW = 2
# Copied completely: their contents are requested of the client, or come back from it.
INPUTS_KEY = "inputRequests"
WHOLE_KEYS = frozenset({INPUTS_KEY, "task"})
# Never omitted: without them the sketch would have another meaning.
REQUIRED_KEYS = frozenset(
    {"id", "jsonrpc", "method", "requestState", "resultType", "taskId", "code"}
)

TOKEN = re.compile(rb'["{}\[\],:]')
# What is left of a string before its quote, or before the end of the slice.
REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# A complete string, a bracket, or the quote of a string that the next slice continues.
DEEP = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)


class StreamingSummary:
    """Summary of one answer.

    Attributes:
        asks: The answer requests inputs of the client, and must be judged first.
    """

    def __init__(self) -> None:
        self.asks = False
        self._sketch = bytearray()
        self._depth = 0
        self._until = 0  # depth at which skipping ends, 0 while nothing is skipped
        self._kept = 0  # depth at which keeping ends, 0 while nothing is kept
        self._text: list[bytes] | None = None  # the present string, if it is copied
        self._size = 0
        self._in_string = False
        self._is_escaped = False
        self._at_key = False
        self._key = ""

    def feed(self, data: bytes) -> None:
        """Parse the next piece of the answer.

        Raises:
            Refused: The sketch would be too large, or the answer is nested too deeply.
        """
        at = 0
        while at < len(data):
            at = self._choose_reader()(data, at)

    @property
    def is_complete(self) -> bool:
        """Return True after the last bracket."""
        return bool(self._sketch) and not self._depth and not self._in_string

    def parse_summary(self) -> ServerMessage:
        """Parse the shortened copy, once the whole answer was fed.

        Raises:
            Refused: As `parse_server_message`; or the answer is incomplete.
        """
        if self._in_string or self._depth:
            raise RequestRefused(RefusalReason.NOT_JSON)
        return parse_server_message(bytes(self._sketch))

    def _choose_reader(self) -> Callable[[bytes, int], int]:
        """Return the method that parses at the current position."""
        if self._in_string:
            return self._read_string
        return self._skip_container if self._until else self._copy_token

    def _copy_token(self, data: bytes, offset: int) -> int:
        """Copy up to and including the next token; return the offset after it."""
        found = next(TOKEN.finditer(data, offset), None)
        if found is None:
            self._append_to_shortened_copy(data[offset:])
            return len(data)
        token = found[0]
        self._append_to_shortened_copy(data[offset : found.start()])
        if token == b'"':
            self._in_string, self._text, self._size = True, [token], 1
        else:
            self._append_to_shortened_copy(token)
            self._track_token(token)
        return found.end()

    def _track_token(self, token: bytes) -> None:
        """Track the JSON nesting depth at a bracket or comma."""
        if token in b"{[":
            self._enter_container()
            self._at_key = True
        elif token in b"}]":
            self._depth -= 1
            if self._depth == self._kept:
                self._kept = 0
        else:
            self._at_key = token == b","

    def _enter_container(self) -> None:
        """Enter an object or array; decide whether to keep or skip it."""
        self._increase_depth()
        if self._depth <= SHALLOW or self._kept:
            return
        if self._depth == SHALLOW + 1 and self._key in WHOLE_KEYS:
            self._kept = SHALLOW
            self.asks |= self._key == INPUTS_KEY
        else:
            self._until = self._depth - 1

    def _increase_depth(self) -> None:
        """Count one more nesting level, up to a limit."""
        self._depth += 1
        if self._depth > ANSWER_DEPTH:
            raise RequestRefused(RefusalReason.TOO_DEEP)

    def _skip_container(self, data: bytes, offset: int) -> int:
        """Omit the rest of a container; return the offset after it."""
        for found in DEEP.finditer(data, offset):
            token = found[0]
            if token in b"{[":
                self._increase_depth()
            elif token in b"}]":
                self._depth -= 1
                if self._depth == self._until:
                    self._until = 0
                    self._append_to_shortened_copy(token)
                    return found.end()
            elif token == b'"':
                self._in_string = True
                return found.end()
        return len(data)

    def _read_string(self, data: bytes, offset: int) -> int:
        """Read more of a string; return the offset after its end, or the slice's."""
        start, offset = offset, offset + self._is_escaped
        offset = next(REST.finditer(data, offset)).end()
        self._is_escaped = (
            data[offset : offset + 1] == b"\\"
        )  # then it is the last byte
        self._in_string = data[offset : offset + 1] != b'"'
        end = len(data) if self._in_string else offset + 1
        if self._text is not None:
            self._add_string_piece(data[start:end])
        return end

    def _add_string_piece(self, piece: bytes) -> None:
        """Take a piece of a copied string, and process its end."""
        assert self._text is not None  # noqa: S101 - only called with one
        self._size += len(piece)
        if self._size > MAX_TEXT:
            if self._at_key or self._kept or self._key in REQUIRED_KEYS:
                raise RequestRefused(RefusalReason.EVENT_TOO_LARGE)
            self._text = [b'"']
            piece = b'"' if not self._in_string else b""
        self._text.append(piece)
        if self._in_string:
            return
        whole = b"".join(self._text)
        self._text = None
        self._append_to_shortened_copy(whole)
        if self._at_key:
            self._key = _decode_key(whole)

    def _append_to_shortened_copy(self, piece: bytes) -> None:
        """Append to the shortened copy of the answer, up to a limit."""
        self._sketch += piece
        if len(self._sketch) > MAX_SKETCH:
            raise RequestRefused(RefusalReason.EVENT_TOO_LARGE)


def _decode_key(encoded: bytes) -> str:
    """Decode the name of a member."""
    try:
        return msgspec.json.decode(encoded, type=str)
    except DECODE_ERRORS:
        raise RequestRefused(RefusalReason.NOT_JSON) from None

"""Streaming summary of a large answer, without buffering it.

The first two levels of the answer are copied into a sketch of at most 256 KiB; deeper
containers become `{}` or `[]`, and texts longer than 64 KiB `""`. The sketch is then
parsed like any answer. Omitted parts are scanned for strings and brackets only: the
client, which gets every byte, finds out whether they are valid JSON.
"""

import re
from collections.abc import Callable

import msgspec

from answerable.gateway.wire.server_messages import ANSWER_DEPTH, Answer, read_answer
from answerable.server.mcp.json_members import UNREADABLE
from answerable.server.wire.refusals import Refused, Why

MAX_SKETCH = 256 * 1024
MAX_TEXT = 64 * 1024
# Levels whose members are copied: the message, and its result, error or params.
SHALLOW = 2
# Copied completely: their contents are requested of the client, or come back from it.
INPUTS_KEY = "inputRequests"
KEPT = frozenset({INPUTS_KEY, "task"})
# Never omitted: without them the sketch would have another meaning.
SAID = frozenset(
    {"id", "jsonrpc", "method", "requestState", "resultType", "taskId", "code"}
)

TOKEN = re.compile(rb'["{}\[\],:]')
# What is left of a string before its quote, or before the end of the slice.
REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# A whole string, or a bracket, or the quote of a string that goes on in the next slice.
DEEP = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)


class Skim:
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
        """Take a slice.

        Raises:
            Refused: The sketch would be too large, or the answer is nested too deeply.
        """
        at = 0
        while at < len(data):
            at = self._reader()(data, at)

    @property
    def is_whole(self) -> bool:
        """True after the last bracket."""
        return bool(self._sketch) and not self._depth and not self._in_string

    def answer(self) -> Answer:
        """Parse the sketch, once everything was fed.

        Raises:
            Refused: As `read_answer`; or the answer is incomplete.
        """
        if self._in_string or self._depth:
            raise Refused(Why.NOT_JSON)
        return read_answer(bytes(self._sketch))

    def _reader(self) -> Callable[[bytes, int], int]:
        if self._in_string:
            return self._string
        return self._skip if self._until else self._copy

    def _copy(self, data: bytes, at: int) -> int:
        """Copy up to and including the next token; return the offset after it."""
        found = next(TOKEN.finditer(data, at), None)
        if found is None:
            self._add(data[at:])
            return len(data)
        token = found[0]
        self._add(data[at : found.start()])
        if token == b'"':
            self._in_string, self._text, self._size = True, [token], 1
        else:
            self._add(token)
            self._turn(token)
        return found.end()

    def _turn(self, token: bytes) -> None:
        """Track the depth at a token."""
        if token in b"{[":
            self._down()
            self._at_key = True
        elif token in b"}]":
            self._depth -= 1
            if self._depth == self._kept:
                self._kept = 0
        else:
            self._at_key = token == b","

    def _down(self) -> None:
        self._deeper()
        if self._depth <= SHALLOW or self._kept:
            return
        if self._depth == SHALLOW + 1 and self._key in KEPT:
            self._kept = SHALLOW
            self.asks |= self._key == INPUTS_KEY
        else:
            self._until = self._depth - 1

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > ANSWER_DEPTH:
            raise Refused(Why.TOO_DEEP)

    def _skip(self, data: bytes, at: int) -> int:
        """Omit the rest of a container; return the offset after it."""
        for found in DEEP.finditer(data, at):
            token = found[0]
            if token in b"{[":
                self._deeper()
            elif token in b"}]":
                self._depth -= 1
                if self._depth == self._until:
                    self._until = 0
                    self._add(token)
                    return found.end()
            elif token == b'"':
                self._in_string = True
                return found.end()
        return len(data)

    def _string(self, data: bytes, at: int) -> int:
        """Read more of a string; return the offset after its end, or the slice's."""
        start, at = at, at + self._is_escaped
        at = next(REST.finditer(data, at)).end()
        self._is_escaped = data[at : at + 1] == b"\\"  # then it is the last byte
        self._in_string = data[at : at + 1] != b'"'
        end = len(data) if self._in_string else at + 1
        if self._text is not None:
            self._hear(data[start:end])
        return end

    def _hear(self, piece: bytes) -> None:
        """Take a piece of a copied string, and process its end."""
        assert self._text is not None  # noqa: S101 - only called with one
        self._size += len(piece)
        if self._size > MAX_TEXT:
            if self._at_key or self._kept or self._key in SAID:
                raise Refused(Why.EVENT_TOO_LARGE)
            self._text = [b'"']
            piece = b'"' if not self._in_string else b""
        self._text.append(piece)
        if self._in_string:
            return
        whole = b"".join(self._text)
        self._text = None
        self._add(whole)
        if self._at_key:
            self._key = _key(whole)

    def _add(self, piece: bytes) -> None:
        self._sketch += piece
        if len(self._sketch) > MAX_SKETCH:
            raise Refused(Why.EVENT_TOO_LARGE)


def _key(spelled: bytes) -> str:
    try:
        return msgspec.json.decode(spelled, type=str)
    except UNREADABLE:
        raise Refused(Why.NOT_JSON) from None

"""One large answer as it streams by, read without being held.

What the answer says at its first two levels is copied into a sketch of at most 256 KiB;
containers below are left out as `{}` or `[]`, and texts longer than 64 KiB as `""`. The
sketch is then read like any answer. Of what was left out only strings and brackets were
looked at: whether it is JSON throughout is for the client to find, who gets every byte.
"""

import re
from collections.abc import Callable

import msgspec

from answerable.gateway.wire.answers import ANSWER_DEPTH, Answer, read_answer
from answerable.serving.mcp.members import UNREADABLE
from answerable.serving.wire.refusals import Refused, Why

MAX_SKETCH = 256 * 1024
MAX_TEXT = 64 * 1024
# Levels whose members are copied: the message, and its result, error or params.
SHALLOW = 2
# Kept whole: what they hold is asked of the client, or comes back from it.
INPUTS_KEY = "inputRequests"
KEPT = frozenset({INPUTS_KEY, "task"})
# Never left out: without them the sketch would say something else.
SAID = frozenset(
    {"id", "jsonrpc", "method", "requestState", "resultType", "taskId", "code"}
)

TOKEN = re.compile(rb'["{}\[\],:]')
# What is left of a string before its quote, or before the end of the slice.
REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# A whole string, or a bracket, or the quote of a string that goes on in the next slice.
DEEP = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)


class Skim:
    """Reads one answer from slices of any size.

    Attributes:
        asks: It asks inputs of the client, so that nobody may see it unjudged.
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
            Refused: The sketch would be too large, or the answer is too deep.
        """
        at = 0
        while at < len(data):
            at = self._reader()(data, at)

    @property
    def is_whole(self) -> bool:
        """The outermost bracket was closed."""
        return bool(self._sketch) and not self._depth and not self._in_string

    def answer(self) -> Answer:
        """Read what was sketched, once everything was fed.

        Raises:
            Refused: As `read_answer`; or the answer is cut short.
        """
        if self._in_string or self._depth:
            raise Refused(Why.NOT_JSON)
        return read_answer(bytes(self._sketch))

    def _reader(self) -> Callable[[bytes, int], int]:
        if self._in_string:
            return self._string
        return self._skip if self._until else self._copy

    def _copy(self, data: bytes, at: int) -> int:
        """Copy up to the next token, and it; the byte after it."""
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
        """Go down, up or on."""
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
        """Leave out what is left of a container; the first byte after it."""
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
        """Take more of a string; the byte after its end, or after the slice."""
        start, at = at, at + self._is_escaped
        at = next(REST.finditer(data, at)).end()
        self._is_escaped = data[at : at + 1] == b"\\"  # then it is the last byte
        self._in_string = data[at : at + 1] != b'"'
        end = len(data) if self._in_string else at + 1
        if self._text is not None:
            self._hear(data[start:end])
        return end

    def _hear(self, piece: bytes) -> None:
        """Take a piece of a string that is copied; at its end, what it is."""
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

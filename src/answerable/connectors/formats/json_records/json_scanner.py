"""Find the end of a JSON value that is split across chunks, in linear time."""

import re

OPEN, CLOSE, QUOTE = b"{[", b"}]", 0x22
MAX_DEPTH = 200
# An escape is one token, so that an escaped quote ends no string.
_TOKENS = re.compile(rb'\\[\s\S]|["{}\[\]]')
_BACKSLASH = 0x5C


class TooDeepError(Exception):
    """Value with excessive nesting."""


class JsonScanner:
    """Resumable scan to the end of one value.

    Args:
        position: Start of the value in the buffer.
        depth: Number of open brackets there.
    """

    def __init__(self, position: int, depth: int = 0) -> None:
        self.position = position
        self._depth = depth
        self._quoted = False

    def find_end(self, buffer: bytearray) -> int:
        """Return the index after the value, -1 if the buffer ends first.

        Raises:
            TooDeepError: More than `MAX_DEPTH` brackets are open.
        """
        seen = self.position
        for token in _TOKENS.finditer(buffer, self.position):
            seen = token.end()
            if self._closes_value(buffer[token.start()]):
                self.position = seen
                return seen
        cut = seen < len(buffer) and buffer[-1] == _BACKSLASH
        self.position = len(buffer) - 1 if cut else len(buffer)
        return -1

    def _closes_value(self, byte: int) -> bool:
        """Update the nesting depth for one byte; True if it ends the value."""
        if byte == QUOTE:
            self._quoted = not self._quoted
            return not self._quoted and self._depth == 0
        if self._quoted or byte == _BACKSLASH:
            return False
        if byte in OPEN:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise TooDeepError
            return False
        self._depth -= 1
        return self._depth <= 0

    def shift_positions(self, count: int) -> None:
        """Adjust positions after the buffer's first bytes were dropped."""
        self.position -= count

"""Split the input of a stdio transport into lines, incrementally.

Each message is one line of UTF-8 (MCP basic/transports "stdio"). A line larger than a
message may be ends the parsing: what follows it could be anything.
"""

from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import MAX_BODY


class LineSplitter:
    """Line splitter of one pipe.

    Args:
        most: Maximum bytes of one line, without its end.

    Attributes:
        closed: A line was too large; nothing more is parsed.
    """

    def __init__(self, most: int = MAX_BODY) -> None:
        self.closed = False
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes | RequestRefused]:
        """Add received bytes; return the complete lines, without empty ones."""
        is_whole = not self._size and data.find(b"\n") == len(data) - 1
        if is_whole and len(data) <= self._most and not self.closed:
            # The usual case: a client that waits for each answer.
            line = data[:-1].removesuffix(b"\r")
            return [line] if line else []
        found: list[bytes | RequestRefused] = []
        *ends, rest = data.split(b"\n")
        for piece in ends:
            if self._append_to_line(piece, found):
                line = b"".join(self._parts).removesuffix(b"\r")
                self._parts, self._size = [], 0
                if line:
                    found.append(line)
        self._append_to_line(rest, found)
        return found

    def finish(self) -> RequestRefused | None:
        """Note the end of input; return a refusal if a line is incomplete."""
        whole = self.closed or self._size == 0
        self.closed = True
        return None if whole else RequestRefused(RefusalReason.CUT_SHORT)

    def _append_to_line(
        self, piece: bytes, lines: list[bytes | RequestRefused]
    ) -> bool:
        """Add to the current line; return False if it is too long."""
        if self.closed:
            return False
        self._parts.append(piece)
        self._size += len(piece)
        if self._size > self._most:
            self.closed = True
            self._parts = []
            lines.append(RequestRefused(RefusalReason.BODY_TOO_LARGE))
        return not self.closed

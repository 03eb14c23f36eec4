"""Decode the chunked transfer coding, more strictly than RFC 9112 7.1.

No chunk extensions, no trailer fields, no leading zeros, no white space: any form on
which servers have ever disagreed is refused, so that no server behind us can find a
second request inside the first.
"""

import re
from collections.abc import Callable

from answerable.server.wire.refusals import RefusalReason, RequestRefused

CHUNK_SIZE_LINE = re.compile(rb"0|[1-9a-fA-F][0-9a-fA-F]{0,7}")
# The longest line that SIZE can fill, with its CRLF.
MAX_LINE = 10
# A chunk costs its reader more than its sender: one byte each would be an attack.
MAX_CHUNKS = 16_384


class ChunkedDecoder:
    """Decoder of one chunked body.

    Args:
        most: Maximum bytes of the body.
        chunks: Maximum number of chunks.

    Attributes:
        done: The last chunk was decoded; `feed` takes nothing more.
        kept: The body is kept until it is taken.
    """

    def __init__(self, most: int, chunks: int = MAX_CHUNKS) -> None:
        self.done = False
        self.kept = True
        self._room = most
        self._chunks = chunks  # that may still come
        self._left = 0  # bytes of the present chunk that are still to come
        self._held = b""  # the beginning of a line
        self._next: Callable[[bytes], None] = self._parse_chunk_size
        self._body: list[bytes] = []

    def feed(self, data: bytes, offset: int = 0) -> int:
        """Decode body bytes from an offset in `data` on; return the next offset.

        Returns:
            The offset of the first byte after it.

        Raises:
            Refused: The coding is malformed, or the body too large.
        """
        while offset < len(data) and not self.done:
            if self._left:
                part = data[offset : offset + self._left]
                if self.kept:
                    self._body.append(part)
                self._left -= len(part)
                offset += len(part)
            else:
                offset += self._read_chunk_line(data, offset)
        return offset

    def take_body_bytes(self) -> bytes:
        """Return the decoded body bytes since the last call."""
        taken = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        return taken

    def _read_chunk_line(self, data: bytes, offset: int) -> int:
        """Read a line, or the beginning of one; return the number of bytes read."""
        end = data.find(b"\n", offset, offset + MAX_LINE - len(self._held))
        stop = (
            end + 1 if end >= 0 else min(len(data), offset + MAX_LINE - len(self._held))
        )
        self._held += data[offset:stop]
        if end >= 0:
            line, self._held = self._held, b""
            if not line.endswith(b"\r\n"):
                raise RequestRefused(RefusalReason.CHUNKING)
            self._next(line[:-2])
        elif len(self._held) >= MAX_LINE:
            # Each access creates another bound method, so `is` would always fail.
            raise RequestRefused(
                RefusalReason.TRAILERS
                if self._next == self._check_body_end
                else RefusalReason.CHUNKING
            )
        return stop - offset

    def _parse_chunk_size(self, line: bytes) -> None:
        """Parse the size of the next chunk, and check it against the limit."""
        self._chunks -= 1
        if CHUNK_SIZE_LINE.fullmatch(line) is None or self._chunks < 0:
            raise RequestRefused(RefusalReason.CHUNKING)
        size = int(line, 16)
        if size > self._room:
            raise RequestRefused(RefusalReason.BODY_TOO_LARGE)
        self._room -= size
        self._left = size
        self._next = self._check_chunk_end if size else self._check_body_end

    def _check_chunk_end(self, line: bytes) -> None:
        """Check the empty line after an HTTP chunk's data."""
        if line:
            raise RequestRefused(RefusalReason.CHUNKING)
        self._next = self._parse_chunk_size

    def _check_body_end(self, line: bytes) -> None:
        """Check the empty line that ends the body; another line is a trailer field."""
        if line:
            raise RequestRefused(RefusalReason.TRAILERS)
        self.done = True

"""Parse HTTP replies of an upstream server incrementally.

A reply is framed as strictly as a request: an ambiguous end is refused, since the rest
would become the answer to another request. HTTP/1.0 is accepted, as simple servers use
it; its connection is never used again, and it may not be chunked. Interim replies (1xx)
are dropped.

Sources: RFC 9112 (4 status line, 6.1 Transfer-Encoding, 6.3 body length), RFC 9110
(15.2 informational, 15.3.5 and 15.4.5 without content).
"""

import re
import sys
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

import httptools
import msgspec

from answerable.gateway.wire.http_heads import UpstreamHead, check_upstream_head
from answerable.server.wire.chunked_coding import ChunkedDecoder
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import (
    LENGTH,
    MAX_HEAD,
    HeadCollector,
    collect_header_fields,
    parse_connection_options,
)
from answerable.server.wire.request_parser import EMPTY_LINE

STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [\t -~\x80-\xff]*)?")
MAX_HEAD_BYTES = MAX_HEAD + len(EMPTY_LINE)
MAX_INTERIM = 8
MAX_CACHED_BYTES = 2048  # bytes of a head
SWITCHING_PROTOCOLS = 101
BODILESS = frozenset({204, 304})

CHUNKED = -1
UNTIL_CLOSE = -2


class UpstreamReply(msgspec.Struct, frozen=True):
    """Head of one reply.

    Attributes:
        status: HTTP status, 200 to 599.
        fields: Lower-case name -> value; repeated list fields joined with `, `.
        length: Bytes of the body, CHUNKED, or UNTIL_CLOSE.
        closes: The connection is not used again.
        returned: Judged head for the client.
    """

    status: int
    fields: Mapping[str, str]
    length: int
    closes: bool
    returned: UpstreamHead


class ReplyEnd(Enum):
    """End of the body of a reply."""

    END = "end"


ReplyPart = UpstreamReply | bytes | ReplyEnd


class _SizedReplyBody:
    """Body of known length."""

    def __init__(self, length: int) -> None:
        self.done = length == 0
        self._left = length
        self._piece = b""

    def feed(self, data: bytes, offset: int) -> int:
        """Take bytes of the body; return the offset after them."""
        self._piece = data[offset : offset + self._left]
        self._left -= len(self._piece)
        self.done = self._left == 0
        return offset + len(self._piece)

    def take_body_bytes(self) -> bytes:
        """Return the body bytes that the last `feed` decoded."""
        return self._piece


class _BodyUntilClose:
    """Body that ends with its connection."""

    done = False

    def __init__(self) -> None:
        self._piece = b""

    def feed(self, data: bytes, offset: int) -> int:
        """Take all bytes; return the offset after them."""
        self._piece = data[offset:]
        return len(data)

    def take_body_bytes(self) -> bytes:
        """Return the body bytes that the last `feed` decoded."""
        return self._piece


class ReplyParser:
    """Parser of one reply.

    Attributes:
        done: The reply is complete; further bytes are refused.
    """

    def __init__(self) -> None:
        self.done = False
        self._held = b""
        self._interim = MAX_INTERIM
        self._reading: _SizedReplyBody | ChunkedDecoder | _BodyUntilClose | None = None

    def feed(self, data: bytes) -> list[ReplyPart]:
        """Parse received bytes; list the parts of the reply: head, body pieces, end.

        Raises:
            Refused: It is malformed, or longer than the reply; no part of the slice is
                passed on.
        """
        found: list[ReplyPart] = []
        at = 0
        while at < len(data):
            if self.done:
                raise RequestRefused(RefusalReason.UNASKED)
            at = self._parse_slice(data, at, found)
        return found

    def on_close(self) -> list[ReplyPart]:
        """Note that the connection closed; list the end, if that completes the reply.

        Raises:
            Refused: The reply is incomplete.
        """
        if isinstance(self._reading, _BodyUntilClose) and not self.done:
            self.done = True
            return [ReplyEnd.END]
        if not self.done:
            raise RequestRefused(RefusalReason.CUT_SHORT)
        return []

    def _parse_slice(self, data: bytes, offset: int, parts: list[ReplyPart]) -> int:
        """Parse the head or a piece of the body; return the offset after it."""
        if self._reading is None:
            after = self._parse_head_bytes(data, offset, parts)
        else:
            after = self._reading.feed(data, offset)
            piece = self._reading.take_body_bytes()
            if piece:
                parts.append(piece)
        if self._reading is not None and self._reading.done:
            self.done = True
            parts.append(ReplyEnd.END)
        return after

    def _parse_head_bytes(
        self, data: bytes, offset: int, parts: list[ReplyPart]
    ) -> int:
        """Parse a head, or its beginning; return the offset after it."""
        held = self._held + data[offset:] if self._held or offset else data
        end = held.find(EMPTY_LINE, 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(held) >= MAX_HEAD_BYTES:
                raise RequestRefused(RefusalReason.HEAD_TOO_LARGE)
            self._held = held
            return len(data)
        end += len(EMPTY_LINE)
        after = len(data) - (len(held) - end)
        self._held = b""
        reply = parse_reply_head(held[:end])
        if reply is None:
            self._interim -= 1
            if self._interim < 0:
                raise RequestRefused(RefusalReason.MALFORMED_HEAD)
            return after
        parts.append(reply)
        self._reading = _choose_body_parser(reply.length)
        return after


def parse_whole_reply(data: bytes) -> tuple[UpstreamReply, bytes] | None:
    """Parse a reply in one slice, as most are; return head and body.

    Returns:
        None for another one, which `ReplyParser` parses.

    Raises:
        Refused: As there.
    """
    end = data.find(EMPTY_LINE, 0, MAX_HEAD_BYTES) + len(EMPTY_LINE)
    if end < len(EMPTY_LINE):
        return None
    reply = parse_reply_head(data[:end])
    if reply is None or reply.length != len(data) - end:
        return None
    return reply, data[end:]


def _choose_body_parser(
    length: int,
) -> _SizedReplyBody | ChunkedDecoder | _BodyUntilClose:
    """Return the body parser for a length, chunked coding, or end at close."""
    if length == CHUNKED:
        # A stream is unbounded; buffers of its events are bounded elsewhere.
        return ChunkedDecoder(sys.maxsize, sys.maxsize)
    return _BodyUntilClose() if length == UNTIL_CLOSE else _SizedReplyBody(length)


def parse_reply_head(data: bytes) -> UpstreamReply | None:
    """Parse the head of one reply; None for an interim one.

    A server sends nearly the same head each time, so short ones are cached.

    Args:
        data: Complete head, from the status line to the empty line.

    Raises:
        Refused: It is malformed or ambiguous.
    """
    return (
        _parse_head_cached(data) if len(data) <= MAX_CACHED_BYTES else _parse_head(data)
    )


def _parse_head(data: bytes) -> UpstreamReply | None:
    """Parse a status line and fields; None for an interim (1xx) reply."""
    line = STATUS.fullmatch(data, 0, data.find(b"\r\n"))
    if line is None:
        raise RequestRefused(RefusalReason.MALFORMED_HEAD)
    heard = HeadCollector()
    parser = httptools.HttpResponseParser(heard)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        raise RequestRefused(RefusalReason.MALFORMED_HEAD) from None
    except httptools.HttpParserError:
        raise RequestRefused(RefusalReason.MALFORMED_HEAD) from None
    status = int(line[2])
    if parser.get_status_code() != status or status == SWITCHING_PROTOCOLS:
        raise RequestRefused(RefusalReason.MALFORMED_HEAD)
    if status < 200:
        return None
    fields = collect_header_fields(heard.pairs)
    is_old = line[1] == b"0"
    length = _reply_body_length(status, fields, is_old=is_old)
    closes = length == UNTIL_CLOSE or is_old
    options = parse_connection_options(fields.get("connection", ""))
    closes |= "close" in options
    return UpstreamReply(
        status, fields, length, closes, check_upstream_head(status, fields)
    )


_parse_head_cached = lru_cache(maxsize=256)(_parse_head)


def _reply_body_length(status: int, fields: Mapping[str, str], *, is_old: bool) -> int:
    """Return the length of the body, CHUNKED or UNTIL_CLOSE (RFC 9112 6.3).

    Raises:
        Refused: Both lengths are given, either is malformed, or a body is not allowed.
    """
    length = fields.get("content-length")
    coding = fields.get("transfer-encoding")
    if coding is not None:
        chunked = coding.lower() == "chunked" and length is None and not is_old
        if not chunked or status in BODILESS:
            raise RequestRefused(RefusalReason.TRANSFER_CODING)
        return CHUNKED
    if length is None:
        return 0 if status in BODILESS else UNTIL_CLOSE
    if LENGTH.fullmatch(length.encode("latin-1")) is None:
        raise RequestRefused(RefusalReason.LENGTH)
    if status in BODILESS and int(length):
        raise RequestRefused(RefusalReason.BODY_NOT_EXPECTED)
    return int(length)

"""However a reply is sliced it is one reply, and what could end twice is none."""

import contextlib

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.wire.upstream_replies import (
    CHUNKED,
    UNTIL_CLOSE,
    ReplyEnd,
    ReplyParser,
    ReplyPart,
    UpstreamReply,
)
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from tests.gateway.request_builders import sliced

CUTS = st.lists(st.integers(0, 2**16), max_size=12)
SMALL = st.binary(max_size=40)


def spelled(status: str, *fields: str, version: str = "1.1") -> bytes:
    lines = [f"HTTP/{version} {status}", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def chunks(parts: list[bytes]) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
    return body + b"0\r\n\r\n"


REPLIES = st.one_of(
    SMALL.map(lambda data: spelled("200 OK", f"Content-Length: {len(data)}") + data),
    st.lists(SMALL, max_size=4).map(
        lambda parts: spelled("200 OK", "Transfer-Encoding: chunked") + chunks(parts)
    ),
    SMALL.map(lambda data: spelled("200 OK", "X: y") + data),
    st.just(spelled("204 No Content")),
    st.just(spelled("100 Continue") + spelled("202 Accepted", "Content-Length: 0")),
)
PIECES = [b"\r\n", b"\n", b"\r", b"0\r\n\r\n", b"5\r\n", b"hello", b"x", b";a=b", b"\0"]
PIECES += [b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"]
PIECES += [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 C\r\n\r\n"]
WILD = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=10).map(b"".join),
    st.tuples(REPLIES, st.integers(0, 2**16), st.sampled_from(PIECES)).map(
        lambda it: it[0][: it[1] % len(it[0])] + it[2] + it[0][it[1] % len(it[0]) :]
    ),
)


def read(slices: list[bytes]) -> tuple[list[ReplyPart], str]:
    """What came of a reply whose server then closes: bodies joined, and the fault."""
    intake = ReplyParser()
    found: list[ReplyPart] = []
    why = ""
    try:
        for data in slices:
            found += intake.feed(data)
        found += intake.on_close()
    except RequestRefused as refused:
        why = refused.why.value
    body = b"".join(each for each in found if isinstance(each, bytes))
    others = [each for each in found if not isinstance(each, bytes)]
    return [*others[:1], body, *others[1:]], why


@given(st.one_of(REPLIES, WILD), CUTS)
def test_however_a_reply_is_sliced_the_same_comes_out(
    data: bytes, cuts: list[int]
) -> None:
    whole, why = read([data])
    parts, why_in_parts = read(sliced(data, cuts))
    assert why_in_parts == why
    if not why:
        assert parts == whole


@given(REPLIES)
def test_a_reply_is_taken_whole(data: bytes) -> None:
    found, why = read([data])
    assert why == ""
    assert found[-1] is ReplyEnd.END


class Heard:
    def __init__(self) -> None:
        self.body = b""
        self.status = 0

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()


@given(st.one_of(REPLIES, WILD))
@settings(max_examples=80)
def test_what_is_taken_is_read_by_llhttp_alike(data: bytes) -> None:
    found, why = read([data])
    if why or data.startswith(b"HTTP/1.1 1"):
        return
    heard = Heard()
    heard.parser = httptools.HttpResponseParser(heard)
    with contextlib.suppress(httptools.HttpParserError):
        heard.parser.feed_data(data)
    reply, body, _ = found
    assert isinstance(reply, UpstreamReply)
    assert (heard.status, heard.body) == (reply.status, body)


LENGTHS = [
    (spelled("200 OK", "Content-Length: 3"), 3, False),
    (spelled("200 OK", "Content-Length: 3", "Connection: close"), 3, True),
    (spelled("200 OK", "Content-Length: 3", version="1.0"), 3, True),
    (spelled("200 OK", "Transfer-Encoding: chunked"), CHUNKED, False),
    (spelled("200 OK"), UNTIL_CLOSE, True),
    (spelled("204 No Content"), 0, False),
    (spelled("304 Not Modified", "ETag: x"), 0, False),
]


@pytest.mark.parametrize(("data", "length", "closes"), LENGTHS)
def test_a_head_says_where_its_body_ends(
    data: bytes, length: int, closes: bool
) -> None:
    reply = ReplyParser().feed(data)[0]
    assert isinstance(reply, UpstreamReply)
    assert (reply.length, reply.closes) == (length, closes)


# RFC 9112 6.3, 11.1: whoever reads these otherwise sees another answer.
REFUSED = [
    (
        spelled("200 OK", "Content-Length: 3", "Transfer-Encoding: chunked"),
        RefusalReason.MALFORMED_HEAD,
    ),
    (
        spelled("200 OK", "Transfer-Encoding: gzip, chunked"),
        RefusalReason.TRANSFER_CODING,
    ),
    (
        spelled("200 OK", "Transfer-Encoding: chunked", version="1.0"),
        RefusalReason.TRANSFER_CODING,
    ),
    (
        spelled("204 No Content", "Transfer-Encoding: chunked"),
        RefusalReason.TRANSFER_CODING,
    ),
    (spelled("204 No Content", "Content-Length: 1"), RefusalReason.BODY_NOT_EXPECTED),
    (
        spelled("200 OK", "Content-Length: 3", "Content-Length: 3"),
        RefusalReason.MALFORMED_HEAD,
    ),
    (spelled("200 OK", "Content-Length: +3"), RefusalReason.MALFORMED_HEAD),
    (
        spelled("200 OK", "Mcp-Session-Id: a", "Mcp-Session-Id: b"),
        RefusalReason.REPEATED_FIELD,
    ),
    (spelled("200 OK", "X: a\r\n b"), RefusalReason.MALFORMED_HEAD),
    (spelled("200 OK", "X : a"), RefusalReason.MALFORMED_HEAD),
    (spelled("099 OK"), RefusalReason.MALFORMED_HEAD),
    (spelled("200 OK", version="2.0"), RefusalReason.MALFORMED_HEAD),
    (
        spelled("101 Switching", "Upgrade: x", "Connection: upgrade"),
        RefusalReason.MALFORMED_HEAD,
    ),
    (spelled("100 Continue") * 9, RefusalReason.MALFORMED_HEAD),
    (b"HTTP/1.1 200 OK\nX: a\r\n\r\n", RefusalReason.MALFORMED_HEAD),
    (spelled("200 OK", "X: " + "a" * 40_000), RefusalReason.HEAD_TOO_LARGE),
    (spelled("200 OK", "Content-Length: 1") + b"ab", RefusalReason.UNASKED),
    (
        spelled("200 OK", "Transfer-Encoding: chunked") + b"1;a\r\nb\r\n",
        RefusalReason.CHUNKING,
    ),
]


@pytest.mark.parametrize(("data", "why"), REFUSED)
def test_a_reply_that_could_be_read_otherwise_is_refused(
    data: bytes, why: RefusalReason
) -> None:
    with pytest.raises(RequestRefused) as caught:
        ReplyParser().feed(data)
    assert caught.value.why is why


def test_a_reply_cut_short_is_none() -> None:
    for data in (b"HTTP/1.1 2", spelled("200 OK", "Content-Length: 2") + b"a"):
        assert read([data])[1] == RefusalReason.CUT_SHORT.value

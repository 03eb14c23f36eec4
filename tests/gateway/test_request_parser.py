"""Whatever the slices, the same requests; whatever the bytes, a refusal at worst."""

import contextlib

import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from answerable.server.wire.chunked_coding import MAX_CHUNKS, ChunkedDecoder
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import (
    MAX_BODY,
    MAX_HEAD,
    HttpRequestHead,
    parse_head,
)
from answerable.server.wire.request_parser import RequestBody, RequestParser
from tests.gateway.request_builders import head_bytes, plain, sliced, steps, taken

CUTS = st.lists(st.integers(0, 2**16), max_size=12)
FIXED = head_bytes([("Content-Length", "5")])
CHUNKED = head_bytes([("Transfer-Encoding", "chunked")])
SMALL = st.binary(max_size=40)


def spelled(parts: list[bytes]) -> bytes:
    """A chunked body."""
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part]
    return b"".join(chunks) + b"0\r\n\r\n"


def whole(data: bytes) -> list[object]:
    return taken([data])


REQUEST = st.one_of(
    SMALL.map(lambda data: head_bytes([("Content-Length", str(len(data)))]) + data),
    st.lists(SMALL, max_size=4).map(lambda parts: CHUNKED + spelled(parts)),
    st.sampled_from(["GET /mcp/a HTTP/1.1", "DELETE /mcp/a HTTP/1.1"]).map(
        lambda line: head_bytes(line=line)
    ),
)
# Pieces that framing turns on, so that a flipped one is often nearly right.
PIECES = [b"\r\n", b"\n", b"\r", b"0\r\n\r\n", b"5\r\n", b"hello", b"x", b";a=b", b"\0"]
PIECES += [b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", FIXED, CHUNKED]
PIECES += [b"POST /mcp/a HTTP/1.1\r\n", b"Host: a\r\n", b"GET /mcp/a HTTP/1.1\r\n"]
WILD = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join),
    st.tuples(REQUEST, st.integers(0, 2**16), st.sampled_from(PIECES)).map(
        lambda it: it[0][: it[1] % len(it[0])] + it[2] + it[0][it[1] % len(it[0]) :]
    ),
)


@given(st.lists(st.one_of(REQUEST, WILD), max_size=4), CUTS)
@example([b"\r\n" + FIXED + b"hello"], [1])
@example([b"\r\n\r\n" + FIXED + b"hello"], [2])
@example([b"\r\n", FIXED, b"hello\r\n", FIXED], [1, 2, 3])
def test_however_bytes_are_sliced_the_same_things_come_out(
    parts: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(parts)
    expected = whole(data)
    assert taken(sliced(data, cuts)) == expected
    assert taken([data[at : at + 1] for at in range(len(data))]) == expected


@given(WILD)
def test_any_bytes_are_requests_or_one_last_refusal(data: bytes) -> None:
    arrived = RequestParser(parse_head).feed(data)
    assert all(isinstance(each, HttpRequestHead | RequestBody) for each in arrived[:-1])
    kinds = [type(each) for each in arrived if not isinstance(each, RequestRefused)]
    assert kinds == [HttpRequestHead, RequestBody] * (len(kinds) // 2) + [
        HttpRequestHead
    ] * (len(kinds) % 2)


class Heard:
    """What llhttp hears of the first message."""

    def __init__(self) -> None:
        self.body = b""
        self.messages = 0

    def on_body(self, data: bytes) -> None:
        self.body += data if self.messages == 0 else b""

    def on_message_complete(self) -> None:
        self.messages += 1


@given(st.one_of(WILD, REQUEST, st.tuples(REQUEST, WILD).map(b"".join)))
@settings(max_examples=80)
def test_what_is_taken_is_read_by_llhttp_alike(data: bytes) -> None:
    # Never a body here that another reader would take for a shorter or longer one.
    bodies = [
        each
        for each in RequestParser(parse_head).feed(data)
        if isinstance(each, RequestBody)
    ]
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    with contextlib.suppress(httptools.HttpParserError):
        parser.feed_data(data)
    assert heard.messages >= len(bodies)
    if bodies:
        assert heard.body == bodies[0].data


@given(st.lists(SMALL, max_size=8), CUTS)
def test_a_chunked_body_is_its_chunks(parts: list[bytes], cuts: list[int]) -> None:
    (head, body) = taken(sliced(CHUNKED + spelled(parts), cuts))
    assert isinstance(head, HttpRequestHead)
    assert body == RequestBody(b"".join(parts))


# RFC 9112 7.1, and what servers have read differently in each other's chunks.
CHUNKINGS = [
    (b"5;name=value\r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),  # 7.1.1 extensions
    (b"5 \r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b" 5\r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"05\r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"0x5\r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"+5\r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"5_0\r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"\r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"5\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"5\rhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"5\r\nhello\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"5\r\nhello!\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"5\r\nhell\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"0\r\nX: y\r\n\r\n", RefusalReason.TRAILERS),  # 7.1.2 trailer fields
    (b"0\r\nContent-Length: 100\r\n\r\n", RefusalReason.TRAILERS),
    (b"FFFFFFFFFFFFFFFF5\r\nhello\r\n0\r\n\r\n", RefusalReason.CHUNKING),
    (b"FFFFFFFF\r\n", RefusalReason.BODY_TOO_LARGE),
    (b"400001\r\n", RefusalReason.BODY_TOO_LARGE),
    (b"400000\r\n" + bytes(MAX_BODY) + b"\r\n1\r\n", RefusalReason.BODY_TOO_LARGE),
    (b"1\r\nx\r\n" * (MAX_CHUNKS + 1), RefusalReason.CHUNKING),
]


@pytest.mark.parametrize(("coded", "why"), CHUNKINGS)
def test_a_chunking_is_refused(coded: bytes, why: RefusalReason) -> None:
    assert whole(CHUNKED + coded)[-1] is why


def test_the_largest_body_is_taken_in_either_framing() -> None:
    data = bytes(MAX_BODY)
    fixed = head_bytes([("Content-Length", str(MAX_BODY))])
    assert whole(fixed + data)[1:] == [RequestBody(data)]
    coded = CHUNKED + spelled([data])
    assert taken(sliced(coded, list(range(0, len(coded), 65536))))[1:] == [
        RequestBody(data)
    ]


def test_the_largest_head_is_taken_and_a_larger_one_is_not() -> None:
    bare = head_bytes([("X", "")])
    for lead in (b"", b"\r\n"):
        # MAX_HEAD counts what stands before the empty line.
        most = head_bytes([("X", "y" * (MAX_HEAD + 4 - len(bare)))])
        assert [type(each) for each in whole(lead + most)] == [
            HttpRequestHead,
            RequestBody,
        ]
        more = head_bytes([("X", "y" * (MAX_HEAD + 5 - len(bare)))])
        assert whole(lead + more) == [RefusalReason.HEAD_TOO_LARGE]
        assert taken([lead + more[:9], more[9:]]) == [RefusalReason.HEAD_TOO_LARGE]


def test_a_head_without_an_end_is_refused_before_it_fills_memory() -> None:
    intake = RequestParser(parse_head)
    arrived = [each for _ in range(100) for each in intake.feed(b"x" * 1000)]
    assert [plain(each) for each in arrived] == [RefusalReason.HEAD_TOO_LARGE]
    assert intake.closed


@pytest.mark.parametrize(
    "part", [FIXED[:-2] + b"X: ", CHUNKED + b"f00\r\n", FIXED + b"hello", b""]
)
def test_steps_grow_with_bytes_and_no_faster(part: bytes) -> None:
    def feed(size: int) -> None:
        intake = RequestParser(parse_head)
        for at in range(size):
            intake.feed(part if at == 0 else b"x")

    assert steps(lambda: feed(2000)) <= 2 * steps(lambda: feed(1000)) + 10


def test_a_request_behind_another_is_a_request_of_its_own() -> None:
    # RFC 9112 9.3.2. Whoever answers may refuse to look at it.
    first, hello, second, _ = whole(
        FIXED + b"hello" + head_bytes(line="GET /a HTTP/1.1")
    )
    assert isinstance(first, HttpRequestHead)
    assert hello == RequestBody(b"hello")
    assert isinstance(second, HttpRequestHead)
    assert second.target == "/a"


SMUGGLED = b"GET /mcp/admin HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        # CL.TE, TE.CL, TE.TE, CL.0 and their spellings (RFC 9112 11.2).
        head_bytes([("Content-Length", "4"), ("Transfer-Encoding", "chunked")]),
        head_bytes([("Transfer-Encoding", "chunked"), ("Content-Length", "4")]),
        head_bytes([("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "x")]),
        head_bytes([("Transfer-Encoding", "x"), ("Transfer-Encoding", "chunked")]),
        head_bytes(
            [("Transfer-Encoding", "chunked"), ("Transfer-encoding", "identity")]
        ),
        head_bytes([("Transfer-Encoding", '"chunked"')]),
        head_bytes([("Transfer-Encoding", "chunked;q=1")]),
        head_bytes([("X", "y\nTransfer-Encoding: chunked")]),
        head_bytes([("X", "y\rTransfer-Encoding: chunked")]),
        head_bytes([("Transfer-Encoding ", "chunked")]),
        head_bytes([("Transfer-Encoding\t", "chunked")]),
        head_bytes([("Content-Length", "0\r\n 5")]),
    ],
)
def test_no_request_is_smuggled_inside_another(data: bytes) -> None:
    arrived = whole(data + b"0\r\n\r\n" + SMUGGLED)
    assert [type(each) for each in arrived] == [RefusalReason]


def test_nothing_is_read_after_a_refusal() -> None:
    intake = RequestParser(parse_head)
    assert [plain(each) for each in intake.feed(b"FOO / HTTP/1.1\r\n\r\n")] == [
        RefusalReason.METHOD_OF_HTTP
    ]
    assert intake.feed(FIXED + b"hello") == []
    assert intake.check_input_end() is None


@pytest.mark.parametrize("cut", [1, 30, len(FIXED), len(FIXED) + 4])
def test_a_request_that_ends_early_is_said_so(cut: int) -> None:
    assert taken([(FIXED + b"hello")[:cut]])[-1] is RefusalReason.CUT_SHORT
    assert RefusalReason.CUT_SHORT not in taken([FIXED + b"hello"])


def test_chunks_count_no_more_than_they_read() -> None:
    chunks = ChunkedDecoder(10)
    assert chunks.feed(b"3\r\nabc\r\n0\r\n\r\nGET /") == len(b"3\r\nabc\r\n0\r\n\r\n")
    assert (chunks.done, chunks.take_body_bytes()) == (True, b"abc")


def test_a_body_is_not_shown_when_it_is_printed() -> None:
    assert repr(RequestBody(b"s3cr3t")) == "Body(6 bytes)"


@pytest.mark.parametrize("cut", [10, 60, 10_000])
def test_a_body_beyond_its_limit_is_refused_however_it_comes(cut: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n"
    data = head + bytes(101)
    intake = RequestParser(parse_head, 100)
    arrived = [*intake.feed(data[:cut]), *intake.feed(data[cut:])]
    assert [each.why for each in arrived if isinstance(each, RequestRefused)] == [
        RefusalReason.BODY_TOO_LARGE
    ]
    assert len(arrived) == 1

"""The forwarder adds one line to each request, and nothing else happens."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mcp.forwarder import MOST_HEAD, MalformedError, requests, serve

FIELD = b"Authorization: Bearer t0ken"
bodies = st.binary(max_size=300)


def _sized(body: bytes) -> bytes:
    head = f"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _chunked(body: bytes) -> bytes:
    head = b"POST /mcp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [body[at : at + 100] for at in range(0, len(body), 100)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head + chunks + b"0\r\n\r\n"


async def _passed(sent: bytes) -> bytes:
    reader = asyncio.StreamReader(limit=MOST_HEAD)
    reader.feed_data(sent)
    reader.feed_eof()
    return b"".join([piece async for piece in requests(reader, FIELD)])


@given(st.lists(st.tuples(st.sampled_from([_sized, _chunked]), bodies), max_size=4))
def test_each_request_gets_the_field_after_its_first_line(
    spelt: list[tuple[Callable[[bytes], bytes], bytes]],
) -> None:
    spelling = [how(body) for how, body in spelt]
    expected = b"".join(
        one.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\r\n" + FIELD + b"\r\n", 1)
        for one in spelling
    )
    assert asyncio.run(_passed(b"".join(spelling))) == expected


@pytest.mark.parametrize("sent", [b"GET / HT", _sized(b"abc")[:-1]])
def test_a_request_that_was_cut_is_no_request(sent: bytes) -> None:
    with pytest.raises(MalformedError):
        asyncio.run(_passed(sent))


async def _exchange(answer: bytes) -> tuple[bytes, bytes]:
    """Send one request to a server that answers so and ends; return what each saw."""
    seen: list[bytes] = []

    async def serve_one(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    backend = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with (
        backend,
        await serve(0, backend.sockets[0].getsockname()[:2], FIELD) as forwarder,
    ):
        port = forwarder.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /mcp HTTP/1.1\r\nHost: x\r\n\r\n")
        got = await reader.read()
        writer.close()
    return seen[0], got


@given(st.binary(max_size=2000))
def test_an_answer_comes_back_as_it_is(answer: bytes) -> None:
    request, got = asyncio.run(_exchange(answer))
    assert got == answer
    assert request == b"GET /mcp HTTP/1.1\r\n" + FIELD + b"\r\nHost: x\r\n\r\n"

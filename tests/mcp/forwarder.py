"""A relay on loopback that adds one field to each request and alters nothing else.

The conformance suite has no option for a token, so this stands before the gateway and
adds the caller's. Every other byte of a request passes as it came, and every byte of
an answer: to the gateway it is the suite, with a token.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

MOST_HEAD = 1 << 20
PIECE = 1 << 16


class MalformedError(Exception):
    """A request whose end cannot be told."""


async def requests(reader: asyncio.StreamReader, field: bytes) -> AsyncIterator[bytes]:
    """Yield a client's bytes, with `field` after the request line of each request.

    Raises:
        MalformedError: If a request has no readable length (RFC 9112 6.3).
    """
    while head := await _head(reader):
        line, _, fields = head.partition(b"\r\n")
        yield line + b"\r\n" + field + b"\r\n" + fields
        async for piece in _body(reader, fields):
            yield piece


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Return the next head, empty where the client has ended."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise MalformedError("the client ended inside a head") from end
        return b""


async def _body(reader: asyncio.StreamReader, fields: bytes) -> AsyncIterator[bytes]:
    length, chunked = 0, False
    for line in fields.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"transfer-encoding":
            chunked = True
    if not chunked:
        async for piece in _exactly(reader, length):
            yield piece
        return
    size = -1
    while size != 0:
        line = await reader.readuntil(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        yield line
        async for piece in _exactly(reader, size + 2 if size else 0):
            yield piece
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        yield line
    yield line


async def _exactly(reader: asyncio.StreamReader, size: int) -> AsyncIterator[bytes]:
    while size:
        piece = await reader.read(min(size, PIECE))
        if not piece:
            raise MalformedError("the client ended inside a body")
        size -= len(piece)
        yield piece


async def _pass_requests(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, field: bytes
) -> None:
    async for piece in requests(reader, field):
        writer.write(piece)
        await writer.drain()


async def _pass_answers(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()


async def serve(port: int, to: tuple[str, int], field: bytes) -> asyncio.Server:
    """Listen on 127.0.0.1 and relay each connection to one of its own at `to`.

    Whichever side ends first, the other one is ended, too.
    """

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*to)
        except OSError:
            writer.close()
            return
        both = [
            asyncio.create_task(_pass_requests(reader, back, field)),
            asyncio.create_task(_pass_answers(there, writer)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        back.close()
        writer.close()

    return await asyncio.start_server(relay, "127.0.0.1", port, limit=MOST_HEAD)


async def _run(to: tuple[str, int], field: bytes) -> None:
    server = await serve(0, to, field)
    sys.stdout.write(f"127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Relay to HOST PORT, adding a field of standard input; print where it listens."""
    parser = argparse.ArgumentParser(prog="python -m tests.mcp.forwarder")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    asked = parser.parse_args()
    # A field may hold a token, which is no argument for others to see.
    field = sys.stdin.readline().strip().encode()
    asyncio.run(_run((asked.host, asked.port), field))


if __name__ == "__main__":
    main()

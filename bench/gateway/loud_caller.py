"""Loud caller: as many calls as possible over many connections.

Run as `python -m bench.gateway.loud_caller`, with an `CallLoadOrder` as JSON on standard input; it prints
how many answers it got and how many of them were refusals, at the end of its input or its
time. Whoever measures others beside it comes first: it runs at the lowest priority.
"""

import asyncio
import os
import sys
from typing import cast

import msgspec
import uvloop

from bench.gateway.load import CallLoadOrder

_END = b"\r\n\r\n"


class _LoudConnection(asyncio.Protocol):
    """One connection; it reconnects after a refusal."""

    def __init__(self, request: bytes, counts: dict[str, int]) -> None:
        self._request, self._counts = request, counts
        self._is_head = True
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Send the next call after each answer, also after errors."""
        if data.startswith(b"HTTP/1.1 "):
            self._counts["answers"] += 1
            self._counts["refused"] += b'"result"' not in data
            self._transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def _keep_connected(
    order: CallLoadOrder, request: str, counts: dict[str, int]
) -> None:
    loop, data = asyncio.get_running_loop(), request.encode("latin-1")
    until = loop.time() + order.seconds
    while loop.time() < until:
        try:
            transport, client = await loop.create_connection(
                lambda: _LoudConnection(data, counts), "127.0.0.1", order.port
            )
        except OSError:
            await asyncio.sleep(0.01)
            continue
        await asyncio.wait({client.closed}, timeout=until - loop.time())
        transport.abort()


async def _main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=CallLoadOrder)
    counts = {"answers": 0, "refused": 0}
    await asyncio.gather(
        *(_keep_connected(order, each, counts) for each in order.requests)
    )
    sys.stdout.buffer.write(msgspec.json.encode(counts))


if __name__ == "__main__":
    os.nice(19)
    uvloop.run(_main())

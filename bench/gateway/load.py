"""Load generator for calls over keep-alive connections.

Run as `python -m bench.gateway.load`, with an `CallLoadOrder` as JSON on standard input; a `CallLoadResult`
is what it prints. The requests are bytes made beforehand, and an answer is read only as
far as it takes to see that it is whole and a result.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from typing import cast

import msgspec
import uvloop

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_LAST_CHUNK = b"0\r\n\r\n"
_ENOUGH = 2_000  # of an answer, to see what it is


class CallLoadOrder(msgspec.Struct, frozen=True):
    """Parameters of a load.

    Attributes:
        port: Where, on 127.0.0.1.
        requests: One for each connection, sent again and again.
        seconds: How long.
        rate: Calls a second of all together, 0 for as many as are answered.
        core: The one that the caller stays on; None leaves that to the system.
    """

    port: int
    requests: tuple[str, ...]
    seconds: float
    rate: float = 0.0
    core: int | None = None


class CallLoadResult(msgspec.Struct, frozen=True):
    """Result of a load.

    Attributes:
        calls: How many were answered.
        failed: How many of these answers were no result; the first is `example`.
        seconds: How long it took.
        median: Seconds from a request to its whole answer.
        slow: The same, of the slowest of a hundred (the 99th percentile).
        example: An answer that was no result, empty where there is none.
    """

    calls: int
    failed: int
    seconds: float
    median: float
    slow: float
    example: str = ""


def run_load(order: CallLoadOrder) -> CallLoadResult:
    """Run the load in a process of its own.

    Raises:
        RuntimeError: It did not end well, or was given something else than results.
    """
    argv = (sys.executable, "-m", "bench.gateway.load")
    done = subprocess.run(
        argv, input=msgspec.json.encode(order), capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode("utf-8", "replace")[-500:])
    load = msgspec.json.decode(done.stdout, type=CallLoadResult)
    if load.failed or not load.calls:
        raise RuntimeError(f"{load.failed} of {load.calls} failed: {load.example}")
    return load


class _CallConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, caller: "_CallLoad", request: bytes) -> None:
        self._caller = caller
        self._request = request
        self._due = self._began = 0.0
        self._pieces: list[bytes] = []
        self._left: int | None = None  # to come of an answer whose length was said
        self._knows_head = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._due = self._caller.loop.time()
        self._send_call()

    def connection_lost(self, exc: Exception | None) -> None:
        self._caller.on_closed()

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self._pieces.append(data)
        if not self._knows_head:
            data = self._read_head()
        elif self._left is not None:
            self._left -= len(data)
        is_over = data.endswith(_LAST_CHUNK) if self._left is None else self._left <= 0
        if self._knows_head and is_over:
            self._caller.record_answer(
                time.perf_counter() - self._began, b"".join(self._pieces[:8])
            )
            self._on_answer()

    def _read_head(self) -> bytes:
        data = b"".join(self._pieces)
        head, end, body = data.partition(_END)
        self._knows_head = bool(end)
        _, _, after = head.lower().partition(_LENGTH)
        size = after.partition(b"\r")[0]
        self._left = int(size) - len(body) if size else None
        return data

    def _on_answer(self) -> None:
        caller = self._caller
        if caller.loop.time() >= caller.until:
            self._transport.close()
        elif not caller.pause:
            self._send_call()
        else:
            self._due += caller.pause
            caller.loop.call_at(self._due, self._send_call)

    def _send_call(self) -> None:
        self._pieces = []
        self._knows_head = False
        self._began = time.perf_counter()
        self._transport.write(self._request)


class _CallLoad:
    """All connections of a load."""

    def __init__(self, order: CallLoadOrder) -> None:
        self.loop = asyncio.get_running_loop()
        self.until = self.loop.time() + order.seconds
        self.pause = len(order.requests) / order.rate if order.rate else 0.0
        self._order = order
        self._walls: list[float] = []
        self._failed = 0
        self._example = ""
        self._open = len(order.requests)
        self._over = self.loop.create_future()

    async def run_calls(self) -> CallLoadResult:
        """Run until the time is over and every response has arrived."""
        began = self.loop.time()
        for request in self._order.requests:
            client = partial(_CallConnection, self, request.encode("latin-1"))
            await self.loop.create_connection(client, "127.0.0.1", self._order.port)
        await self._over
        walls = sorted(self._walls) or [0.0]
        return CallLoadResult(
            len(self._walls), self._failed, self.loop.time() - began,
            statistics.median(walls), walls[len(walls) * 99 // 100], self._example,
        )  # fmt: skip

    def record_answer(self, wall: float, answer: bytes) -> None:
        """Record one response."""
        self._walls.append(wall)
        if b'"result"' not in answer[:_ENOUGH]:
            self._failed += 1
            self._example = self._example or answer[:_ENOUGH].decode("latin-1")

    def on_closed(self) -> None:
        """Handle a closed connection; before the end it is a failure."""
        if self.loop.time() < self.until:
            self._failed += 1
            self._example = self._example or "the connection was closed"
        self._open -= 1
        if not self._open:
            self._over.set_result(None)


async def _main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=CallLoadOrder)
    if order.core is not None:
        os.sched_setaffinity(0, {order.core})
    load = await _CallLoad(order).run_calls()
    sys.stdout.buffer.write(msgspec.json.encode(load))


if __name__ == "__main__":
    uvloop.run(_main())

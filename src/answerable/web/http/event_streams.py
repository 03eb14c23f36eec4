"""Server-sent event streams.

An async generator per visitor yields the events. A stream ends with the session, with
the process, and when the client disconnects.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec

from answerable.web.http.errors import RequestRejected
from answerable.web.routing import StreamEvent

MAX_STREAMS = 64  # streams at once
MAX_PER_SESSION = 8  # of one session
HEARTBEAT_INTERVAL = 15.0  # seconds between two signs of life
MAX_DURATION = (
    600.0  # seconds; a page then asks again, and what it may see is looked up
)
EVENT_STREAM_TYPE = "text/event-stream; charset=utf-8"


class EventStreams:
    """Open event streams.

    Args:
        failed: Called with unexpected errors.
    """

    def __init__(self, failed: Callable[[Exception], object]) -> None:
        self._failed = failed
        self._open: dict[asyncio.Task[None], bytes] = {}
        self._ending = False

    def __len__(self) -> int:
        return len(self._open)

    def close(self) -> None:
        """End every stream and accept no more."""
        self._ending = True
        for task in self._open:
            task.cancel()

    def check_capacity(self, session: bytes) -> None:
        """Check the limits before another stream.

        Raises:
            Refused: A limit is reached.
        """
        own = sum(each == session for each in self._open.values())
        if self._ending or len(self._open) >= MAX_STREAMS or own >= MAX_PER_SESSION:
            raise RequestRejected(503, "streams", "too much is listened to at once")

    async def stream_events(
        self,
        events: AsyncIterator[StreamEvent],
        session: bytes,
        lives: Callable[[], bool],
    ) -> AsyncIterator[bytes]:
        """Yield the encoded events of one stream.

        Args:
            session: Key of its session.
            lives: Tells whether the session is alive.
        """
        queue: asyncio.Queue[bytes] = asyncio.Queue(256)
        task = asyncio.ensure_future(_fill_queue(queue, events))
        self._open[task] = session
        try:
            yield b"retry: 2000\n\n"
            until = time.monotonic() + MAX_DURATION
            while lives() and time.monotonic() < until:
                piece = await _next_chunk(queue, task)
                if piece is None:
                    return
                yield piece
        finally:
            del self._open[task]
            task.cancel()
            await self._await_end(task)

    async def _await_end(self, task: "asyncio.Task[None]") -> None:
        try:
            await task
        except asyncio.CancelledError:
            return  # by us, or by who listened
        except Exception as error:  # noqa: BLE001 - whatever it is, it is logged
            self._failed(error)


async def _fill_queue(
    queue: asyncio.Queue[bytes], events: AsyncIterator[StreamEvent]
) -> None:
    async for each in events:
        await queue.put(encode_event(each))


async def _next_chunk(
    queue: asyncio.Queue[bytes], task: "asyncio.Task[None]"
) -> bytes | None:
    """Wait for an event, a heartbeat, or the end."""
    if queue.empty():
        waiting = asyncio.ensure_future(queue.get())
        try:
            await asyncio.wait(
                {waiting, task},
                timeout=HEARTBEAT_INTERVAL,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if waiting.done():
                return waiting.result()
        finally:
            waiting.cancel()
        return None if task.done() and queue.empty() else b": beat\n\n"
    return queue.get_nowait()


def encode_event(happened: StreamEvent) -> bytes:
    """Encode one event (HTML 9.2.5)."""
    number = f"id: {_single_line(happened.id)}\n" if happened.id else ""
    data = msgspec.json.encode(happened.data).decode()
    return f"{number}event: {_single_line(happened.event)}\ndata: {data}\n\n".encode()


def _single_line(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())

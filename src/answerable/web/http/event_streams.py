"""Send server-sent events to clients, with limits and heartbeats.

An async generator per visitor yields the events. A stream ends with the session, with
the process, and when the client disconnects.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import msgspec

from answerable.web.http.errors import RequestRejected
from answerable.web.routing import StreamEvent

MAX_STREAMS = 64  # open streams of the process
MAX_PER_SESSION = 8  # open streams of one session
HEARTBEAT_INTERVAL = 15.0  # seconds between heartbeats
MAX_DURATION = (
    600.0  # seconds; the page reconnects, and its permissions are checked again
)
EVENT_STREAM_TYPE = "text/event-stream; charset=utf-8"


class EventStreams:
    """Open event streams.

    Args:
        report_error: Called with unexpected errors.
    """

    def __init__(self, report_error: Callable[[Exception], object]) -> None:
        self._report_error = report_error
        self._open: dict[asyncio.Task[None], bytes] = {}
        self._ending = False

    def __len__(self) -> int:
        return len(self._open)

    def close(self) -> None:
        """Cancel every open stream and refuse new ones."""
        self._ending = True
        for task in self._open:
            task.cancel()

    def check_capacity(self, session_key: bytes) -> None:
        """Check the limits of 64 streams, and 8 per session, before opening one.

        Raises:
            RequestRejected: A limit is reached.
        """
        own = sum(key == session_key for key in self._open.values())
        if self._ending or len(self._open) >= MAX_STREAMS or own >= MAX_PER_SESSION:
            raise RequestRejected(503, "streams", "too many open event streams")

    async def stream_events(
        self,
        events: AsyncIterator[StreamEvent],
        session_key: bytes,
        is_alive: Callable[[], bool],
    ) -> AsyncIterator[bytes]:
        """Yield encoded server-sent events until the session ends.

        Args:
            session_key: Key of its session.
            is_alive: Tells whether the session is alive.
        """
        if self._ending:  # it was opened just before
            return
        queue: asyncio.Queue[bytes] = asyncio.Queue(256)
        task = asyncio.ensure_future(_queue_encoded_events(queue, events))
        self._open[task] = session_key
        try:
            yield b"retry: 2000\n\n"
            until = time.monotonic() + MAX_DURATION
            while is_alive() and time.monotonic() < until:
                chunk = await _get_next_event_or_heartbeat(queue, task)
                if chunk is None:
                    return
                yield chunk
        finally:
            del self._open[task]
            task.cancel()
            await self._await_cancelled(task)

    async def _await_cancelled(self, task: "asyncio.Task[None]") -> None:
        """Wait for a cancelled task and report its unexpected error."""
        try:
            await task
        except asyncio.CancelledError:
            return  # by us, or by the client
        except Exception as error:  # noqa: BLE001 - every error is logged
            self._report_error(error)


async def _queue_encoded_events(
    queue: asyncio.Queue[bytes], events: AsyncIterator[StreamEvent]
) -> None:
    """Put each encoded server-sent event into a bounded queue."""
    async for each in events:
        await queue.put(encode_event(each))


async def _get_next_event_or_heartbeat(
    queue: asyncio.Queue[bytes], task: "asyncio.Task[None]"
) -> bytes | None:
    """Return the next event or a heartbeat; None at the end."""
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


def encode_event(event: StreamEvent) -> bytes:
    """Encode an event in the text/event-stream format (HTML 9.2.5)."""
    number = f"id: {_single_line(event.id)}\n" if event.id else ""
    data = msgspec.json.encode(event.data).decode()
    return f"{number}event: {_single_line(event.event)}\ndata: {data}\n\n".encode()


def _single_line(text: str) -> str:
    """Remove line ends and control characters from a field value."""
    return "".join(letter for letter in text if letter.isprintable())

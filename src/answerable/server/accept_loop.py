"""Accept connections of a listening socket, a few per iteration of the event loop.

Accepting and starting a connection takes a fraction of a millisecond. A flood that was
accepted in one iteration would hold up every open call.
"""

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable

ACCEPTS_PER_TURN = 4  # connections accepted in one iteration of the loop
_RETRY_DELAY = 0.1  # seconds between two attempts while no more files may be open
_RESOURCE_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class AcceptLoop:
    """Accepts connections until it is closed.

    Args:
        loop: The event loop.
        listening: A socket that listens; not closed with this.
        begin: Takes each accepted connection.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: socket.socket,
        begin: Callable[[socket.socket], None],
    ) -> None:
        self._loop, self._listening, self._begin = loop, listening, begin
        self._resume: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        loop.add_reader(listening, self._accept_connections)

    def close(self) -> None:
        """Accept no more connections; accepted ones stay open."""
        if self._resume is not None:
            self._resume.cancel()
        self._loop.remove_reader(self._listening)

    def _accept_connections(self) -> None:
        """Accept a batch; pause for a while when descriptors or memory run out."""
        for _ in range(ACCEPTS_PER_TURN):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _RESOURCE_ERRORS:
                    raise
                self._loop.remove_reader(self._listening)
                self._resume = self._loop.call_later(
                    _RETRY_DELAY, self._resume_accepting
                )
                return
            self._begin(connection)

    def _resume_accepting(self) -> None:
        """Accept again after a pause."""
        self._resume = None
        self._loop.add_reader(self._listening, self._accept_connections)


class LoopIterationLimiter:
    """Lets a few waiting coroutines continue per iteration of the event loop.

    Args:
        loop: The event loop.
        per_turn: Number of coroutines that continue in one iteration.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, per_turn: int) -> None:
        self._loop, self._per_turn = loop, per_turn
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_due = False

    async def wait_for_iteration(self) -> None:
        """Wait for an event loop iteration with room for one more coroutine."""
        turn = self._loop.create_future()
        self._waiting.append(turn)
        self._schedule_release()
        await turn

    def _schedule_release(self) -> None:
        """Let waiting accepts continue in the next event-loop iteration."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._release_waiters)

    def _release_waiters(self) -> None:
        """Resume the next waiting coroutines; others wait for another iteration."""
        self._is_due = False
        left = self._per_turn
        while self._waiting and left:
            turn = self._waiting.popleft()
            if not turn.done():  # it may have been cancelled
                turn.set_result(None)
                left -= 1
        if self._waiting:
            self._schedule_release()

"""Accept connections of a listening socket on an event loop, in batches."""

import asyncio
import errno
import socket
from collections.abc import Callable

_ACCEPT_BATCH = 64  # connections accepted in one iteration of the loop
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
        for _ in range(_ACCEPT_BATCH):
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

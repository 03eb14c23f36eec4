"""Read and write pipes on an event loop, without a task or a transport.

A write is tried at once, since its reader usually waits; only the rest is buffered.
"""

import asyncio
import os
import stat
from collections.abc import Callable
from contextlib import suppress

CHUNK_SIZE = 64 * 1024  # bytes, what a pipe holds
HIGH_WATER = 256 * 1024  # buffered bytes from which on the writer should pause


class ReadPipe:
    """Read end of a pipe.

    Args:
        handle: File descriptor; closed at the end.
        heard: Called with every slice.
        ended: Called once at the end of input.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handle: int,
        heard: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self._loop, self._handle = loop, handle
        self._heard, self._ended = heard, ended
        self._paused = True
        # A regular file is always ready, and no event loop would say so.
        self._is_file = stat.S_ISREG(os.fstat(handle).st_mode) or _is_dev_null(handle)
        self.resume()

    def pause(self) -> None:
        """Stop reading from the pipe, until `resume`."""
        if not self._paused and self._handle >= 0 and not self._is_file:
            self._loop.remove_reader(self._handle)
        self._paused = True

    def resume(self) -> None:
        """Continue reading from the pipe after `pause`."""
        if not self._paused or self._handle < 0:
            return
        self._paused = False
        if self._is_file:
            self._loop.call_soon(self._read_file)
        else:
            self._loop.add_reader(self._handle, self._on_readable)

    def close(self) -> None:
        """Stop reading, without calling `ended`."""
        if self._handle >= 0:
            self.pause()
            os.close(self._handle)
            self._handle = -1

    def _on_readable(self) -> None:
        """Read one chunk, or report the end."""
        try:
            data = os.read(self._handle, CHUNK_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._heard(data)
        else:
            self.close()
            self._ended()

    def _read_file(self) -> None:
        """Read a regular file in chunks, which no event loop can poll."""
        if not self._paused and self._handle >= 0:
            self._on_readable()
            self._loop.call_soon(self._read_file)


class WritePipe:
    """Write end of a pipe.

    Args:
        handle: File descriptor, non-blocking for a pipe or socket; closed at the end.
        full: Called when the writer should pause.
        drained: Called when it may continue.

    Attributes:
        size: Number of buffered bytes.
        closed: Done once it is closed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        handle: int,
        full: Callable[[], None] | None = None,
        drained: Callable[[], None] | None = None,
    ) -> None:
        self._loop, self._handle = loop, handle
        self._full, self._drained = full, drained
        self._kept: list[bytes] = []
        self._closing = False
        self.size = 0
        self.closed: asyncio.Future[None] = loop.create_future()

    def write(self, data: bytes) -> None:
        """Write all bytes, now or when there is room; a broken pipe drops them."""
        if self._handle < 0 or self._closing:
            return
        if not self._kept:
            data = self._write_some(data)
            if not data:
                return
            self._loop.add_writer(self._handle, self._on_writable)
        before = self.size
        self._kept.append(data)
        self.size += len(data)
        if before < HIGH_WATER <= self.size and self._full is not None:
            self._full()

    def close(self) -> None:
        """Close once everything is written."""
        self._closing = True
        if not self._kept:
            self._close_handle()

    def _write_some(self, data: bytes) -> bytes:
        """Write as much as possible; return the rest."""
        try:
            return data[os.write(self._handle, data) :]
        except BlockingIOError:
            return data
        except OSError:
            # The reader is gone, which is detected elsewhere.
            self._close_handle()
            return b""

    def _on_writable(self) -> None:
        """Write buffered bytes, and report when there is room again."""
        data = self._write_some(b"".join(self._kept))
        before, self.size = self.size, len(data)
        self._kept = [data] if data else []
        if self._handle >= 0 and not data:
            self._loop.remove_writer(self._handle)
            if self._closing:
                self._close_handle()
        if before >= HIGH_WATER > self.size and self._drained is not None:
            self._drained()

    def _close_handle(self) -> None:
        """Close the descriptor, and drop unwritten bytes."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            if self._kept:
                self._loop.remove_writer(handle)
                self._kept = []
            with suppress(OSError):
                os.close(handle)
            self.closed.set_result(None)


def _is_dev_null(descriptor: int) -> bool:
    """Return whether a descriptor is `/dev/null`."""
    return os.fstat(descriptor).st_rdev == os.stat(os.devnull).st_rdev

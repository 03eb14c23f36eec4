"""Listen at a unix socket that accepts bytes only from the connecting process.

The transports of an event loop do not check the sender. So this one accepts, reads and
writes itself; protocols work unchanged, but that `connection_lost` may get a
`NotAttested`.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from answerable.server.accept_loop import AcceptLoop
from answerable.server.processes.pidfd_process import NotAttested
from answerable.server.processes.sender_check import (
    SenderCheckedReader,
    enable_sender_credentials,
)

_CHUNK_SIZE = 256 * 1024
_HIGH, _LOW = 64 * 1024, 16 * 1024  # bytes that wait to be written


class SenderCheckedListener:
    """Listener for connections with checked senders.

    Args:
        listening: A listening unix stream socket; it is not closed here.
        make: Builds the protocol of a connection.
        refused: Called with the reason why a connection was cut, in a word.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: socket.socket,
        make: Callable[[], asyncio.Protocol],
        refused: Callable[[str], None],
    ) -> None:
        self._loop, self._make, self._refused = loop, make, refused
        enable_sender_credentials(listening)
        self._accepting = AcceptLoop(loop, listening, self._start_connection)

    def close(self) -> None:
        """Stop accepting; accepted connections continue."""
        self._accepting.close()

    def _start_connection(self, connection: socket.socket) -> None:
        """Start the transport of a new connection; close it if its peer is gone."""
        try:
            SenderTransport(self._loop, connection, self._make(), self._refused)
        except NotAttested as gone:
            connection.close()
            self._refused(gone.reason)


class SenderTransport(asyncio.Transport):
    """Transport of one connection with a checked sender.

    Args:
        protocol: Protocol of the connection.
        refused: Called with the reason why it was cut, in a word.

    Raises:
        ProcessGone: The process that connected has ended.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        protocol: asyncio.Protocol,
        refused: Callable[[str], None],
    ) -> None:
        super().__init__({"socket": connection})
        self._loop, self._connection = loop, connection
        self._protocol: asyncio.Protocol = protocol
        self._refused = refused
        self._senders = SenderCheckedReader(connection)
        self._waiting = bytearray()
        self._high, self._low = _HIGH, _LOW
        self._is_closing = self._is_lost = self._ends = False
        self._is_reading = self._is_full = False
        connection.setblocking(False)
        protocol.connection_made(self)
        if not self._is_closing:
            self.resume_reading()

    # Reading.

    def pause_reading(self) -> None:
        """Stop reading."""
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._connection)

    def resume_reading(self) -> None:
        """Continue reading."""
        if not self._is_reading and not self._is_closing:
            self._is_reading = True
            self._loop.add_reader(self._connection, self._on_readable)

    def is_reading(self) -> bool:
        """Return whether the transport is reading."""
        return self._is_reading

    def _on_readable(self) -> None:
        """Pass received bytes to the protocol; close on a foreign sender."""
        try:
            data = self._senders.receive(_CHUNK_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except NotAttested as refused:
            self._refused(refused.reason)
            self._schedule_close(refused)
            return
        except OSError as error:
            self._schedule_close(error)
            return
        if data:
            self._protocol.data_received(data)
            return
        self.pause_reading()
        if not self._protocol.eof_received():
            self.close()

    # Writing.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write bytes now, or once the socket is writable."""
        if self._is_lost or self._ends or not data:
            return
        if not self._waiting:
            try:
                sent = self._connection.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._schedule_close(error)
                return
            data = memoryview(data)[sent:]
            if not data:
                return
            self._loop.add_writer(self._connection, self._on_writable)
        self._waiting += data
        if len(self._waiting) > self._high and not self._is_full:
            self._is_full = True
            self._protocol.pause_writing()

    def _on_writable(self) -> None:
        """Send buffered bytes; resume the protocol below the low mark."""
        try:
            sent = self._connection.send(self._waiting)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._schedule_close(error)
            return
        del self._waiting[:sent]
        if self._is_full and len(self._waiting) <= self._low:
            self._is_full = False
            self._protocol.resume_writing()
        if not self._waiting:
            self._loop.remove_writer(self._connection)
            self._on_written()

    def _on_written(self) -> None:
        """Close, or end writing, once all bytes are sent."""
        if self._is_closing:
            self._schedule_close(None)
        elif self._ends:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)

    def can_write_eof(self) -> bool:
        """Return True: the writing side can be closed first."""
        return True

    def write_eof(self) -> None:
        """Close the writing side once all is sent."""
        self._ends = True
        if not self._waiting:
            self._on_written()

    def get_write_buffer_size(self) -> int:
        """Return the number of buffered bytes."""
        return len(self._waiting)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and high marks of the write buffer, in bytes."""
        return self._low, self._high

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """Set the marks at which the protocol pauses and continues."""
        self._high = _HIGH if high is None else high
        self._low = self._high // 4 if low is None else low

    # The end.

    def is_closing(self) -> bool:
        """Return whether the transport is closed or closing."""
        return self._is_closing

    def close(self) -> None:
        """Close once all buffered bytes are sent."""
        if self._is_closing:
            return
        self._is_closing = True
        self.pause_reading()
        if not self._waiting:
            self._schedule_close(None)

    def abort(self) -> None:
        """Close now, and drop buffered bytes."""
        self._schedule_close(None)

    def _schedule_close(self, error: Exception | None) -> None:
        """Stop reading and writing, and close in the next loop iteration."""
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        self.pause_reading()
        if self._waiting:
            self._loop.remove_writer(self._connection)
            self._waiting.clear()
        # Never from within a call of the protocol's own.
        self._loop.call_soon(self._finish_close, error)

    def _finish_close(self, error: Exception | None) -> None:
        """Tell the protocol of the loss, and close the socket."""
        try:
            self._protocol.connection_lost(error)
        finally:
            self._senders.close()
            self._connection.close()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of this transport."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Set another protocol."""
        assert isinstance(protocol, asyncio.Protocol)  # noqa: S101 - ours all are
        self._protocol = protocol

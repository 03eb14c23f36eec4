"""Check the sender of unix socket data: only the connecting process counts.

A socket can be inherited, or passed on in a message (SCM_RIGHTS); another process would
then act in the name of the one that connected. With SO_PASSCRED the kernel names the
process that wrote each piece, and never joins pieces of two (man 7 unix).

The kernel gives a pid. It is the connector's own while that one is alive, which is
checked after each piece: so a pidfd for each of them (SO_PASSPIDFD) would add nothing.
Bytes of a process that has ended are refused, since it cannot be attested any more.
Bytes that a process writes on another one's behalf are its own.
"""

import array
import os
import socket
from collections.abc import Iterable
from contextlib import suppress

from answerable.server.processes.pidfd_process import NotAttested
from answerable.server.processes.unix_peer import UCRED, open_peer_process

_SCM_CREDENTIALS = 2  # <linux/socket.h>; Python names it from 3.14 on
_SO_PASSRIGHTS = 83  # <asm-generic/socket.h>, Linux 6.16: off, no files are received
_HANDLE = array.array("i").itemsize
_ROOM = socket.CMSG_SPACE(UCRED.size) + socket.CMSG_SPACE(64 * _HANDLE)

_Ancillary = Iterable[tuple[int, int, bytes]]


class ForeignSender(NotAttested):
    """Bytes from another process than the one that connected, or an unknown one."""

    def __init__(self) -> None:
        super().__init__(
            "foreign-sender",
            "the request was written by a process other than the one that opened "
            "the connection",
            "open a new connection from the requesting process",
        )


def enable_sender_credentials(listening_socket: socket.socket) -> None:
    """Enable SO_PASSCRED, so that each message carries its sender's pid.

    A connection inherits the option from its listener. Only there it covers bytes that
    were sent before the connection was accepted.
    """
    listening_socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


class SenderCheckedReader:
    """Reader of an accepted connection that checks the sender.

    Args:
        connection: A unix stream socket, accepted from one with `enable_sender_credentials`.

    Raises:
        ProcessGone: The process that connected has ended.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        # On an older kernel, received files are closed.
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, _SO_PASSRIGHTS, 0)
        self._connector = open_peer_process(connection)

    def close(self) -> None:
        """Release the pidfd of the connecting process."""
        self._connector.process.close()

    def receive(self, size: int) -> bytes:
        """Read available bytes, all from the process that connected.

        Args:
            size: Maximum number of bytes.

        Returns:
            Empty at the end.

        Raises:
            BlockingIOError: There are none yet.
            ForeignSender: Another process wrote them, or files came with them.
            ProcessGone: The process that connected has ended.
            OSError: The connection is broken.
        """
        data, ancillary, flags, _ = self._connection.recvmsg(
            size, _ROOM, socket.MSG_CMSG_CLOEXEC
        )
        said, has_files = _parse_sender_pids(ancillary)
        if not data and not has_files:
            return b""
        connector = self._connector
        who = (connector.process.pid, connector.uid, connector.gid)
        if has_files or flags & socket.MSG_CTRUNC or said != [who]:
            raise ForeignSender
        connector.process.check_alive()
        return data


def _parse_sender_pids(ancillary: _Ancillary) -> tuple[list[tuple[int, ...]], bool]:
    """Return the senders in ancillary data, and close files that were passed."""
    said, has_files = [], False
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == _SCM_CREDENTIALS and len(data) == UCRED.size:
            said.append(UCRED.unpack(data))
        elif kind == socket.SCM_RIGHTS:
            has_files = True
            handles = array.array("i")
            handles.frombytes(data[: len(data) - len(data) % _HANDLE])
            for handle in handles:
                os.close(handle)
    return said, has_files

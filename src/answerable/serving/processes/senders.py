"""Bytes of a unix socket are taken only from the process that connected.

A socket can be inherited, or handed on in a message (SCM_RIGHTS); whoever then holds it
would speak in the name of whoever connected. With SO_PASSCRED the kernel says of each
piece which process wrote it, and never joins pieces of two (man 7 unix).

The kernel gives a number. It is the connector's own while that one lives, which is
looked at after each piece: so a pidfd for each of them (SO_PASSPIDFD) would add nothing.
Bytes of a process that has ended are not taken, though it wrote them: nobody can be
asked about it any more. What a process writes on another one's order stays its word.
"""

import array
import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress

from answerable.serving.processes.held import NotAttested
from answerable.serving.processes.peer import connector_of

_CREDENTIALS = struct.Struct("=iII")
_SCM_CREDENTIALS = 2  # <linux/socket.h>; Python names it from 3.14 on
_SO_PASSRIGHTS = 83  # <asm-generic/socket.h>, Linux 6.16: off, nobody hands us files
_HANDLE = array.array("i").itemsize
_ROOM = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(64 * _HANDLE)

_Ancillary = Iterable[tuple[int, int, bytes]]


class ForeignSender(NotAttested):
    """Somebody else than whoever connected wrote, or it cannot be told."""

    def __init__(self) -> None:
        super().__init__(
            "foreign-sender",
            "another process than the one that connected writes to this socket",
            "connect anew from the process that asks",
        )


def name_senders(listening: socket.socket) -> None:
    """Have the kernel name senders from the first byte on.

    A connection takes this over from the socket it came to. Set there alone, it holds
    for what was sent before it was accepted.
    """
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)


class Senders:
    """Reads a connection that was accepted, and looks at who wrote.

    Args:
        connection: A unix stream socket, accepted from one with `name_senders`.

    Raises:
        ProcessGone: Whoever connected ended.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        # Where an older kernel cannot, they are closed as they come.
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, _SO_PASSRIGHTS, 0)
        self._connector = connector_of(connection)

    def close(self) -> None:
        """Let go of whoever connected."""
        self._connector.process.close()

    def receive(self, size: int) -> bytes:
        """Read what there is, of one process.

        Args:
            size: Bytes at most.

        Returns:
            Nothing at the end.

        Raises:
            BlockingIOError: There is nothing yet.
            ForeignSender: Another process wrote it, or files came with it.
            ProcessGone: The one that connected ended.
            OSError: The connection is broken.
        """
        data, ancillary, flags, _ = self._connection.recvmsg(
            size, _ROOM, socket.MSG_CMSG_CLOEXEC
        )
        said, has_files = _read(ancillary)
        if not data and not has_files:
            return b""
        connector = self._connector
        who = (connector.process.pid, connector.uid, connector.gid)
        if has_files or flags & socket.MSG_CTRUNC or said != [who]:
            raise ForeignSender
        connector.process.check()
        return data


def _read(ancillary: _Ancillary) -> tuple[list[tuple[int, ...]], bool]:
    """Find who wrote, and close files that came along."""
    said, has_files = [], False
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == _SCM_CREDENTIALS and len(data) == _CREDENTIALS.size:
            said.append(_CREDENTIALS.unpack(data))
        elif kind == socket.SCM_RIGHTS:
            has_files = True
            handles = array.array("i")
            handles.frombytes(data[: len(data) - len(data) % _HANDLE])
            for handle in handles:
                os.close(handle)
    return said, has_files

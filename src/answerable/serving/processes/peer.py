"""The process at the other end of a unix socket, as the kernel names it.

User and group are those of the moment it connected. A connection can be handed on, and
a process can become another program, so what is told apart is user and unit, never two
processes of one user.
"""

import socket
import struct
from pathlib import Path

from answerable.serving.link import UnixPeer
from answerable.serving.processes.held import ProcessGone, held, opened, text
from answerable.serving.processes.units import start_in, unit_in

# <asm-generic/socket.h>, Linux 6.5; Python's socket does not name it.
_SO_PEERPIDFD = 77
_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid (man 7 unix)


def peer_of(connection: socket.socket, option: int = _SO_PEERPIDFD) -> UnixPeer:
    """Describe who connected.

    Args:
        connection: A connected unix socket, as accepted.
        option: Socket option that gives a pidfd of the peer. Where the kernel has
            none, the unit stays unknown: the number could be another's by now.

    Raises:
        ProcessGone: It ended, or is outside our namespace of processes.
    """
    said = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
    )
    pid, uid, gid = _CREDENTIALS.unpack(said)
    if pid <= 0:
        raise ProcessGone
    try:
        pidfd, certain = connection.getsockopt(socket.SOL_SOCKET, option), True
    except OSError:
        pidfd, certain = opened(pid), False
    start, unit = held(pidfd, pid, _read)
    return UnixPeer(pid, uid, gid, unit if certain else "", start)


def _read(folder: Path) -> tuple[int, str]:
    return start_in(text(folder / "stat")), unit_in(text(folder / "cgroup"))

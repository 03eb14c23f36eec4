"""The process at the other end of a unix socket, as the kernel names it.

User and group are those of the moment it connected. A connection can be handed on, and
a process can become another program, so what is told apart is user and unit, never two
processes of one user.
"""

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from answerable.serving.link import UnixPeer
from answerable.serving.processes.held import Hold, ProcessGone, opened, text
from answerable.serving.processes.units import start_in, unit_in

# <asm-generic/socket.h>, Linux 6.5; Python's socket does not name it.
SO_PEERPIDFD = 77
_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid (man 7 unix)


@dataclass(frozen=True, slots=True)
class Connector:
    """Whoever made a connection.

    Attributes:
        process: Holds it.
        uid: Its effective user when it connected.
        gid: Its effective group likewise.
        is_certain: The kernel gave the pidfd. Where it has none to give, the number
            could be another process's by now.
    """

    process: Hold
    uid: int
    gid: int
    is_certain: bool


def connector_of(connection: socket.socket, option: int = SO_PEERPIDFD) -> Connector:
    """Hold whoever connected; the caller lets go.

    Args:
        connection: A connected unix socket, as accepted.
        option: Socket option that gives a pidfd of the peer.

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
    return Connector(Hold(pidfd, pid), uid, gid, certain)


def peer_of(connection: socket.socket, option: int = SO_PEERPIDFD) -> UnixPeer:
    """Describe who connected.

    Args:
        connection: A connected unix socket, as accepted.
        option: Socket option that gives a pidfd of the peer. Where the kernel has
            none, the unit stays unknown: the number could be another's by now.

    Raises:
        ProcessGone: It ended, or is outside our namespace of processes.
    """
    peer = connector_of(connection, option)
    with peer.process as process:
        start, unit = process.facts(_read)
    unit = unit if peer.is_certain else ""
    return UnixPeer(process.pid, peer.uid, peer.gid, unit, start)


def _read(folder: Path) -> tuple[int, str]:
    return start_in(text(folder / "stat")), unit_in(text(folder / "cgroup"))

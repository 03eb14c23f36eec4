"""Identify the peer process of a unix socket, as the kernel reports it.

User and group are those of the time of the connection. A connection can be passed on,
and a process can run another program, so users and units are distinguished, never two
processes of one user.
"""

import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from answerable.server.connection_info import UnixPeer
from answerable.server.processes.pidfd_process import (
    PidfdProcess,
    ProcessGone,
    open_pidfd,
    read_proc_file,
)
from answerable.server.processes.proc_parsing import (
    parse_start_time,
    parse_systemd_unit,
)

# <asm-generic/socket.h>, Linux 6.5; Python's socket does not name it.
SO_PEERPIDFD = 77
UCRED = struct.Struct("=iII")  # struct ucred: pid, uid, gid (man 7 unix)


@dataclass(frozen=True, slots=True)
class SocketPeer:
    """Process that made a connection.

    Attributes:
        uid: Effective user when it connected.
        gid: Effective group when it connected.
        is_certain: The kernel returned the pidfd. Otherwise the pid could belong to
            another process by now.
    """

    process: PidfdProcess
    uid: int
    gid: int
    is_certain: bool


def open_peer_process(
    connection: socket.socket, peer_option: int = SO_PEERPIDFD
) -> SocketPeer:
    """Open a pidfd of the process that connected; the caller closes it.

    Args:
        connection: A connected unix socket, as accepted.
        peer_option: Socket option that returns a pidfd of the peer.

    Raises:
        ProcessGone: It ended, or is outside our pid namespace.
    """
    said = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
    pid, uid, gid = UCRED.unpack(said)
    if pid <= 0:
        raise ProcessGone
    try:
        pidfd, certain = connection.getsockopt(socket.SOL_SOCKET, peer_option), True
    except OSError:
        pidfd, certain = open_pidfd(pid), False
    return SocketPeer(PidfdProcess(pidfd, pid), uid, gid, certain)


def read_unix_peer(
    connection: socket.socket, peer_option: int = SO_PEERPIDFD
) -> UnixPeer:
    """Describe the process that connected: pid, user, systemd unit, start time.

    Args:
        connection: A connected unix socket, as accepted.
        peer_option: Socket option that returns a pidfd of the peer. Without it the unit
            stays unknown: the pid could belong to another process by now.

    Raises:
        ProcessGone: It ended, or is outside our pid namespace.
    """
    peer = open_peer_process(connection, peer_option)
    with peer.process as process:
        start, unit = process.read_facts(_read_start_and_unit)
    unit = unit if peer.is_certain else ""
    return UnixPeer(process.pid, peer.uid, peer.gid, unit, start)


def _read_start_and_unit(folder: Path) -> tuple[int, str]:
    """Read start time and systemd unit of a process from its /proc folder."""
    return parse_start_time(read_proc_file(folder / "stat")), parse_systemd_unit(
        read_proc_file(folder / "cgroup")
    )

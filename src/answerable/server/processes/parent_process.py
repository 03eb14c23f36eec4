"""Parent process: the caller of a stdio wrapper or hook."""

import os
from dataclasses import dataclass
from pathlib import Path

from answerable.server.connection_info import UnixPeer
from answerable.server.processes.held_process import ProcessGone, held, opened, text
from answerable.server.processes.proc_parsing import gid_in, start_in, uid_in, unit_in


@dataclass(frozen=True, slots=True)
class Parent:
    """Process that started us.

    Attributes:
        executable: Path of its program, for display; empty where it is not readable. It
            names an interpreter, and not its script.
        advisory: It runs as our own user: it could have started us with another
            configuration, or not at all, so decisions here are only advisory.
    """

    peer: UnixPeer
    executable: str
    advisory: bool


def read_parent() -> Parent:
    """Describe the process that started us.

    Where it has ended before, it is the process that adopted us: in a container, the
    first process may be either. Our input has ended then.

    Raises:
        ProcessGone: It ended meanwhile.
    """
    pid = os.getppid()
    peer, executable = held(opened(pid), pid, _read)
    # Still our parent, so its pid was not reused.
    if os.getppid() != pid:
        raise ProcessGone
    return Parent(peer, executable, advisory=peer.uid == os.getuid())


def _read(folder: Path) -> tuple[UnixPeer, str]:
    status = text(folder / "status")
    peer = UnixPeer(
        pid=int(folder.name),
        uid=uid_in(status),
        gid=gid_in(status),
        unit=unit_in(text(folder / "cgroup")),
        start=start_in(text(folder / "stat")),
    )
    try:
        executable = str((folder / "exe").readlink())
    except PermissionError:
        executable = ""
    return peer, executable

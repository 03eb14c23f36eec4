"""Read the parent process: the caller of a stdio wrapper or hook."""

import os
from dataclasses import dataclass
from pathlib import Path

from answerable.server.connection_info import UnixPeer
from answerable.server.processes.pidfd_process import (
    ProcessGone,
    open_pidfd,
    read_proc_file,
    read_process_facts,
)
from answerable.server.processes.proc_parsing import (
    parse_gid,
    parse_start_time,
    parse_systemd_unit,
    parse_uid,
)


@dataclass(frozen=True, slots=True)
class ParentProcess:
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


def read_parent() -> ParentProcess:
    """Describe the process that started us, with its executable.

    Where it has ended before, it is the process that adopted us: in a container, the
    first process may be either. Our input has ended then.

    Raises:
        ProcessGone: It ended meanwhile.
    """
    pid = os.getppid()
    peer, executable = read_process_facts(open_pidfd(pid), pid, _describe_parent)
    # Still our parent, so its pid was not reused.
    if os.getppid() != pid:
        raise ProcessGone
    return ParentProcess(peer, executable, advisory=peer.uid == os.getuid())


def _describe_parent(folder: Path) -> tuple[UnixPeer, str]:
    """Describe a process from its folder in /proc, with its executable."""
    status = read_proc_file(folder / "status")
    peer = UnixPeer(
        pid=int(folder.name),
        uid=parse_uid(status),
        gid=parse_gid(status),
        unit=parse_systemd_unit(read_proc_file(folder / "cgroup")),
        start=parse_start_time(read_proc_file(folder / "stat")),
    )
    try:
        executable = str((folder / "exe").readlink())
    except PermissionError:
        executable = ""
    return peer, executable

"""The process that started us: over stdio, it is the one that calls."""

import os
from dataclasses import dataclass
from pathlib import Path

from answerable.serving.link import UnixPeer
from answerable.serving.processes.held import ProcessGone, held, opened, text
from answerable.serving.processes.units import gid_in, start_in, uid_in, unit_in


@dataclass(frozen=True, slots=True)
class Parent:
    """Who started us.

    Attributes:
        peer: The process.
        executable: Its program, shown to people; empty where we may not know. A path
            says which interpreter runs, and not what.
        advisory: It runs as our own user: it could have started us with another
            configuration, or not at all, so what is decided here is advice to it.
    """

    peer: UnixPeer
    executable: str
    advisory: bool


def read_parent() -> Parent:
    """Describe the process that started us.

    Where that one has ended before, it is whoever inherited us: in a container, the
    first process may be either. Our input has ended then.

    Raises:
        ProcessGone: It ended meanwhile.
    """
    pid = os.getppid()
    peer, executable = held(opened(pid), pid, _read)
    # Still our parent, so the number was its own all along.
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

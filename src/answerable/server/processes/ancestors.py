"""List the ancestors of our process, and detect an agent among them.

A person signs; a process started by an agent does not. The ancestors are read from
/proc, each process held by a pidfd meanwhile, and an incomplete reading is refused as
well.

It is advice and no security boundary: processes of one user can leave their parents,
rename themselves, and write each other's files. It keeps an agent from signing by
accident, not by intent.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.server.processes.agent_program_recognition import find_agent_client
from answerable.server.processes.pidfd_process import (
    ProcessGone,
    open_pidfd,
    read_proc_file,
    read_process_facts,
)
from answerable.server.processes.proc_parsing import parse_start_time, parse_uid

RUN_VARIABLE = (
    "ANSWERABLE_RUN"  # in the environment of processes that `answerable run` starts
)
_MAX_ANCESTORS = 256
_MAX_RUN_FILE = 1 << 16  # bytes of a registered run
_TRIES = 5  # of a walk: an ancestor may end meanwhile

_HINT = "run it in a terminal that no agent or agent's editor has opened"

ProcessKey = tuple[int, int]  # process number, start in clock ticks since boot


@dataclass(frozen=True, slots=True)
class Ancestor:
    """Our own process, or one of its ancestors.

    Attributes:
        start: When it started, clock ticks since boot.
        parent: Pid of its parent, 0 for none in our namespace.
        name: Name, which a process can set itself.
        program: Path of its executable; empty where it is not readable.
        argv: Arguments; empty where they are not readable.
        marked: Its environment has the variable that `answerable run` sets.
    """

    pid: int
    start: int
    parent: int
    uid: int
    name: str
    program: str
    argv: tuple[str, ...]
    marked: bool


class StartedByAgent(EnvironmentFailure):
    """Process that was started by an agent, or whose ancestors are unknown."""


def refuse_agent_ancestors(registered_runs: Collection[ProcessKey] = ()) -> None:
    """Raise an error if an agent is among the ancestors of this process.

    Args:
        registered_runs: Processes that `answerable run` has registered.

    Raises:
        StartedByAgent: An ancestor is an agent, or the ancestors cannot be read.
    """
    if RUN_VARIABLE in os.environ:
        raise StartedByAgent(
            f"only a person may do this, and {RUN_VARIABLE} shows that an agent "
            "runs it",
            _HINT,
        )
    why = describe_agent_ancestor(list_ancestors(), frozenset(registered_runs))
    if why:
        raise StartedByAgent(f"only a person may do this, and {why}", _HINT)


def describe_agent_ancestor(
    ancestors: Iterable[Ancestor], registered_runs: Collection[ProcessKey]
) -> str:
    """Describe the first agent in a list of processes, empty without one."""
    for each in ancestors:
        if (each.pid, each.start) in registered_runs:
            return (
                f"ancestor process {each.pid} is an agent that `answerable run` started"
            )
        if each.marked:
            return f"ancestor process {each.pid} runs inside a run of `answerable run`"
        client = find_agent_client(each.name, each.program, each.argv)
        if client:
            return f"ancestor process {each.pid} is {client}"
    return ""


def list_ancestors(pid: int | None = None) -> tuple[Ancestor, ...]:
    """Describe a process and its ancestors, nearest first.

    Args:
        pid: Pid; our own by default.

    Raises:
        StartedByAgent: They cannot be read completely.
    """
    if not Path("/proc/self/stat").exists():
        raise _unknown_ancestors_error("this machine has no /proc")
    for _ in range(_TRIES):
        with suppress(ProcessGone):
            return _collect_ancestors(os.getpid() if pid is None else pid)
    raise _unknown_ancestors_error("the ancestor processes ended during the lookup")


class _ProcessNumber(msgspec.Struct):
    pid: int
    start: int


class _RunFile(msgspec.Struct):
    """Process ids in the file of a registered run."""

    process: _ProcessNumber
    launcher: _ProcessNumber | None = None


def read_registered_processes(folders: Sequence[Path]) -> frozenset[ProcessKey]:
    """Read the processes that `answerable run` registered.

    A file is named `PID-START.json`, or contains `process` and `launcher`, which adopts
    orphans of the run. A folder that is missing, or another user's, has none; runs of
    that user are marked in their environment, too.
    """
    found: set[ProcessKey] = set()
    for folder in folders:
        with suppress(OSError):
            for file in folder.iterdir():
                found.update(_parse_registered_processes(file))
    return frozenset(found)


def _parse_registered_processes(file: Path) -> list[ProcessKey]:
    """Return pid and start time of a run's processes, from its file."""
    pid, dash, start = file.name.removesuffix(".json").partition("-")
    if dash and pid.isdecimal() and start.isdecimal():
        return [(int(pid), int(start))]
    try:
        with file.open("rb") as opened_file:
            data = opened_file.read(_MAX_RUN_FILE)
        said = msgspec.json.decode(data, type=_RunFile)
    except (OSError, ValueError, RecursionError):
        return []
    both = (said.process, said.launcher)
    return [(each.pid, each.start) for each in both if each is not None]


def _collect_ancestors(pid: int) -> tuple[Ancestor, ...]:
    """Describe a process and its ancestors, once, without retries."""
    line = [_read_process(pid)]
    while (child := line[-1]).parent:
        above = _read_process(child.parent)
        # Still the same parent, so its pid was not reused.
        if _read_process(child.pid) != child:
            raise ProcessGone
        line.append(above)
        if len(line) > _MAX_ANCESTORS:
            raise _unknown_ancestors_error(
                f"there are more than {_MAX_ANCESTORS} ancestor processes"
            )
    if line[-1].pid != 1:
        raise _unknown_ancestors_error(
            f"process {line[-1].pid} was started from outside the container"
        )
    return tuple(line)


def _read_process(pid: int) -> Ancestor:
    """Describe a process while a pidfd holds it."""
    try:
        return read_process_facts(open_pidfd(pid), pid, _describe_process)
    except ProcessGone:
        if not Path("/proc", str(pid)).exists() and _is_alive(pid):
            raise _unknown_ancestors_error(f"/proc hides process {pid}") from None
        raise


def _is_alive(pid: int) -> bool:
    """Return whether a process with this pid exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _describe_process(folder: Path) -> Ancestor:
    """Describe a process (parent, user, program) from /proc."""
    stat = read_proc_file(folder / "stat")
    program = ""
    with suppress(OSError):  # of another user: not ours to see
        program = str((folder / "exe").readlink())
    return Ancestor(
        pid=int(folder.name),
        start=parse_start_time(stat),
        parent=int(stat[stat.rindex(")") + 1 :].split()[1]),
        uid=parse_uid(read_proc_file(folder / "status")),
        name=stat[stat.index("(") + 1 : stat.rindex(")")],
        program=program.removesuffix(" (deleted)"),
        argv=tuple(read_proc_file(folder / "cmdline").split("\0")[:-1]),
        marked=_has_run_variable(folder),
    )


def _has_run_variable(folder: Path) -> bool:
    """Return whether `answerable run` set its variable in the environment."""
    try:
        environment = (folder / "environ").read_bytes()
    except OSError:  # of another user, or one that may not be traced
        return False
    mark = RUN_VARIABLE.encode() + b"="
    return any(each.startswith(mark) for each in environment.split(b"\0"))


def _unknown_ancestors_error(reason: str) -> StartedByAgent:
    """Build the error where the ancestors cannot be determined."""
    return StartedByAgent(
        "only a person may do this, and the caller cannot be identified as one: "
        f"{reason}",
        "run it on Linux, in a terminal whose processes are visible in /proc",
    )

"""Processor time of processes that still run, and of those that they started."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def list_descendants(pid: int) -> Iterator[int]:
    """Yield the running processes that a process started, directly or not."""
    with suppress(OSError):  # it ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # the thread ended
                for child in map(int, (task / "children").read_text().split()):
                    yield child
                    yield from list_descendants(child)


def read_processor_seconds(pids: Iterable[int]) -> float:
    """Return the processor seconds, user and system, of running processes."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def end_processes(pids: Iterable[int]) -> None:
    """End processes without notice; those that ended already are skipped."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

"""Processor time and memory of processes, from /proc."""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_POLLS = Path("/sys/module/haltpoll/parameters/guest_halt_poll_ns")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Sum the processor seconds of processes."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])  # utime, stime: proc_pid_stat(5)
    return total / _TICKS


def cpu_seconds_with_children(pid: int) -> float:
    """Return the processor seconds of a process and its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS  # and cutime, cstime


@contextmanager
def pin_to_one_core(pids: Iterable[int]) -> Iterator[int]:
    """Pin processes with all threads to one core; yield the core.

    Whatever is started meanwhile has to be kept there by whoever starts it.
    """
    cores = os.sched_getaffinity(0)
    pids, core = tuple(pids), min(cores)
    _pin_threads(pids, {core})
    try:
        yield core
    finally:
        _pin_threads(pids, cores)


def describe_idle_halt() -> str:
    """Describe how soon an idle virtual core halts, empty if unknown.

    Linux, Documentation/virt/guest-halt-polling.rst: before it halts, a core looks for
    work for up to so long; 200,000 ns unless the machine was started otherwise.
    """
    try:
        said = _POLLS.read_text().strip()
    except OSError:
        return ""
    return f"An idle core halts after up to {int(said):,} ns (guest_halt_poll_ns)."


@contextmanager
def keep_cores_awake() -> Iterator[None]:
    """Keep every core busy with work of idle priority.

    A virtual machine whose core halts has to be woken from outside of it, which may
    cost more than a call.
    """
    spin = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
    spin += "print(flush=True)\nwhile True: pass"
    spinning = []
    try:
        for core in os.sched_getaffinity(0):
            argv = (sys.executable, "-c", spin)
            process = subprocess.Popen(argv, stdout=subprocess.PIPE)
            spinning.append(process)
            os.sched_setaffinity(process.pid, {core})
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def _pin_threads(pids: Iterable[int], cores: set[int]) -> None:
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cores)


def peak_memory(pid: int) -> float:
    """Return the peak resident MiB since `reset_peak_memory`."""
    return _read_status(pid, "VmHWM:") / 1024


def resident_memory(pid: int) -> float:
    """Return the current resident MiB."""
    return _read_status(pid, "VmRSS:") / 1024


def reset_peak_memory(pid: int) -> None:
    """Reset the peak to the current resident memory."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def count_open_files(pid: int) -> int:
    """Count open file descriptors."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def _read_status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise RuntimeError(f"no {name} of process {pid}")

"""Small parent process of a measured command.

Linux keeps the peak memory of a process over `exec`: a child of the bench would start
with the bench's own peak. This process imports a few modules of the standard library,
so the peak that it reports is the command's.

`python -I -S process_launcher.py FD COMMAND...` writes one JSON object to FD.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator

_EVERY = 0.02


class PeakMemorySampler(threading.Thread):
    """Sampler of the resident memory of a process tree.

    The kernel's own peak is that of the largest single process; a page that two of
    them share counts twice here, so this errs on the high side. Without /proc there
    is only the kernel's.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.bytes = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(_EVERY):
            self.bytes = max(
                self.bytes, sum(map(resident_bytes, process_tree(self.pid)))
            )


def process_tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
        for child in file.read().split():
            yield from process_tree(int(child))


def resident_bytes(pid: int) -> int:
    """Return resident bytes, 0 when the process is gone."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def run_measured(argv: list[str]) -> dict[str, float]:
    """Run a command; return seconds, peak bytes and exit code."""
    started = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ)
    sampler = PeakMemorySampler(pid)
    sampler.start()
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    sampler.done.set()
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    kernel = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": max(sampler.bytes, kernel),
        "code": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    with open(int(sys.argv[1]), "w") as report:
        json.dump(run_measured(sys.argv[2:]), report)

"""Pauses of the machine itself: scheduling and disk sync.

A token is given once its evidence is on disk, so whatever stops the one core that
serves, or a sync, stops everybody who waits.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 1.0
SYNCS = 500
PAGE = 4096

# Give the longest time, in seconds, for which a core did not run a loop.
_SPIN = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
ends, last, longest = time.perf_counter() + float(sys.argv[2]), time.perf_counter(), 0.0
while last < ends:
    now = time.perf_counter()
    longest, last = max(longest, now - last), now
print(longest)
"""


def measure_cpu_pauses(cores: tuple[int, ...]) -> float:
    """Keep cores busy for a second; return the longest pause, in seconds."""
    spinning = [
        subprocess.Popen(
            (sys.executable, "-c", _SPIN, str(core), str(SECONDS)),
            stdout=subprocess.PIPE,
        )
        for core in cores
    ]
    said = [process.communicate()[0] for process in spinning]
    return max(float(each) for each in said)


def measure_sync_pauses(folder: Path) -> float:
    """Sync pages in sequence; return the longest sync, in seconds."""
    longest = 0.0
    path = folder / "pauses"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(SYNCS):
            os.write(handle, bytes(PAGE))
            began = time.perf_counter()
            os.fdatasync(handle)
            longest = max(longest, time.perf_counter() - began)
    finally:
        os.close(handle)
        path.unlink()
    return longest

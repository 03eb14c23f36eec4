"""Run the command line in a process of its own, and see what it took."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ANSWERABLE = (sys.executable, "-m", "answerable")


@dataclass(frozen=True, slots=True)
class Took:
    """One run: wall and processor seconds, peak resident MiB, standard output."""

    wall: float
    cpu: float
    peak: float
    out: str


def run(argv: Sequence[str], more: Mapping[str, str] | None = None) -> Took:
    """Run a command to its end.

    Raises:
        RuntimeError: It did not end with exit code 0.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, stdout=out, stderr=err, env={**os.environ, **(more or {})}
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(argv)} ended with {process.returncode}: {texts[1][-500:]}"
        )
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Took(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, texts[0])


def answerable(*argv: str) -> Took:
    return run((*ANSWERABLE, *argv))

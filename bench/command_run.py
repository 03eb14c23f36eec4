"""Subprocess runs of the command line, with time and memory."""

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ANSWERABLE = (sys.executable, "-m", "answerable")
# As an installed package has it: compiled modules are kept.
_COMPILED = tempfile.mkdtemp(prefix="answerable-bench-pyc-")
atexit.register(shutil.rmtree, _COMPILED, ignore_errors=True)
_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """One run: wall and processor seconds, peak resident MiB, standard output."""

    wall: float
    cpu: float
    peak: float
    out: str


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
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from process_tree(int(child))


def resident_bytes(pid: int) -> int:
    """Return resident bytes, 0 when the process is gone."""
    with contextlib.suppress(OSError, IndexError):
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _clean_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": _COMPILED}


def run_command(argv: Sequence[str]) -> ProcessResult:
    """Run a command to its end.

    Raises:
        RuntimeError: It did not end with exit code 0.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, stdout=out, stderr=err, env=_clean_environment()
        )
        peak = PeakMemorySampler(process.pid)
        peak.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        peak.done.set()
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(argv)} ended with {process.returncode}: "
            f"{(texts[1] or texts[0])[-500:]}"
        )
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    kernel = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return ProcessResult(
        wall,
        usage.ru_utime + usage.ru_stime,
        max(peak.bytes, kernel) / (1 << 20),
        texts[0],
    )


def answerable_command(*argv: str) -> ProcessResult:
    return run_command((*ANSWERABLE, *argv))

"""Subprocess runs of the command line, with time and memory."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench import process_launcher

ANSWERABLE = (sys.executable, "-m", "answerable")
# As an installed package has it: compiled modules are kept.
_COMPILED = tempfile.mkdtemp(prefix="answerable-bench-pyc-")
atexit.register(shutil.rmtree, _COMPILED, ignore_errors=True)
_LAUNCHER = (sys.executable, "-I", "-S", process_launcher.__file__)


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """One run: wall and processor seconds, peak resident MiB, standard output."""

    wall: float
    cpu: float
    peak: float
    out: str


def _clean_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": _COMPILED}


def run_command(argv: Sequence[str]) -> ProcessResult:
    """Run a command to its end.

    Raises:
        RuntimeError: It did not end with exit code 0.
    """
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        tempfile.TemporaryFile() as report,
    ):
        subprocess.run(
            (*_LAUNCHER, str(report.fileno()), *argv),
            stdout=out,
            stderr=err,
            env=_clean_environment(),
            pass_fds=(report.fileno(),),
            check=False,
        )
        output, error, measured = (_read_whole(file) for file in (out, err, report))
    took = json.loads(measured or "{}")
    if (code := took.get("code", "no report")) != 0:
        raise RuntimeError(
            f"{' '.join(argv)} ended with {code}: {(error or output)[-500:]}"
        )
    return ProcessResult(took["wall"], took["cpu"], took["peak"] / (1 << 20), output)


def _read_whole(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def answerable_command(*argv: str) -> ProcessResult:
    return run_command((*ANSWERABLE, *argv))


def drop_page_cache(folder: Path) -> None:
    """Write the files of a folder to the disk, and drop them from the page cache."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)

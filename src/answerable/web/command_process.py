"""Run a command of ours in a low-priority subprocess, so that pages stay fast."""

import atexit
import contextlib
import os
import subprocess
import sys
from pathlib import Path

_NICENESS = 10  # others come first
_KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "VIRTUAL_ENV")


def run_command_as_json(root: Path, *words: str, timeout: float) -> bytes:
    """Run `answerable` on a store and return its answer as JSON; waits for it.

    Args:
        root: Folder of the store.
        timeout: Seconds.

    Raises:
        OSError: The process cannot be started.
        SubprocessError: It takes too long.
    """
    # -P: a module of that name in the working directory must not be run.
    command = [sys.executable, "-P", "-m", "answerable", "--quiet", "-o", "json"]
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [*command, "--store", str(root.absolute()), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
    )
    atexit.register(process.kill)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
    try:
        answer, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
        atexit.unregister(process.kill)
    return answer

"""Start the process of one run, and end it at its deadline."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path

import msgspec

from answerable.collector.run_result import RunResult

_MODULE = "answerable.collector.source_run"
KILL_TIMEOUT = 5.0  # seconds that a killed process gets to be gone


async def run_in_process(store_root: Path, source: str, deadline: float) -> RunResult:
    """Run a source in a child process; return failures instead of raising.

    The process, and those that it started, are killed at the deadline and when this
    call is cancelled.

    Args:
        store_root: Folder of the store.
        source: `NAME:LOCATION`.
        deadline: Seconds.
    """
    try:
        process = await _start_run_process(store_root, source)
    except OSError as error:
        return RunResult(f"its process cannot be started ({error.strerror})")
    try:
        async with asyncio.timeout(deadline):
            output, _ = await process.communicate()
    except TimeoutError:
        return RunResult(f"the run exceeded {deadline:g} s and was killed")
    finally:
        await _kill_process_group(process)
    try:
        return msgspec.json.decode(output, type=RunResult)
    except msgspec.DecodeError:
        return RunResult(f"its process ended with {_describe_exit(process)}")


async def _start_run_process(store_root: Path, source: str) -> Process:
    """Start the child process of a run."""
    # -P: no module is imported from the working directory.
    command = [sys.executable, "-P", "-m", _MODULE, str(store_root), source]
    return await asyncio.create_subprocess_exec(
        *command,
        str(os.getpid()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a traceback may contain input
        start_new_session=True,
    )


async def _kill_process_group(process: Process) -> None:
    """Kill a running process and its children, and wait a while for its end.

    A process that waits for a dead disk ends later, but runs no more code.
    """
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILL_TIMEOUT):
            await process.wait()


def _describe_exit(process: Process) -> str:
    """Describe the end of a process: its exit code, or its signal."""
    code = process.returncode or 0
    if code >= 0:
        return f"exit code {code}"
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    return f"signal {-code}{hint}"

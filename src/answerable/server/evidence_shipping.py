"""Ship evidence from the spool to the store, in a process of low priority.

    python -P -m answerable.server.evidence_shipping STORE SPOOL

writes one `ShippingResult` as JSON. Opening and filling the store takes several times the memory
of a service, and time that its clients would wait for: while the spool is nearly empty,
the process runs at low priority. Shipping is resumable at any step: as long as it makes
progress it has all the time that it needs, and a process without progress is killed.
"""

import asyncio
import contextlib
import os
import shutil
import sys
import time
from asyncio.subprocess import Process
from pathlib import Path

import msgspec

from answerable.model.errors import AnswerableError
from answerable.server.processes.proc_parsing import parse_cpu_ticks
from answerable.server.recording.spool_segments import count_spooled_bytes
from answerable.server.store_access import ship_store_spool

_MODULE = "answerable.server.evidence_shipping"
LOW_PRIORITY = 15
LOW_SPOOL_FRACTION = 16  # fraction of the spool up to which shipping has low priority
# Seconds without progress until it is killed: while its service runs, and at the end of
# the service.
STALL_TIMEOUT, FINAL_TIMEOUT = 300.0, 30.0
PROGRESS_INTERVAL = 5.0  # seconds between two checks of its progress
KILL_TIMEOUT = 5.0  # seconds that a killed process gets to be gone


class ShippingResult(msgspec.Struct, frozen=True):
    """Result of one shipping.

    Attributes:
        refused: Reason that the spool stays for a later shipping; empty where it was
            shipped.
        stored: Number of events that are new in the store.
        problems: Missing, truncated or invalid records: pairs (place, what).
    """

    refused: str = ""
    stored: int = 0
    problems: tuple[tuple[str, str], ...] = ()


async def ship_in_subprocess(
    store_root: Path, spool: Path, *, max_spool_bytes: int = 0
) -> ShippingResult:
    """Ship the spool in a child process; return failures instead of raising.

    Args:
        store_root: Folder of the store.
        spool: Folder of all recorders' folders.
        max_spool_bytes: Bytes of the spool at which the running service stops; 0 at its
            end, when shipping needs no low priority.
    """
    try:
        process = await _start_shipping_process(
            store_root,
            spool,
            choose_shipping_niceness(spool, max_spool_bytes) if max_spool_bytes else 0,
        )
    except (OSError, RuntimeError) as error:  # no process, thread, memory or handle
        return ShippingResult(
            f"the shipping process cannot be started ({_format_os_error(error)})"
        )
    patience = STALL_TIMEOUT if max_spool_bytes else FINAL_TIMEOUT
    try:
        said = await _wait_for_output(process, patience)
    except TimeoutError:
        await _kill_process(process)
        why = f"the shipping process made no progress for {patience:g} s, so it was killed"
        return ShippingResult(why)
    except asyncio.CancelledError:
        await _kill_process(process)
        raise
    try:
        return msgspec.json.decode(said, type=ShippingResult)
    except msgspec.DecodeError:
        return ShippingResult(f"the shipping process ended with {process.returncode}")


async def _start_shipping_process(
    store_root: Path, spool: Path, niceness: int
) -> Process:
    """Start the child process that ships, with a low priority."""
    # Low priority from the start: a third of its work is loading its code.
    begins = ("nice", "-n", str(niceness)) if niceness and shutil.which("nice") else ()
    # -P: no module is imported from the working directory.
    command = [
        *begins,
        sys.executable,
        "-P",
        "-m",
        _MODULE,
        str(store_root),
        str(spool),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's interrupt goes to the service alone
    )
    _lower_priority(process.pid, niceness)
    return process


def _lower_priority(pid: int, niceness: int) -> None:
    """Lower the priority of a process; one that has ended is ignored."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    # With autogroup scheduling the priority of its session counts.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), "ascii")


async def _wait_for_output(process: Process, stall_timeout: float) -> bytes:
    """Wait for a shipping process to end, and return its output.

    Raises:
        TimeoutError: It made no progress for too long.
    """
    saying = asyncio.ensure_future(process.communicate())
    spent, since = 0, time.monotonic()
    try:
        while not (await asyncio.wait({saying}, timeout=PROGRESS_INTERVAL))[0]:
            worked = _read_cpu_ticks(process.pid)
            if worked > spent:
                spent, since = worked, time.monotonic()
            elif time.monotonic() - since >= stall_timeout:
                raise TimeoutError
        return saying.result()[0]
    finally:
        saying.cancel()


def _read_cpu_ticks(pid: int) -> int:
    """Return the CPU time of a process in clock ticks; 0 where it is unknown."""
    try:
        return parse_cpu_ticks(Path(f"/proc/{pid}/stat").read_text("ascii", "replace"))
    except (OSError, IndexError, ValueError):
        return 0


async def _kill_process(process: Process) -> None:
    """Kill a process, and wait a while for its end."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    # A process that waits for a dead disk cannot be killed.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILL_TIMEOUT):
            await process.wait()


def _format_os_error(error: OSError | RuntimeError) -> str:
    """Format an error of the operating system for a message."""
    return getattr(error, "strerror", None) or type(error).__name__


def choose_shipping_niceness(spool: Path, max_spool_bytes: int) -> int:
    """Return the nice value for shipping; 0 once 1/16 of the spool is filled.

    Args:
        spool: Folder of all recorders' folders.
        max_spool_bytes: Bytes of the spool at which the service stops.
    """
    return (
        LOW_PRIORITY
        if count_spooled_bytes(spool) <= max_spool_bytes // LOW_SPOOL_FRACTION
        else 0
    )


def main(store_root: str, spool: str) -> None:
    """Ship the spool once, and write the result to standard output."""
    shipped = ship_store_spool(Path(store_root), Path(spool))
    if isinstance(shipped, AnswerableError):
        told = ShippingResult(shipped.message)
    else:
        problems = tuple((each.place, each.what) for each in shipped.problems)
        told = ShippingResult(stored=shipped.stored, problems=problems)
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

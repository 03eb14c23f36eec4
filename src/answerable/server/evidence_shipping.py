"""Shipping of evidence from the spool to the store, in a process of its own.

    python -P -m answerable.server.evidence_shipping STORE SPOOL

writes one `Told` as JSON. Opening and filling the store takes several times the memory
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
from answerable.server.processes.proc_parsing import spent_in
from answerable.server.recording.segments import waiting
from answerable.server.store_access import ship_spool

_MODULE = "answerable.server.evidence_shipping"
NICE = 15
LITTLE = 16  # fraction of the spool up to which shipping has low priority
# Seconds without progress until it is killed: while its service runs, and at the end of
# the service.
STALL, LAST = 300.0, 30.0
LOOK = 5.0  # seconds between two checks of its progress
DYING = 5.0  # seconds that a killed process gets to be gone


class Told(msgspec.Struct, frozen=True):
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


async def ship_apart(root: Path, spool: Path, *, most: int = 0) -> Told:
    """Ship the spool in a process; failures are returned, not raised.

    Args:
        root: Folder of the store.
        spool: Folder of all recorders' folders.
        most: Bytes of the spool at which the running service stops; 0 at its end, when
            shipping needs no low priority.
    """
    try:
        process = await _begun(root, spool, niceness(spool, most) if most else 0)
    except (OSError, RuntimeError) as error:  # no process, thread, memory or handle
        return Told(f"the process that ships cannot be started ({_words(error)})")
    patience = STALL if most else LAST
    try:
        said = await _said(process, patience)
    except TimeoutError:
        await _killed(process)
        why = f"the process that ships did nothing for {patience:g} s, and was killed"
        return Told(why)
    except asyncio.CancelledError:
        await _killed(process)
        raise
    try:
        return msgspec.json.decode(said, type=Told)
    except msgspec.DecodeError:
        return Told(f"the process that ships ended with {process.returncode}")


async def _begun(root: Path, spool: Path, nice: int) -> Process:
    # Low priority from the start: a third of its work is loading its code.
    begins = ("nice", "-n", str(nice)) if nice and shutil.which("nice") else ()
    # -P: no module is imported from the working directory.
    process = await asyncio.create_subprocess_exec(
        *(*begins, sys.executable, "-P", "-m", _MODULE, str(root), str(spool)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's interrupt goes to the service alone
    )
    _give_way(process.pid, nice)
    return process


def _give_way(pid: int, nice: int) -> None:
    """Lower the priority of a process; one that has ended is ignored."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    # With autogroup scheduling the priority of its session counts.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice), "ascii")


async def _said(process: Process, patience: float) -> bytes:
    """Return the output of a process that has ended.

    Raises:
        TimeoutError: It made no progress for too long.
    """
    saying = asyncio.ensure_future(process.communicate())
    spent, since = 0, time.monotonic()
    try:
        while not (await asyncio.wait({saying}, timeout=LOOK))[0]:
            worked = _spent(process.pid)
            if worked > spent:
                spent, since = worked, time.monotonic()
            elif time.monotonic() - since >= patience:
                raise TimeoutError
        return saying.result()[0]
    finally:
        saying.cancel()


def _spent(pid: int) -> int:
    """Return the CPU time of a process in clock ticks; 0 where it is unknown."""
    try:
        return spent_in(Path(f"/proc/{pid}/stat").read_text("ascii", "replace"))
    except (OSError, IndexError, ValueError):
        return 0


async def _killed(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    # A process that waits for a dead disk cannot be killed.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DYING):
            await process.wait()


def _words(error: OSError | RuntimeError) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def niceness(spool: Path, most: int) -> int:
    """Return the nice value for shipping while a service runs.

    Args:
        spool: Folder of all recorders' folders.
        most: Bytes of the spool at which the service stops.
    """
    return NICE if waiting(spool) <= most // LITTLE else 0


def main(root: str, spool: str) -> None:
    """Ship once, and write the result."""
    shipped = ship_spool(Path(root), Path(spool))
    if isinstance(shipped, AnswerableError):
        told = Told(shipped.message)
    else:
        problems = tuple((each.place, each.what) for each in shipped.problems)
        told = Told(stored=shipped.stored, problems=problems)
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

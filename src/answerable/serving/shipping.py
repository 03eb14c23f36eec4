"""Evidence goes from the spool to the store in a process of its own.

    python -P -m answerable.serving.shipping STORE SPOOL

writes one `Told` as JSON. What it takes to open the store and fill it is several times
the memory of a service, and time that its clients would wait for: while little waits in
the spool, it takes what the service leaves of its cores, or one part in thirty. Shipping
begins anew after an end at any step, so it may be stopped at any: as long as it works it
has all the time that it needs, and one that does nothing for long is killed.
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
from answerable.serving.processes.units import spent_in
from answerable.serving.recording.segments import waiting
from answerable.serving.stored import ship_spool

_MODULE = "answerable.serving.shipping"
NICE = 15
LITTLE = 16  # part of the room in a spool up to which shipping gives way
# Seconds without work, after which it is taken to hang: beside a service that goes on,
# and at the end of one.
STALL, LAST = 300.0, 30.0
LOOK = 5.0  # seconds between two looks at whether it works
DYING = 5.0  # seconds that a killed process gets to be gone


class Told(msgspec.Struct, frozen=True):
    """What became of a spool.

    Attributes:
        refused: Why it stays where it is, to be shipped later; empty where it does not.
        stored: Events that are new in the store.
        problems: What is missing, cut or does not hold: pairs (place, what).
    """

    refused: str = ""
    stored: int = 0
    problems: tuple[tuple[str, str], ...] = ()


async def ship_apart(root: Path, spool: Path, *, most: int = 0) -> Told:
    """Store what waits in the spool; nothing that goes wrong there is raised.

    Args:
        root: Folder of the store.
        spool: Folder of all recorders' folders.
        most: Bytes of the spool at which the service stops that goes on beside; 0
            where none does, and nothing is to be given way to.
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
    # It gives way from its first moment: a third of its work is to load its code.
    begins = ("nice", "-n", str(nice)) if nice and shutil.which("nice") else ()
    # -P: a module of that name in the working directory must not be run.
    process = await asyncio.create_subprocess_exec(
        *(*begins, sys.executable, "-P", "-m", _MODULE, str(root), str(spool)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's interrupt is its service's to hear
    )
    _give_way(process.pid, nice)
    return process


def _give_way(pid: int, nice: int) -> None:
    """Have a process give way to others; one that has ended does so."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    # Where the kernel shares cores among sessions first, its session is to give way.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice), "ascii")


async def _said(process: Process, patience: float) -> bytes:
    """Give what a process says, once it has ended.

    Raises:
        TimeoutError: It was stopped, or waits for a disk that does not answer.
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
    """Give the clock ticks that a process worked; 0 where the system does not tell."""
    try:
        return spent_in(Path(f"/proc/{pid}/stat").read_text("ascii", "replace"))
    except (OSError, IndexError, ValueError):
        return 0


async def _killed(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    # One that waits for a dead disk ends when that answers, or never.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DYING):
            await process.wait()


def _words(error: OSError | RuntimeError) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def niceness(spool: Path, most: int) -> int:
    """Say how much shipping gives way to a service that goes on.

    Args:
        spool: Folder of all recorders' folders.
        most: Bytes of it at which the service stops.
    """
    return NICE if waiting(spool) <= most // LITTLE else 0


def main(root: str, spool: str) -> None:
    """Ship once, and say what became of it."""
    shipped = ship_spool(Path(root), Path(spool))
    if isinstance(shipped, AnswerableError):
        told = Told(shipped.message)
    else:
        problems = tuple((each.place, each.what) for each in shipped.problems)
        told = Told(stored=shipped.stored, problems=problems)
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

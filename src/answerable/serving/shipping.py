"""Evidence goes from the spool to the store in a process of its own.

    python -P -m answerable.serving.shipping STORE SPOOL [NICE]

writes one `Told` as JSON. What it takes to open the store and fill it is several times
the memory of a service, and time that its clients would wait for: while little waits
in the spool, it takes what the service leaves of its cores, or a tenth. Shipping begins
anew after an end at any step, so it may be stopped at any.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from answerable.model.errors import AnswerableError
from answerable.serving.recording.segments import waiting
from answerable.serving.stored import ship_spool

_MODULE = "answerable.serving.shipping"
NICE = 10
LITTLE = 16  # part of the room in a spool up to which shipping gives way


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
    """Store what waits in the spool.

    Args:
        root: Folder of the store.
        spool: Folder of all recorders' folders.
        most: Bytes of the spool at which the service stops that goes on beside; 0
            where none does, and nothing is to be given way to.
    """
    nice = niceness(spool, most) if most else 0
    # -P: a module of that name in the working directory must not be run.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", _MODULE, str(root), str(spool), str(nice)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # a terminal's interrupt is its service's to hear
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    try:
        return msgspec.json.decode(said, type=Told)
    except msgspec.DecodeError:
        return Told(f"the process that ships ended with {process.returncode}")


def niceness(spool: Path, most: int) -> int:
    """Say how much shipping gives way to a service that goes on.

    Args:
        spool: Folder of all recorders' folders.
        most: Bytes of it at which the service stops.
    """
    return NICE if waiting(spool) <= most // LITTLE else 0


def main(root: str, spool: str, nice: str = "0") -> None:
    """Ship once, and say what became of it."""
    os.nice(int(nice))
    shipped = ship_spool(Path(root), Path(spool))
    if isinstance(shipped, AnswerableError):
        told = Told(shipped.message)
    else:
        problems = tuple((each.place, each.what) for each in shipped.problems)
        told = Told(stored=shipped.stored, problems=problems)
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

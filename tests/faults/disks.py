"""Disks that refuse: full, over a limit of file size, or with permissions lost."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from answerable.model.errors import EnvironmentFailure
from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.store import EvidenceStore
from tests.faults.counts import Count
from tests.store.conftest import NOW, _make

BATCH = 500
SMALL, LARGE = "2m", "64m"  # of a disk that is full, and then is not
ROUNDS = 10
# In bytes; below the size of a journal and of a segment of three batches.
FILE_LIMITS = 20_000, 100_000


def refuse_disks(kills: int, chance: random.Random) -> Iterator[Count]:
    """Have the disk refuse writes while events are appended and sealed, and go on."""
    del kills
    for fault, act in (
        ("disk full (tmpfs)", _full),
        ("file size limit reached", _limited),
        ("permissions lost", _lost),
    ):
        count = Count(fault)
        folder = Path(tempfile.mkdtemp(prefix="answerable-disk-"))
        try:
            act(folder, chance, count)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if count.tried:
            yield count
        else:
            print(f"{fault}: not tried, it needs root and a mount", flush=True)


def write(place: Path, first: int, batches: int) -> tuple[set[str], str]:
    """Append and seal until the disk refuses.

    Returns:
        Ids of the events that were acknowledged, and the refusal.
    """
    acknowledged: set[str] = set()
    try:
        with EvidenceStore.open(place, now=NOW) as store:
            for number in range(batches):
                start = (first + number) * BATCH
                events = [_make(start + each) for each in range(BATCH)]
                store.append(events, NOW)
                acknowledged.update(each.event_id.hex() for each in events)
                if number % 3 == 2:
                    store.seal(NOW)
    except EnvironmentFailure as error:
        return acknowledged, error.message
    return acknowledged, ""


def _check(place: Path, acknowledged: set[str], count: Count) -> None:
    with EvidenceStore.open(place, now=NOW) as store:
        store.seal(NOW)
        rows = store.run_query("SELECT lower(hex(event_id)) FROM events")
        count.compare(acknowledged, [str(row[0]) for row in rows])
        for each in fsck.verify_store(store, None, None, ignore_progress_report):
            if not each.ok:
                count.complain(f"{each.check}: {each.detail}")


def _full(folder: Path, chance: random.Random, count: Count) -> None:
    """Fill a small disk, make it larger, and go on; needs root."""
    for number in range(ROUNDS):
        disk = folder / str(number)
        disk.mkdir()
        if not _mount(disk, f"size={SMALL}"):
            return
        try:
            place = disk / "store"
            (disk / "filler").write_bytes(bytes(chance.randrange(1 << 20)))
            acknowledged, why = write(place, 0, 1000)
            if "No space left" not in why:
                count.complain(f"a full disk was not refused as that: {why!r}")
            _mount(disk, f"remount,size={LARGE}")
            more, why = write(place, 1000, 3)
            if why:
                count.complain(f"refused with room again: {why}")
            count.tried += 1
            _check(place, acknowledged | more, count)
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def _mount(disk: Path, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    with suppress(FileNotFoundError):
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    return False


def _limited(folder: Path, chance: random.Random, count: Count) -> None:
    """Refuse files beyond a size, in a process of its own; needs nothing."""
    for number in range(ROUNDS):
        place = folder / str(number)
        limit = chance.randrange(*FILE_LIMITS)
        acknowledged = _apart(place, lambda size=limit: _limit(size), count)
        count.tried += 1
        more, why = write(place, 1000, 3)
        if why:
            count.complain(f"refused without a limit: {why}")
        _check(place, acknowledged | more, count)


def _limit(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _apart(place: Path, prepare: Callable[[], None], count: Count) -> set[str]:
    """Write in a process of its own until it is refused; give what was acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.disks", str(place)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )
    said, _ = child.communicate()
    *acknowledged, why = said.splitlines() or ["nothing"]
    if not why.startswith("refused: "):
        count.complain(f"it was not refused: {why}")
    return {each for each in acknowledged if each}


def _lost(folder: Path, chance: random.Random, count: Count) -> None:
    """Take the permission to write away while a process writes that needs it."""
    bound: list[str] = []
    if os.geteuid() == 0:  # root without the rights that make it root for files
        caps = "-dac_override,-dac_read_search,-fowner"
        bound = [shutil.which("setpriv") or "setpriv", f"--bounding-set={caps}"]
    for number in range(ROUNDS):
        place = folder / str(number)
        child = subprocess.Popen(
            [*bound, sys.executable, "-m", "tests.faults.disks", str(place)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        acknowledged = {child.stdout.readline().strip()}
        time.sleep(chance.uniform(0, 0.3))
        taken = [each for each in (place, *place.iterdir()) if each.is_dir()]
        for each in taken:
            each.chmod(0o500)
        acknowledged |= set(child.stdout.read().splitlines())
        child.wait()
        for each in taken:
            each.chmod(0o700)
        why = next((each for each in acknowledged if each.startswith("refused")), "")
        if "Permission denied" not in why:
            count.complain(f"lost permissions were not refused as that: {why!r}")
        acknowledged = {each for each in acknowledged if len(each) == 32}
        count.tried += 1
        _check(place, acknowledged, count)


def _child(place: Path) -> None:
    """Write one batch after the other, and print what was acknowledged."""
    number = 0
    while True:
        acknowledged, why = write(place, number, 3)
        print("\n".join(sorted(acknowledged)), flush=True)
        if why:
            print(f"refused: {why}", flush=True)
            return
        number += 3


if __name__ == "__main__":
    _child(Path(sys.argv[1]))

"""`answerable ingest`, killed: alone, and three at once on the same logs."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.store import EvidenceStore
from bench.cloudtrail import write_trail
from tests.faults.counts import LONGEST, Count

EVENTS = 60_000
ANSWERABLE = (sys.executable, "-m", "answerable")


class Ingest:
    """One `answerable ingest` in a process group of its own."""

    def __init__(self, store: Path, source: str) -> None:
        self.process = subprocess.Popen(
            [*ANSWERABLE, "--store", str(store), "ingest", source],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self.process.poll() is not None

    def kill(self) -> bool:
        """Kill it with its parser process; False where it had ended."""
        if self.ended:
            return False
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return True


def wrong(root: Path) -> list[str]:
    """Verify a store; give what does not hold."""
    with EvidenceStore.open(root, now=time.time_ns()) as store:
        checks = fsck.verify_store(store, None, None, ignore_progress_report)
    return [f"{each.check}: {each.detail}" for each in checks if not each.ok]


def ids(store: EvidenceStore) -> list[str]:
    """Give the id of each event on record."""
    rows = store.run_query(
        "SELECT lower(hex(event_id)) || lower(hex(raw_sha256)) FROM events"
    )
    return [str(row[0]) for row in rows]


def kill_ingests(kills: int, chance: random.Random) -> Iterator[Count]:
    """Kill one ingest, and three at once; look on while they run."""
    for most in (1, 3):
        folder = Path(tempfile.mkdtemp(prefix="answerable-ingest-"))
        count = Count("ingest killed" if most == 1 else "3 ingests at once, killed")
        try:
            written = write_trail(folder / "trail", EVENTS, most).events
            _kill(folder, most, kills, chance, count)
            _finish(folder, written, count)
        finally:
            shutil.rmtree(folder)
        yield count


def _kill(
    folder: Path, most: int, kills: int, chance: random.Random, count: Count
) -> None:
    root, source = folder / "store", f"cloudtrail:{folder / 'trail'}"
    seen: set[str] = set()
    runs: list[Ingest] = []
    while count.tried < kills:
        runs += [Ingest(root, source) for _ in range(most - len(runs))]
        _wait_for_work(root, runs)
        time.sleep(chance.uniform(0, 1.5))
        if any(each.ended for each in runs):
            # All is stored: more runs would only find duplicates.
            for each in runs:
                count.tried += each.kill()
            runs, seen = [], set()
            _look(root, seen, count)
            shutil.rmtree(root)
            continue
        victim = runs.pop(chance.randrange(len(runs)))
        count.tried += victim.kill()
        seen |= _look(root, seen, count)
        if count.tried % 10 == 0:
            for line in wrong(root):
                count.complain(line)
    for each in runs:
        each.kill()
    if root.exists():
        _look(root, seen, count)


def _wait_for_work(root: Path, runs: list[Ingest]) -> None:
    """Wait until something is being written, or a run ended."""
    before = _written(root)
    until = time.monotonic() + LONGEST
    while _written(root) == before and not any(each.ended for each in runs):
        if time.monotonic() > until:
            raise TimeoutError("no ingest wrote anything")
        time.sleep(0.05)


def _written(root: Path) -> int:
    """Give the size of all journals."""
    size = 0
    for path in root.glob("journal/*.log"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _look(root: Path, seen: set[str], count: Count) -> set[str]:
    """Ask for the events while others write: each once, and none gone."""
    with EvidenceStore.open(root, now=time.time_ns()) as store:
        found = ids(store)
    count.compare(seen, found)
    return set(found)


def _finish(folder: Path, written: int, count: Count) -> None:
    """Let one run end: everything is there once, and holds."""
    root, source = folder / "store", f"cloudtrail:{folder / 'trail'}"
    last = Ingest(root, source)
    if last.process.wait(LONGEST) != 0:
        count.complain(f"the last run ended with {last.process.returncode}")
    with EvidenceStore.open(root, now=time.time_ns()) as store:
        found = ids(store)
    if len(found) != len(set(found)) or len(found) != written:
        count.complain(
            f"{len(found)} events, {len(set(found))} different, of {written}"
        )
    for line in wrong(root):
        count.complain(line)

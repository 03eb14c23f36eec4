"""`make soak`: hold a load for long, then account for every call.

Run as `python -m bench.gateway.soak [--seconds 3600] [--rate 2000]`. Ends with exit code
1 unless every call was answered, every one has its decision and its outcome in the
store, no number is missing, and the worker needs no more memory or descriptors at the
end than when it was warm.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from answerable.store.store import Store
from bench.gateway import load, processes, stage
from tests.gateway.serve.stage import Serving, token_of

CLIENTS = 32
EVERY = 1.0  # seconds between two looks
WARM = 0.25  # of the run; what grows after that grows
QUARTERS = 4
GROWTH = 4.0  # MiB over the rest of the run; caches and the allocator breathe
HANDLES = 8  # descriptors: a segment, a folder, a connection made anew
_COUNTS = "SELECT outcome, count(*) FROM events WHERE source = 'gateway' GROUP BY 1"


@dataclass(slots=True)
class Watch:
    """Looks at one process now and then.

    Attributes:
        seconds: When it looked.
        memory: MiB that were resident.
        handles: Descriptors that were open.
    """

    pid: int
    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Take one sample."""
        self.seconds.append(time.monotonic())
        self.memory.append(processes.resident(self.pid))
        self.handles.append(processes.handles(self.pid))

    @property
    def warm(self) -> int:
        """Index of the first sample that counts."""
        return int(len(self.seconds) * WARM)

    @property
    def growth(self) -> float:
        """MiB that a line through the warm samples grows by."""
        seconds, memory = self.seconds[self.warm :], self.memory[self.warm :]
        slope = statistics.linear_regression(seconds, memory).slope
        return slope * (seconds[-1] - seconds[0])

    @property
    def more_handles(self) -> int:
        """How many more descriptors were open at the end than when it was warm."""
        return self.handles[-1] - self.handles[self.warm]

    @property
    def quarters(self) -> list[float]:
        """MiB in the middle of each quarter's samples: whether it levels off."""
        ends = [len(self.memory) * nth // QUARTERS for nth in range(QUARTERS + 1)]
        return [statistics.median(self.memory[a:b]) for a, b in pairwise(ends)]

    def said(self, name: str) -> str:
        """Tell of it in one line."""
        warm, span = self.warm, self.seconds[-1] - self.seconds[self.warm]
        quarters = ", ".join(f"{each:.1f}" for each in self.quarters)
        return (
            f"{name}: {self.memory[warm]:.1f} MiB warm, {self.memory[-1]:.1f} at the "
            f"end, most {max(self.memory):.1f}; by quarters {quarters}; "
            f"{self.growth / span * 3600:+.2f} MiB/h; "
            f"descriptors {self.handles[warm]} warm, {self.handles[-1]} at the end"
        )


def soak(folder: Path, seconds: float, rate: float) -> Iterator[str]:
    """Hold the load; yield what is wrong, and tell of the rest.

    Raises:
        RuntimeError: A call was not answered with a result.
    """
    with stage.backend() as behind:
        given = stage.settings(behind.port)
        given["issuers"]["corp"]["max_ttl"] = int(seconds) + 2 * 3600
        with stage.gateway(folder, behind, given) as (served, place):
            token = token_of(stage.AGENT, exp=int(time.time() + seconds) + 3600)
            place.fields["authorization"] = f"Bearer {token}"
            watches = [Watch(place.measured[0]), Watch(served.process.pid)]
            done = _held(place.order(stage.READS, CLIENTS, seconds, rate), watches)
            _tell(f"{done.calls:,} calls, {done.calls / done.seconds:,.0f} a second")
            _tell(watches[0].said("worker"))
            _tell(watches[1].said("supervisor, which stores the evidence"))
            yield from _of_use(watches[0])
            yield from _of_end(served, done.calls)
    yield from _of_store(folder / "store", done.calls)


def _held(order: load.Order, watches: Sequence[Watch]) -> load.Load:
    """Look at the processes while the load is held."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            for watch in watches:
                watch.look()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        return load.run(order)
    finally:
        over.set()
        looking.join()


def _of_use(worker: Watch) -> Iterator[str]:
    if worker.growth > GROWTH:
        yield f"the worker grew by {worker.growth:.1f} MiB"
    if worker.more_handles > HANDLES:
        yield f"the worker has {worker.more_handles} more descriptors"


def _of_end(served: Serving, calls: int) -> Iterator[str]:
    records = served.metric("answerable_records_total")
    if records != 2 * calls + 1:
        yield f"{records:.0f} records of {calls} calls: not two each, and the first"
    if code := served.end():
        yield f"the gateway ended with {code}"
    for line in served.log:
        if line.get("level") not in ("info", None):
            yield f"the gateway logged {line}"


def _of_store(root: Path, calls: int) -> Iterator[str]:
    """See that every call is stored with its outcome, and that nothing is missing."""
    with Store.open(root, now=time.time_ns(), create=False) as store:
        counts = dict(store.rows(_COUNTS))
        _tell(f"stored, by outcome: {counts}")
        if counts != {"success": calls}:
            yield f"stored are {counts}, not {calls} calls that succeeded"
        if store.objects("spool-problems"):
            yield "numbers are missing, or lines do not hold: see spool-problems"


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Soak, say what is wrong; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway.soak")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--rate", type=float, default=2000, help="calls a second")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="answerable-soak-") as name:
        wrong = list(soak(Path(name), options.seconds, options.rate))
    for each in wrong:
        sys.stderr.write(f"wrong: {each}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

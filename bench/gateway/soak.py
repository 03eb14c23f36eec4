"""`make soak`: hold a load for hours, then account for every call.

Run as `python -m bench.gateway.soak [--seconds 3600] [--rate 200] [--hostile 100]`. Ends
with exit code 1 unless every honest call was answered, every one has its decision and its
outcome in the store, no number is missing, the worker's memory is flat in the second half,
and the slowest of a hundred calls takes at most three times as long as without the
hostile traffic, before and after it. `--hostile 0` leaves that traffic out.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgspec

from answerable.store.store import EvidenceStore
from bench.gateway import hostile_load, load, process_usage, running_gateway
from tests.gateway.serve.running_gateway import Serving, token_of

CLIENTS = 32
SAMPLE_INTERVAL = 1.0  # seconds between two looks
WARM = 0.5  # of the run; what grows after that grows
QUIET = 0.05  # of the run, before and after, without hostile traffic
TIMES = 3.0  # as slow as without it
IDLE = 300  # connections without a byte
EVICTED = "connections.evicted"  # as it should be, of a flood
ATTACKERS = ("mallory", "trudy")  # of small calls, and of large ones
QUARTERS = 4
GROWTH = 4.0  # MiB over the second half; caches and the allocator breathe
HANDLES = 8  # descriptors: a segment, a folder, a connection made anew
_COUNTS = """SELECT outcome, count(*) FROM events
WHERE source = 'gateway' AND agent = ? GROUP BY 1"""


@dataclass(slots=True)
class ProcessWatch:
    """Periodic samples of one process.

    Attributes:
        seconds: When it looked.
        memory: MiB that were resident.
        handles: Descriptors that were open.
    """

    pid: int
    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    handles: list[int] = field(default_factory=list)

    def take_sample(self) -> None:
        """Take one sample."""
        self.seconds.append(time.monotonic())
        self.memory.append(process_usage.resident_memory(self.pid))
        self.handles.append(process_usage.count_open_files(self.pid))

    @property
    def warm_index(self) -> int:
        """Return the index of the first sample after warm-up."""
        return int(len(self.seconds) * WARM)

    @property
    def memory_growth(self) -> float:
        """Return the growth in MiB of a line fitted to the warm samples."""
        seconds, memory = (
            self.seconds[self.warm_index :],
            self.memory[self.warm_index :],
        )
        slope = statistics.linear_regression(seconds, memory).slope
        return slope * (seconds[-1] - seconds[0])

    @property
    def open_file_growth(self) -> int:
        """Return the growth of open descriptors since warm-up."""
        return self.handles[-1] - self.handles[self.warm_index]

    @property
    def quarter_memory(self) -> list[float]:
        """Return the median MiB of each quarter of the samples."""
        ends = [len(self.memory) * nth // QUARTERS for nth in range(QUARTERS + 1)]
        return [statistics.median(self.memory[a:b]) for a, b in pairwise(ends)]

    def describe(self, name: str) -> str:
        """Describe the samples in one line."""
        warm, span = self.warm_index, self.seconds[-1] - self.seconds[self.warm_index]
        quarters = ", ".join(f"{each:.1f}" for each in self.quarter_memory)
        return (
            f"{name}: {self.memory[warm]:.1f} MiB warm, {self.memory[-1]:.1f} at the "
            f"end, most {max(self.memory):.1f}; by quarters {quarters}; "
            f"{self.memory_growth / span * 3600:+.2f} MiB/h; "
            f"descriptors {self.handles[warm]} warm, {self.handles[-1]} at the end"
        )


def run_soak(
    folder: Path, seconds: float, rate: float, hostile: float = 0.0
) -> Iterator[str]:
    """Hold the load; yield faults, and print the rest.

    Raises:
        RuntimeError: A call was not answered with a result.
    """
    with running_gateway.run_backend() as behind:
        given = running_gateway.build_settings(behind.port)
        given["issuers"]["corp"]["max_ttl"] = int(seconds) + 2 * 3600
        allowed = [{"server": "files", "tools": [running_gateway.READS]}]
        for name in ATTACKERS:
            callers = [{"issuer": "corp", "sub": name}]
            given["agents"][name] = {"callers": callers, "allow": allowed}
        with running_gateway.run_gateway(folder, behind, given) as (served, place):
            until = int(time.time() + seconds) + 3600
            token = token_of(running_gateway.AGENT, exp=until)
            place.fields["authorization"] = f"Bearer {token}"
            watches = [
                ProcessWatch(place.measured[0]),
                ProcessWatch(served.process.pid),
            ]
            quiet = [] if not hostile else [_quiet(place, seconds, rate)]
            small, large = (token_of(name, exp=until) for name in ATTACKERS)
            attack = hostile_load.HostileTraffic(
                where=served.gateway,
                token=small,
                large_token=large,
                tool=running_gateway.READS,
                seconds=seconds,
                rate=hostile,
                idle=IDLE,
            )
            with _with_hostile_load(attack):
                done = _hold_load(
                    place.build_order(running_gateway.READS, CLIENTS, seconds, rate),
                    watches,
                )
            if hostile:
                quiet.append(_quiet(place, seconds, rate))
                yield from _latency_faults(done, quiet)
            calls = done.calls + sum(each.calls for each in quiet)
            _print_line(
                f"{done.calls:,} calls, {done.calls / done.seconds:,.0f} a second"
            )
            _print_line(watches[0].describe("worker"))
            _print_line(watches[1].describe("supervisor, which stores the evidence"))
            yield from _usage_faults(watches[0])
            yield from _shutdown_faults(served, calls, is_alone=not hostile)
    yield from _store_faults(folder / "store", calls)


def _quiet(
    place: running_gateway.CallTarget, seconds: float, rate: float
) -> load.CallLoadResult:
    return load.run_load(
        place.build_order(running_gateway.READS, CLIENTS, max(5, seconds * QUIET), rate)
    )


@contextmanager
def _with_hostile_load(attack: hostile_load.HostileTraffic) -> Iterator[None]:
    """Send hostile traffic during the load, and report its amount."""
    if not attack.rate:
        yield
        return
    argv = (sys.executable, "-m", "bench.gateway.hostile_load")
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(attack))
        process.stdin.close()
        yield
        sent = process.stdout.read()
    counts = msgspec.json.decode(sent, type=dict[str, int])
    said = ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items()))
    _print_line(f"hostile: {said}")


def _latency_faults(
    done: load.CallLoadResult, quiet: Sequence[load.CallLoadResult]
) -> Iterator[str]:
    """Compare the 99th percentile with the mean of that before and after."""
    alone = statistics.mean(each.slow for each in quiet)
    walls = ", ".join(f"{each.slow * 1e3:.1f}" for each in quiet)
    _print_line(
        f"99th percentile: {done.slow * 1e3:.1f} ms, quiet {walls} ms: "
        f"{done.slow / alone:.2f}x"
    )
    if done.slow > TIMES * alone:
        yield f"calls took {done.slow / alone:.1f} times as long as in quiet"


def _hold_load(
    order: load.CallLoadOrder, watches: Sequence[ProcessWatch]
) -> load.CallLoadResult:
    """Sample the processes while the load runs."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_INTERVAL):
            for watch in watches:
                watch.take_sample()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        return load.run_load(order)
    finally:
        over.set()
        looking.join()


def _usage_faults(worker: ProcessWatch) -> Iterator[str]:
    if worker.memory_growth > GROWTH:
        yield f"the worker grew by {worker.memory_growth:.1f} MiB"
    if worker.open_file_growth > HANDLES:
        yield f"the worker has {worker.open_file_growth} more descriptors"


def _shutdown_faults(served: Serving, calls: int, *, is_alone: bool) -> Iterator[str]:
    records = served.metric("answerable_records_total")
    if is_alone and records != 2 * calls + 1:
        yield f"{records:.0f} records of {calls} calls: not two each, and the first"
    if code := served.end():
        yield f"the gateway ended with {code}"
    for line in served.log:
        if line.get("level") not in ("info", None) and line["event"] != EVICTED:
            yield f"the gateway logged {line}"


def _store_faults(root: Path, calls: int) -> Iterator[str]:
    """Check that every call is stored with its outcome."""
    with EvidenceStore.open(root, now=time.time_ns(), create=False) as store:
        counts = dict(
            store.run_query(_COUNTS, [f"agent:declared/{running_gateway.AGENT}"])
        )
        _print_line(f"stored, by outcome: {counts}")
        if counts != {"success": calls}:
            yield f"stored are {counts}, not {calls} calls that succeeded"
        if store.list_objects("spool-problems"):
            yield "numbers are missing, or lines do not hold: see spool-problems"


def _print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the soak test; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway.soak")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--rate", type=float, default=200, help="calls a second")
    parser.add_argument(
        "--hostile", type=float, default=100, help="hostile requests a second, 0: none"
    )
    said = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="answerable-soak-") as name:
        wrong = list(run_soak(Path(name), said.seconds, said.rate, said.hostile))
    for each in wrong:
        sys.stderr.write(f"wrong: {each}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

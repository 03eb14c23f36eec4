"""Servers killed under load: gateway and decision point, whole or a worker alone."""

import contextlib
import http.client
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ship_spool
from tests.faults.counts import LONGEST, Count
from tests.gateway.serve.running_gateway import (
    Backend,
    Serving,
    backend,
    configuration,
    serving,
    token_of,
)
from tests.pdp.decision_point_harness import ALLOWED, EVALUATION
from tests.pdp.runtime.test_process import POINT, ask

CLIENTS = 4
# A tool that may change something: its record is on disk before the answer leaves.
CHANGING = ALLOWED | {"resource": {"type": "tool", "id": "tool:mcp/files/slow"}}
LOAD = (0.1, 0.8)  # seconds of load before a kill, from the first answer on

# Does one call, gives what names it once it was answered, or empty.
Caller = Callable[[int], str]


class Load:
    """Clients that call without a pause until they are stopped.

    Args:
        call: Does one call; numbers are never used twice.
        first: The first number.
    """

    def __init__(self, call: Caller, first: int) -> None:
        self.acknowledged: list[str] = []
        self._call, self._number = call, first
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._threads = [
            threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)
        ]
        for each in self._threads:
            each.start()

    def run_for(self, seconds: float) -> None:
        """Go on for a while after the first acknowledgement.

        Raises:
            TimeoutError: Nothing is acknowledged in the longest time that a step may take.
        """
        until = time.monotonic() + LONGEST
        while not self.acknowledged:
            if time.monotonic() > until:
                self.end()
                raise TimeoutError("no call was acknowledged")
            time.sleep(0.01)
        time.sleep(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                self._number += 1
                number = self._number
            try:
                name = self._call(number)
            except (OSError, EOFError, http.client.HTTPException, ValueError):
                time.sleep(0.01)
                continue
            if name:
                self.acknowledged.append(name)

    def end(self) -> int:
        """Stop the clients; give the last number."""
        self._stop.set()
        for each in self._threads:
            each.join()
        return self._number


def kill_gateway(kills: int, chance: random.Random) -> Iterator[Count]:
    """Kill a gateway while clients call tools that may change something."""
    count = Count("gateway killed")
    folder = Path(tempfile.mkdtemp(prefix="answerable-gateway-"))
    acknowledged: list[str] = []
    try:
        with backend() as behind:
            said = _gateway(behind)
            last = 0
            while count.tried < kills:
                with serving(folder, said) as served:
                    last = _load(
                        served, _tool_call(served), acknowledged, last, count, chance
                    )
            executed = [name for name in behind.calls if name.startswith("mark-")]
        found = _ship(folder, "gateway", "tool", count)
        recorded = [name.rpartition("/")[2] for name in found]
        count.compare(acknowledged, recorded)
        lost = set(executed) - set(recorded)
        if lost:
            count.complain(f"{len(lost)} calls reached the server without a record")
    finally:
        shutil.rmtree(folder)
    yield count


def _gateway(behind: Backend) -> dict[str, Any]:
    said = configuration(behind.server_address[1])
    said["agents"]["ana"]["allow"] = [{"server": "files", "tools": ["*"]}]
    return said


def _tool_call(served: Serving) -> Caller:
    def call(number: int) -> str:
        name = f"mark-{number:08}"
        answer = served.call(name)
        good = isinstance(answer, dict) and "result" in answer
        return name if good else ""

    return call


def kill_decision_point(kills: int, chance: random.Random) -> Iterator[Count]:
    """Kill a decision point while enforcement points ask it."""
    count = Count("decision point killed")
    folder = Path(tempfile.mkdtemp(prefix="answerable-point-"))
    acknowledged: list[str] = []
    said = configuration(9, decisions=POINT)
    try:
        while count.tried < kills:
            with serving(folder, said, "--only", "decisions", lines=2) as served:
                _load(served, _evaluation(served), acknowledged, 0, count, chance)
        recorded = _ship(folder, "decisions", "decision_id", count)
        count.compare(acknowledged, recorded)
    finally:
        shutil.rmtree(folder)
    yield count


def _evaluation(served: Serving) -> Caller:
    bearer = f"Bearer {token_of('pep')}"

    def call(_: int) -> str:
        at = served.decisions  # type: ignore[attr-defined]
        status, told = ask(at, EVALUATION, CHANGING, authorization=bearer)
        is_allowed = status == 200 and told["decision"]
        return str(told["context"]["decision_id"]) if is_allowed else ""

    return call


def _load(
    served: Serving,
    call: Caller,
    acknowledged: list[str],
    last: int,
    count: Count,
    chance: random.Random,
) -> int:
    """Load a server and kill it: every third time a worker first, which comes again."""
    load = Load(call, last)
    load.run_for(chance.uniform(*LOAD))
    if count.tried % 3 == 2 and (workers := served.workers()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(workers), signal.SIGKILL)
        count.tried += 1
        time.sleep(chance.uniform(*LOAD) * 2)
    children = served.children()
    served.process.kill()
    for each in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    count.tried += 1
    last = load.end()
    acknowledged += load.acknowledged
    return last


def _ship(folder: Path, name: str, column: str, count: Count) -> list[str]:
    """Ship what was spooled, and give what names the calls on record."""
    now = time.time_ns()
    with EvidenceStore.open(folder / "store", now=now) as store:
        shipped = ship_spool(store, folder / "store" / name / "spool", now=now)
        if shipped.conflict:
            count.complain(f"{shipped.conflict} events under an id with other bytes")
        for each in fsck.verify_store(store, None, None, ignore_progress_report):
            if not each.ok:
                count.complain(f"{each.check}: {each.detail}")
        rows = store.run_query(f"SELECT {column} FROM events WHERE {column} <> ''")  # noqa: S608 - our own names
    return [str(row[0]) for row in rows]

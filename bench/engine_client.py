"""Sessions of the engines under measurement, and the processor time of each answer."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.process_time import (
    end_processes,
    list_descendants,
    read_processor_seconds,
)

_END_SECONDS = 60


@dataclass(frozen=True, slots=True)
class EngineAnswer:
    """Answer to a query.

    Attributes:
        wall: Seconds.
        cpu: Processor seconds of the session, of its driver and of the workers.
        rows: Digest of the rows.
    """

    wall: float
    cpu: float
    rows: str


class EngineSession:
    """Process of `bench.engine_session`.

    Args:
        store: Folder of a store.
        events: Lake, or master of a cluster; empty for the store alone.
        workers: Ids of the processes of the cluster's workers.
    """

    def __init__(self, store: Path, events: str, workers: Sequence[int]) -> None:
        self._workers = workers
        self.process = subprocess.Popen(
            (sys.executable, "-m", "bench.engine_session", str(store), events),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, query: str) -> EngineAnswer:
        """Ask the first query; its seconds are those since the process exists."""
        wall, before = time.perf_counter(), self._read_foreign_seconds(started=False)
        answer = self._ask(query)
        foreign = self._read_foreign_seconds() - before
        own = read_processor_seconds([self.process.pid])
        return EngineAnswer(time.perf_counter() - wall, own + foreign, answer.rows)

    def ask(self, query: str) -> EngineAnswer:
        """Ask a query in the running session."""
        before = self._read_foreign_seconds()
        answer = self._ask(query)
        foreign = self._read_foreign_seconds() - before
        return EngineAnswer(answer.wall, answer.cpu + foreign, answer.rows)

    def close(self) -> None:
        """End the session, by force if it does not end itself."""
        with suppress(BrokenPipeError):
            _require_pipe(self.process.stdin).close()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            pass  # it is killed
        finally:
            started = list(list_descendants(self.process.pid))
            self.process.kill()
            self.process.wait()
            end_processes(started)
            _require_pipe(self.process.stdout).close()

    def _ask(self, query: str) -> EngineAnswer:
        with suppress(BrokenPipeError):
            pipe = _require_pipe(self.process.stdin)
            pipe.write(json.dumps(query) + "\n")
            pipe.flush()
        line = _require_pipe(self.process.stdout).readline()
        if not line:
            raise RuntimeError("a session of an engine ended; its error is above")
        found = json.loads(line)
        return EngineAnswer(found["wall"], found["cpu"], found["rows"])

    def _read_foreign_seconds(self, *, started: bool = True) -> float:
        """Return processor seconds of the driver, the workers and their executors."""
        pids = [*self._workers]
        for pid in (*pids, self.process.pid) if started else self._workers:
            pids += list_descendants(pid)
        return read_processor_seconds(pids)


def _require_pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe

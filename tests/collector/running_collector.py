"""A real `answerable serve --only collector`."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 60  # only a busy machine takes as long


@dataclass
class RunningCollector:
    """A collector process, its addresses, and the lines of its log so far."""

    process: subprocess.Popen[str]
    folder: Path
    address: str = ""
    receiver: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)

    def get(self, path: str, **fields: str) -> tuple[int, str]:
        """Get one of its pages."""
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        try:
            connection.request("GET", path, headers=fields)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def source(self, name: str) -> dict[str, Any]:
        """Find the state of a source, by the word before its colon."""
        sources = json.loads(self.get("/readyz")[1])["sources"]
        (found,) = (s for s in sources if s["source"].startswith(f"{name}:"))
        return found  # type: ignore[no-any-return]

    def metric(self, name: str, source: str, **labels: str) -> float:
        """Read the value of one time series of a source."""
        wanted = [f'source="{source}:', *(f'{k}="{v}"' for k, v in labels.items())]
        for line in self.get("/metrics")[1].splitlines():
            starts = line.startswith(f"answerable_collector_{name}{{")
            if starts and all(each in line for each in wanted):
                return float(line.rpartition(" ")[2])
        raise AssertionError(name)

    def hear(
        self, event: str, source: str = "", after: int = 0, **fields: object
    ) -> dict[str, Any]:
        """Wait for a line of the log; give the first after a number of lines."""

        def matches(line: dict[str, Any]) -> bool:
            at = str(line.get("source", "")).startswith(source)
            return line["event"] == event and at and fields.items() <= line.items()

        wait_until(lambda: any(map(matches, self.log[after:])), lambda: self.log)
        return next(filter(matches, self.log[after:]))

    def configure(self, settings: dict[str, Any]) -> None:
        """Write another file, and have it read."""
        write_config(self.folder, settings)
        events = ("config.taken", "config.refused")
        before = sum(line["event"] in events for line in self.log)
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: sum(line["event"] in events for line in self.log) > before)

    def children(self) -> list[int]:
        """List the processes of the runs in progress."""
        pid = self.process.pid
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        return [int(word) for word in text.split()]


def wait_until(
    holds: Callable[[], object], says: Callable[[], object] = lambda: ""
) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, says()
        time.sleep(0.02)


def write_config(folder: Path, settings: dict[str, Any]) -> None:
    """Write the configuration: one run of each source, retries, and what is given."""
    base = {
        "store": "store",
        "schedule": {"every": "24h", "jitter": 0, "retry": 1, "deadline": 600},
        "collector": {"listen": [{"address": "127.0.0.1:0"}]},
    }
    (folder / "answerable.yaml").write_text(json.dumps(base | settings, indent=1))


@contextmanager
def collecting(
    folder: Path, settings: dict[str, Any], env: dict[str, str] | None = None
) -> Iterator[RunningCollector]:
    """Run a collector with a configuration."""
    write_config(folder, settings)
    command = ("-m", "answerable", "serve", "--only", "collector", "--config")
    process = subprocess.Popen(
        [sys.executable, *command, str(folder / "answerable.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    running = RunningCollector(process, folder)
    assert process.stderr is not None
    assert process.stdout is not None
    lines = process.stderr

    def read_log() -> None:
        for line in lines:
            running.log.append(json.loads(line))

    reader = threading.Thread(target=read_log, daemon=True)
    reader.start()
    try:
        what, _, where = process.stdout.readline().strip().partition(" ")
        assert what == "collector", running.log
        running.address = where.removeprefix("http://")
        if "senders" in settings.get("collector", {}):
            where = process.stdout.readline().strip().partition(" ")[2]
            running.receiver = where.removeprefix("http://")
        yield running
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
        reader.join(SECONDS)
        process.stdout.close()
        process.stderr.close()

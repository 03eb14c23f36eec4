"""Latency of a server over standard streams, direct or wrapped."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.gateway import running_gateway
from tests.gateway.request_builders import META

ECHO = (sys.executable, "-m", "bench.gateway.stdio_echo")
_WARM = 200


@contextmanager
def _run_child(argv: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


def median_latency(argv: Sequence[str], seconds: float) -> float:
    """Call a tool repeatedly; return the median seconds to its answer.

    Raises:
        RuntimeError: An answer was no result.
    """
    params = {
        "name": running_gateway.READS,
        "arguments": {"path": "a.txt"},
        "_meta": META,
    }
    walls: list[float] = []
    with _run_child(argv) as process:
        to, back = process.stdin, process.stdout
        assert to is not None
        assert back is not None
        until = time.perf_counter() + seconds
        id = 0
        while time.perf_counter() < until or id < 2 * _WARM:
            id += 1
            said = {"jsonrpc": "2.0", "id": id, "method": "tools/call"}
            line = json.dumps(said | {"params": params}, separators=(",", ":")) + "\n"
            began = time.perf_counter()
            to.write(line.encode())
            answer = back.readline()
            walls.append(time.perf_counter() - began)
            if b'"result"' not in answer:
                raise RuntimeError(f"no result: {answer[:500]!r}")
    return statistics.median(walls[_WARM:])


def wrapper_command(folder: Path) -> Sequence[str]:
    """Return the command that wraps the echo server."""
    folder.mkdir(parents=True, exist_ok=True)
    given = running_gateway.build_settings(1)
    given["servers"] = {
        "files": {"command": list(ECHO), "reads": [running_gateway.READS]}
    }
    given["agents"][running_gateway.AGENT]["callers"] = [{"stdio": "files"}]
    place = folder / "answerable.yaml"
    place.write_text(json.dumps(given))
    (folder / "keys.json").write_text('{"keys": []}')
    words = ("gateway", "stdio", "--config", str(place), "--server", "files")
    return (sys.executable, "-m", "answerable", *words)

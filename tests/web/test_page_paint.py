"""The bench of pages waits for the answer of a page, and for no command of another one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import cast

import pytest

from bench.web import page_paint
from bench.web.chromium_pipe import ChromiumPipe, PageLoad
from bench.web.simulated_users import UserConnection

BUSY = "while True: pass"
SERVER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"


class Browser:
    def load(self, _url: str) -> PageLoad:
        return PageLoad(1.0, 1.0, 200, 1, 1, ())


class Line:
    """Says some times that the answer is being computed."""

    def __init__(self, times: int) -> None:
        self.times = times

    def get(self, _target: str) -> tuple[int, bytes, dict[str, str]]:
        self.times -= 1
        return 200, b"It is being computed." if self.times >= 0 else b"Computed.", {}


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    """A process that rests while its child does not."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], start_new_session=True)
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)


def measure(server: "subprocess.Popen[bytes]", line: Line) -> page_paint.MeasuredPage:
    browser = cast("ChromiumPipe", Browser())
    connection = cast("UserConnection", line)
    return page_paint.measure_page(
        browser, connection, "localhost", "/slow", str(server.pid)
    )


def test_a_page_is_complete_while_a_command_of_the_server_runs(
    server: "subprocess.Popen[bytes]",
) -> None:
    found = measure(server, Line(3))
    assert not found.is_pending


def test_a_page_that_is_never_computed_is_not_complete(
    server: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_paint, "COMPUTING", 2.0)
    found = measure(server, Line(1_000_000))
    assert found.is_pending

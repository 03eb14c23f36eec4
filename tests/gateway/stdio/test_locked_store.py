"""A wrapper ends although another process has the store locked."""

import fcntl
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.gateway.stdio.wrapper_fixture import call, decided, is_gone, said, wrapper


def test_a_locked_store_does_not_keep_the_wrapper(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("echo", 1))
        wrapped.end()
    spool = tmp_path / "state" / "spool"
    with (tmp_path / "store/log/.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process writes to the store
        with wrapper(tmp_path) as wrapped:
            wrapped.ask(call("echo", 2))
            assert wrapped.end() == 0
            assert "the store is locked by another process" in wrapped.errors()
        assert decided(spool) == [("tools/call", "echo", "allowed", "completed")]
    with wrapper(tmp_path) as wrapped:
        wrapped.end()
    assert not list(spool.rglob("*.jsonl"))


def test_a_signal_ends_a_wrapper_that_waits_for_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("echo", 1))
        wrapped.end()
    patient = (
        "import sys; from answerable.gateway.stdio import startup; "
        "startup._LOCK_TIMEOUT = 100; from answerable.cli.main import main; "
        "sys.exit(main())"
    )
    argv = [sys.executable, "-c", patient, "gateway", "stdio"]
    monkeypatch.setattr("tests.gateway.stdio.wrapper_fixture.WRAPPER", argv)
    with (tmp_path / "store/log/.lock").open() as lock, wrapper(tmp_path) as wrapped:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = said(wrapped.ask(call("echo", 2)))["pid"]
        assert wrapped.process.stdin is not None
        wrapped.process.stdin.close()
        assert is_gone(server)
        until = time.monotonic() + 60
        while wrapped.process.poll() is None and time.monotonic() < until:
            time.sleep(0.2)  # the first may still be for its server
            wrapped.process.terminate()
        assert wrapped.process.wait(60) == -signal.SIGTERM

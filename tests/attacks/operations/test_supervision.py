"""A service manager hears when servers are ready, reload, live and end."""

import os
import signal
import time
from pathlib import Path

import pytest

from answerable.server.systemd_notify import SystemdNotifier
from tests.attacks.operations.service_manager import manager
from tests.gateway.serve.running_gateway import Backend, configuration, serving

SECONDS = 60


@pytest.mark.parametrize(
    "is_abstract", [False, pytest.param(True, marks=pytest.mark.world)]
)
def test_a_gateway_tells_ready_reloading_life_and_stopping(
    tmp_path: Path, server: Backend, is_abstract: bool
) -> None:
    name = f"@answerable-test-{os.getpid()}" if is_abstract else str(tmp_path / "n")
    watched = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"}
    settings = configuration(server.server_port)
    with (
        manager(name) as heard,
        serving(tmp_path, settings, env=watched) as served,
    ):
        ready = heard.hear("READY")
        assert ready["MAINPID"] == str(served.process.pid)
        assert served.gateway in ready["STATUS"]
        heard.hear("WATCHDOG", 3)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        served.process.send_signal(signal.SIGHUP)
        reloading = heard.hear("RELOADING")
        assert int(reloading["MONOTONIC_USEC"]) >= before
        heard.hear("READY", 2)
        # A file that is wrong: it goes on by the last one, and says why.
        served.configure({**settings, "unknown": 1})
        served.process.send_signal(signal.SIGHUP)
        assert "unknown" in heard.hear("READY", 3)["STATUS"]
        served.process.terminate()
        heard.hear("STOPPING")
        assert served.process.wait(SECONDS) == 0
        order = [next(iter(each)) for each in heard.heard if "WATCHDOG" not in each]
        assert order == ["READY", *["RELOADING", "READY"] * 2, "STOPPING"]


def test_what_a_server_starts_does_not_inherit_the_manager(
    tmp_path: Path, server: Backend
) -> None:
    name = str(tmp_path / "n")
    watched = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}
    with (
        manager(name) as heard,
        serving(tmp_path, configuration(server.server_port), env=watched) as served,
    ):
        heard.hear("READY")
        for worker in served.workers():
            environment = Path(f"/proc/{worker}/environ").read_bytes()
            assert b"NOTIFY_SOCKET" not in environment
        # The watchdog is for another process.
        assert not any("WATCHDOG" in each for each in heard.heard)


def test_a_manager_that_is_gone_or_odd_stops_nothing(tmp_path: Path) -> None:
    for address in (
        "",
        "relative",
        "vsock:1:2",
        str(tmp_path / "gone"),
        "@gone",
        "/\0",
    ):
        for period in ("", "0", "-5", "x", "\u0663", "9" * 400):
            environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": period}
            notifier = SystemdNotifier.from_environment(environment)
            assert environment == {}
            notifier.ready("line\nREADY=0")
            notifier.stopping()


@pytest.mark.parametrize("is_abstract", [False, True])
def test_a_status_is_one_line(tmp_path: Path, is_abstract: bool) -> None:
    abstract = f"@answerable-status-{os.getpid()}"
    name = abstract if is_abstract else str(tmp_path / "n")
    with manager(name) as heard:
        SystemdNotifier(name).ready("at\nSTOPPING=1\x1b[2J")
        assert set(heard.hear("READY")) == {"READY", "STATUS", "MAINPID"}


def test_a_manager_that_reads_nothing_delays_nothing(tmp_path: Path) -> None:
    name = str(tmp_path / "n")
    with manager(name):
        notifier = SystemdNotifier(name)
        for _ in range(2_000):  # more than a socket keeps
            notifier.stopping()

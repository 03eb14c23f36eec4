"""Clocks out of range, links that lead nowhere, users without a home: clear errors."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.gateway.serve.health import SHIPPING_LAG, evidence_shipping_warnings
from answerable.store.store import EvidenceStore
from tests.gateway.serve.running_gateway import SECONDS, Backend, configuration, serving

FOLDERS = ("journal", "segments", "log", "objects", "quarantine", "keys")


@pytest.mark.parametrize("seconds", [-1, -(10**10), 9_223_372_037, 253_402_300_800])
def test_a_clock_out_of_range_is_refused_before_anything_is_written(
    tmp_path: Path,
    seconds: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: seconds * 10**9)
    for words in (("scan", "repo:."), ("agents",), ("evidence", "verify")):
        assert main(["--store", str(tmp_path / "store"), *words]) == 5
        assert "the clock of this machine is out of range" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_clock_that_python_cannot_represent_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def overflow() -> int:
        raise OverflowError("timestamp too large")

    monkeypatch.setattr(time, "time_ns", overflow)
    assert main(["--store", str(tmp_path / "store"), "agents"]) == 5
    assert "the clock of this machine is out of range" in capsys.readouterr().err


@pytest.mark.parametrize("which", ["", "..", *FOLDERS])
def test_a_link_that_leads_nowhere_is_named(
    tmp_path: Path, which: str, capsys: pytest.CaptureFixture[str], counted: list[str]
) -> None:
    root = tmp_path / "volume" / "store"
    EvidenceStore.open(root, now=1).close()
    place = root.parent if which == ".." else root / which
    place.rename(tmp_path / "away")
    place.symlink_to(tmp_path / "gone")
    for words in (("scan", "repo:."), ("agents",), ("evidence", "verify"), ("trace",)):
        assert main(["--store", str(root), *words]) == 5
        said = capsys.readouterr().err
        assert (
            f"error: {place} is a link to {tmp_path / 'gone'}, which does not exist"
            in said
        )
        counted.append("command")


def test_a_user_without_a_home_serves_from_the_store_of_the_file(
    tmp_path: Path, server: Backend
) -> None:
    # A user id without an entry in the password file, and no HOME.
    settings = configuration(server.server_port, store=str(tmp_path / "store"))
    (tmp_path / "answerable.yaml").write_text(json.dumps(settings))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "homeless")}
    (tmp_path / "homeless").mkdir()
    (tmp_path / "homeless" / "sitecustomize.py").write_text(
        "import pathlib\n"
        "def home(cls):\n"
        "    raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.home = classmethod(home)\n"
    )
    with serving(tmp_path, settings, env={"HOME": "", **environment}) as served:
        assert "result" in served.call("read")
        assert served.end() == 0

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "answerable", *words],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )

    named = ("--config", "answerable.yaml")
    assert run("kill", "agent:declared/ana", *named).returncode == 0
    assert run("doctor", ANSWERABLE_STORE=str(tmp_path / "store")).returncode == 0
    (tmp_path / "answerable.yaml").write_text(
        json.dumps({key: settings[key] for key in settings if key != "store"})
    )
    done = run("serve", *named)
    assert done.returncode == 2
    assert "the home directory is unknown" in done.stderr
    assert "set `store` in the configuration" in done.stderr


def test_readiness_warns_of_evidence_that_is_not_shipped() -> None:
    assert evidence_shipping_warnings(0.0, "the disk is full") == []
    (warning,) = evidence_shipping_warnings(SHIPPING_LAG + 1, "the disk is full")
    assert (
        warning
        == f"evidence has not been shipped for {SHIPPING_LAG + 1:.0f} s: the disk is full"
    )


@pytest.mark.parametrize(
    "name", ["SIGUSR1", pytest.param("SIGUSR2", marks=pytest.mark.world)]
)
def test_a_signal_of_users_drains_a_server(
    tmp_path: Path, server: Backend, name: str
) -> None:
    import signal
    import threading

    settings: dict[str, Any] = configuration(server.server_port)
    server.calls.clear()
    answers: list[Any] = []
    with serving(tmp_path, settings) as served:
        slow = threading.Thread(
            target=lambda: answers.append(served.call("slow", arguments={"seconds": 2}))
        )
        slow.start()
        while "slow" not in server.calls:
            time.sleep(0.01)
        # To every process of it, as `pkill -USR1` would.
        for pid in (served.process.pid, *served.workers()):
            os.kill(pid, getattr(signal, name))
        assert served.process.wait(SECONDS) == 0
        slow.join(60)
    assert "result" in answers[0]

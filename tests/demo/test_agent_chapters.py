"""The whole story, and the same in a browser's reach: real processes from start to end."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from answerable.cli.demo.environment import can_attest_processes

pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(not can_attest_processes(), reason="needs Linux 6.5"),
]
DEMO = (sys.executable, "-m", "answerable", "demo")
SECONDS = 400


def find_survivors(place: Path) -> list[str]:
    """Processes that have a folder in their command."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (
                (folder / "cmdline").read_bytes() if folder.name.isdigit() else b""
            )
        except OSError:
            continue
        if str(place).encode() in command:
            found.append(command.replace(b"\0", b" ").decode())
    return found


def test_the_story_holds_from_end_to_end(tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    done = subprocess.run(
        [*DEMO, "--keep", str(keep)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout
    assert "send_mail audit@evil.example Customers: deny 01" in text
    assert "0 would be denied and 0 would require approval" in text
    assert "named email audit@evil.example" in text
    assert "exchange_rate CHF: ask" in text
    assert "\nexchange_rate CHF\n" in text
    assert "killed, within a second" in text
    assert "declared/clerk is killed by user" in " ".join(text.split())
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert len(text.splitlines()) < 600
    assert find_survivors(keep) == []


@pytest.fixture
def live_demo(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [*DEMO, "--serve", "--keep", str(tmp_path / "kept")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


def read_until(process: "subprocess.Popen[str]", pattern: str) -> "re.Match[str]":
    """Read what a process says, until a line fits."""
    assert process.stdout is not None
    heard = []
    deadline = time.monotonic() + SECONDS
    for line in process.stdout:
        heard.append(line)
        if found := re.fullmatch(pattern, line.strip()):
            return found
        assert time.monotonic() < deadline, heard
    raise AssertionError("".join(heard))


def test_it_is_watched_until_somebody_has_seen_enough(
    live_demo: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    place = tmp_path / "kept"
    link = read_until(live_demo, r"(http://127\.0\.0\.1:\d+)/sign-in#\S+")
    with urlopen(link[1] + "/healthz") as answer:  # noqa: S310 - this machine's
        assert answer.status == 200
    read_until(
        live_demo, r".*send_mail audit@evil\.example Customers: deny [0-9a-f]{32}"
    )
    killing = [sys.executable, "-m", "answerable", "--store", str(place / "store")]
    killing += ["gateway", "kill", "agent:declared/clerk"]
    killing += ["--config", str(place / "answerable.yaml")]
    subprocess.run(killing, check=True, capture_output=True)
    read_until(
        live_demo, r".*(list_invoices: deny [0-9a-f]{32}|the agent was not started.*)"
    )
    live_demo.send_signal(signal.SIGINT)
    assert live_demo.wait(60) == 0
    assert find_survivors(place) == []

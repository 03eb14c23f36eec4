"""Real faults at a sample of the steps of a store; `make faults` takes every step."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from answerable.store import durable_files
from tests.faults.counts import LONGEST
from tests.faults.life_faults import ACTS
from tests.store.test_life_faults import write


def test_faults_at_steps_of_a_store_lose_and_double_nothing() -> None:
    words = ("-m", "tests.faults.life_faults", "--every", "48", "--seed", "7")
    # A process of its own: its children are forked before a thread was started.
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acts" in done.stdout.splitlines()[-1]


def test_the_acts_meet_faults_at_more_than_forty_named_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "store")
    steps: dict[str, set[str]] = {}
    for act, run in ACTS.items():
        (tmp_path / act).mkdir()
        shutil.copytree(tmp_path / "store", tmp_path / act / "store")
        reached = steps[act] = set[str]()
        monkeypatch.setattr(durable_files, "crash_hook", reached.add)
        run(tmp_path / act / "store", lambda _: None)
    assert len(set().union(*steps.values())) > 40
    assert all(len(reached) >= 4 for reached in steps.values()), steps

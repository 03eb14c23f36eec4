"""Real faults at a sample of the steps of a store; `make faults` takes every step."""

import subprocess
import sys

from tests.faults.counts import LONGEST


def test_faults_at_steps_of_a_store_lose_and_double_nothing() -> None:
    words = ("-m", "tests.faults.life_faults", "--every", "24", "--seed", "7")
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

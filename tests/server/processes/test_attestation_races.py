"""Security test 15: whatever a process does meanwhile, it is never taken for another.

Hundreds here; tens of thousands with `make bench`'s marker. Each prints its count.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.processes.attestation_races import KINDS, NEEDS_ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")

COUNTS = {
    "reuse": 100,
    "ended": 100,
    "exec-after": 100,
    "superuser": 100,
    "handed-on": 100,
    "inherited": 100,
    "orphans": 100,
    "outsiders": 100,
    "claimed": 100,
}
MANY = 10_000


def storm(kind: str, count: int, *more: str) -> dict[str, int]:
    if kind in NEEDS_ROOT and os.getuid() != 0:
        pytest.skip("takes several users' places, and numbers of processes, as root")
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.server.processes.attestation_races",
            kind,
            str(count),
            *more,
        ],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60 + count,
    )
    assert ran.returncode == 0, ran.stderr
    print(ran.stdout.strip(), *more)
    said: dict[str, int] = json.loads(ran.stdout)
    assert said["rounds"] == count
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_taken_for_another(kind: str) -> None:
    said = storm(kind, COUNTS[kind])
    assert said.get("wrong", 0) == 0
    assert said.get("lost", 0) < COUNTS[kind] / 2


@pytest.mark.parametrize("kind", ["reuse", "orphans"])
def test_nor_where_the_kernel_gives_less_of_a_pidfd(kind: str) -> None:
    assert storm(kind, 60, "--proc").get("wrong", 0) == 0


def test_without_a_look_at_liveness_the_storm_finds_somebody_taken_for_another() -> (
    None
):
    assert storm("reuse", 20, "--plant")["wrong"] > 0


@pytest.mark.bench
@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_taken_for_another_in_ten_thousand_rounds(kind: str) -> None:
    assert storm(kind, MANY).get("wrong", 0) == 0

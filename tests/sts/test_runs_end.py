"""The token service notices that a launched run ended, with nobody left to report it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.store.store import EvidenceStore
from tests.sts.running_service import ANA, FILES, ROOT, RunningService, own_store

ME = os.getuid()
AT_ROOT = "true" if ME == 0 else "false"
RULES = f"""
  - id: at-the-terminal
    launched: {{started_by: {ME}, runs_as: {ME}, person: ben@corp.example}}
    root: {AT_ROOT}
    agent: {ROOT}
    grants: [{{audience: {FILES}, scopes: [read], bind: bearer, ttl: 5m}}]
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")


@pytest.fixture
def world() -> Iterator[RunningService]:
    # A path of pytest's own may be too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="sts-"))
    world = RunningService(folder, rules=RULES)
    own_store(world.store, {ROOT: ANA})
    world.write()
    world.start()
    yield world
    if world.process is not None:
        world.stop()
    shutil.rmtree(folder)


def started(world: RunningService) -> "tuple[subprocess.Popen[str], int]":
    """Start an agent that sleeps; its launcher, and its process number."""
    sleeps = "import os, time; print(os.getpid(), flush=True); time.sleep(300)"
    sts = world.unix.removeprefix("unix:")
    launcher = subprocess.Popen(
        [
            *(sys.executable, "-m", "answerable", "run", "--agent", ROOT),
            *("--sts", sts, "--", sys.executable, "-c", sleeps),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert launcher.stdout is not None
    said = launcher.stdout.readline()
    assert said, launcher.communicate()[1]
    return launcher, int(said)


def kinds(world: RunningService) -> list[tuple[str, str]]:
    """Stop the service; the events of runs that it put on record, in order."""
    world.stop()
    with EvidenceStore.open(world.store, now=time.time_ns()) as store:
        query = (
            "SELECT action, outcome FROM events WHERE source = 'sts' "
            "ORDER BY event_time"
        )
        return [
            (str(action), str(outcome)) for action, outcome in store.run_query(query)
        ]


def test_a_run_whose_launcher_and_agent_are_killed_is_noticed(
    world: RunningService,
) -> None:
    launcher, agent = started(world)
    files = world.state / "runs"
    assert len(list(files.iterdir())) == 1
    launcher.kill()
    os.kill(agent, signal.SIGKILL)
    launcher.communicate()
    until = time.monotonic() + 60
    while list(files.iterdir()):
        assert time.monotonic() < until, "the file of the run stays"
        time.sleep(0.05)
    assert [kind for kind, _ in kinds(world)] == ["sts:launch", "sts:finish"]
    assert '"run.ended"' in world.errors.read_text()


def test_the_end_of_a_run_is_on_record_once(world: RunningService) -> None:
    for _ in range(3):
        launcher, agent = started(world)
        os.kill(agent, signal.SIGTERM)
        launcher.communicate(timeout=60)
    found = kinds(world)
    assert [kind for kind, _ in found] == ["sts:launch", "sts:finish"] * 3
    assert len({outcome for _, outcome in found}) == 1


def test_an_unusable_folder_of_runs_is_logged_once(world: RunningService) -> None:
    shutil.rmtree(world.state / "runs")
    until = time.monotonic() + 60
    while world.told("runs.not-swept") == 0:
        assert time.monotonic() < until, world.errors.read_text()
        time.sleep(0.05)
    time.sleep(0.8)  # three more looks
    assert world.told("runs.not-swept") == 1

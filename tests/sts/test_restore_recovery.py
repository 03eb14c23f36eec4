"""A token service whose database was put back from an older copy."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sts.running_service import DpopClient, RunningService, ci_token, serving


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunningService]:
    with serving(tmp_path / "world") as made:
        yield made


def put_back(world: RunningService, copy: Path) -> None:
    for name in ("control.db-wal", "control.db-shm"):
        (world.state / name).unlink(missing_ok=True)
    shutil.copy(copy, world.state / "control.db")


def refused(world: RunningService, subject: str) -> bool:
    with world.wire() as wire:
        reply = DpopClient(world).exchange(wire, subject)
    return reply.status != 200


def test_what_was_used_since_the_copy_is_refused_and_the_log_says_why(
    world: RunningService, tmp_path: Path
) -> None:
    copy, subject = tmp_path / "copy", ci_token(world)
    world.stop()
    shutil.copy(world.state / "control.db", copy)
    world.start()
    with world.wire() as wire:
        given = DpopClient(world).get(wire, subject)
    assert given
    assert refused(world, subject)
    world.stop()
    put_back(world, copy)
    world.start()
    assert refused(world, subject), "it was exchanged before the restore"
    lines = [json.loads(each) for each in world.errors.read_text().splitlines()]
    (said,) = [each for each in lines if each["event"] == "control.restored"]
    assert len(said["keys"]) >= 1
    # The next start is a usual one.
    world.stop()
    world.start()
    assert world.told("control.restored") == 1


def test_the_command_ends_what_a_copy_of_the_whole_folder_may_have_lost(
    world: RunningService,
) -> None:
    client, subject = DpopClient(world), ci_token(world)
    with world.wire() as wire:
        token = client.get(wire, subject)
    world.stop()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "answerable", "sts", "restored"),
            *("--config", str(world.config)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("epoch ")
    assert lines[1] == "ended: delegations 1, tokens 1"
    assert lines[-1].startswith("next: start the token service")
    assert any(line.endswith(" killed") for line in lines)
    world.start()
    assert world.told("control.restored") == 0
    assert refused(world, subject)
    with world.wire() as wire:
        keys = {each["kid"] for each in wire.ask("GET", "/jwks").json["keys"]}  # type: ignore[attr-defined, index, union-attr]
    killed = {line.removesuffix(" killed") for line in lines if " killed" in line}
    assert keys
    assert not keys & killed
    assert token

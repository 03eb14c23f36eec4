"""An address that moves to another account at the provider, at a running token service."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sts.running_service import (
    ACCESS,
    ID_TOKEN,
    DpopClient,
    RunningService,
    ci_token,
    id_token,
    serving,
)

BEN = "ben@corp.example"
# Sub of an account, the address that it shows, and whether it names Ben.
TRIES = [
    ("ben", BEN, True),
    ("ben", BEN.upper(), True),
    ("mallory", BEN, False),
    ("mallory", BEN.title(), False),
    ("mallory", "\u212aen@corp.example", False),
    ("mallory", "be\uff4e@corp.example", False),
    ("BEN", BEN, False),
    ("ben", BEN, True),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with serving(tmp_path_factory.mktemp("moved")) as world:
        yield world


def takes(world: RunningService, sub: str, address: str) -> bool:
    client = DpopClient(world)
    with world.wire() as wire:
        own = client.get(wire, ci_token(world))
        reply = client.exchange(
            wire,
            id_token(world, address, sub=sub),
            ID_TOKEN,
            actor_token=own,
            actor_token_type=ACCESS,
        )
    assert reply.status in (200, 400)
    return reply.status == 200


def cli(world: RunningService, *words: str) -> str:
    command = [sys.executable, "-m", "answerable", "sign-ins", *words]
    done = subprocess.run(
        [*command, "--config", str(world.config)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_an_address_names_the_account_that_had_it_first(world: RunningService) -> None:
    passed = [takes(world, sub, address) for sub, address, _ in TRIES]
    print(f"\n{len(TRIES)} sign-ins, {passed.count(False)} of other accounts refused")
    assert passed == [names for _, _, names in TRIES]
    (line,) = cli(world).splitlines()
    assert line.startswith(f"person:{BEN} https://idp.example ")
    # An administrator has seen why the address moved.
    assert cli(world, "--release", BEN).startswith(f"released person:{BEN} ")
    assert takes(world, "mallory", BEN)
    assert not takes(world, "ben", BEN)


def test_a_binding_outlives_a_restart(world: RunningService, tmp_path: Path) -> None:
    with serving(tmp_path / "again") as own:
        assert takes(own, "ben", BEN)
        own.stop()
        own.start()
        assert not takes(own, "mallory", BEN)

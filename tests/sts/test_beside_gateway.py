"""`serve` with a section `sts`: the token service runs beside the gateway, and ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sts.raw_http_client import RawHttpClient
from tests.sts.running_service import (
    ROOT,
    DpopClient,
    RunningService,
    ci_token,
    free_port,
    own_store,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunningService]:
    world = RunningService(tmp_path)
    own_store(world.store, {ROOT: "ana"})
    world.write()
    with world.config.open("a") as file:
        file.write(
            f"""
listen:
  api: 127.0.0.1:{free_port()}
  gateway:
    - address: 127.0.0.1:{free_port()}
"""
        )
    yield world
    if world.process is not None:
        world.process.kill()
        world.process.wait()
        assert world.process.stdout is not None
        world.process.stdout.close()


def start(world: RunningService, *words: str) -> list[str]:
    """Start `serve`, and give the lines it prints."""
    with world.errors.open("ab") as errors:
        world.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "answerable", "serve"),
                *("--config", str(world.config), *words),
            ],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert world.process.stdout is not None
    lines = []
    while line := world.process.stdout.readline():
        lines.append(line.strip())
        if len(lines) == (2 if words else 4):
            break
    return lines


def test_both_run_and_say_that_this_is_for_evaluation(world: RunningService) -> None:
    lines = start(world)
    assert [line.split()[0] for line in lines] == ["api", "gateway", "sts", "sts"]
    assert world.told("serve.for-evaluation") == 1
    client = DpopClient(world)
    with world.wire() as wire:
        assert client.exchange(wire, ci_token(world)).status == 200
    with RawHttpClient.to(lines[0].split()[1]) as api:
        assert api.ask("GET", "/readyz").json["ready"] is True
    # It is started anew, and what it remembers is still there.
    told = [json.loads(line) for line in world.errors.read_text().splitlines()]
    assert any(each["event"] == "sts.ready" for each in told)
    (pid,) = children(world, "--with-parent")
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while world.told("sts.ready") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with world.wire() as wire:
        assert client.exchange(wire, ci_token(world)).status == 200
    # A kill reaches the gateway too: whom it names, and whatever ended with it.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "answerable", "sts", "kill", ROOT),
            *("--config", str(world.config)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    kills = (world.store / "kills").read_text().splitlines()
    # Each with by whom and when behind it.
    assert kills[0].partition("\t")[0] == ROOT
    assert [each.partition(":")[0] for each in kills[1:]] == ["run"] * 2
    deadline = time.monotonic() + 60
    while world.told("kill.taken") < 2:  # in the token service, and in the worker
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert world.process is not None
    world.process.send_signal(signal.SIGTERM)
    assert world.process.wait(60) == 0
    assert world.told("sts.ended") == 1
    assert children(world, "--with-parent") == []


def test_a_killed_signing_key_is_refused_by_the_gateway_too(
    world: RunningService,
) -> None:
    def keys(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "answerable", "token-service", "keys", *words]
        return subprocess.run(
            [*command, "--config", str(world.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    start(world)
    kid = keys().stdout.split()[0]
    done = keys("--kill", kid)
    assert done.returncode == 0, done.stderr
    assert "at the gateway" in done.stderr
    kills = (world.store / "kills").read_text()
    assert kills.partition("\t")[0] == f"key:{kid}"


def test_the_token_service_ends_with_a_gateway_that_was_killed(
    world: RunningService,
) -> None:
    start(world)
    assert len(children(world, "--with-parent")) == 1
    assert world.process is not None
    world.process.kill()
    world.process.wait()
    deadline = time.monotonic() + 60
    while children(world, "--with-parent"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_gateway_alone_leaves_it_out(world: RunningService) -> None:
    lines = start(world, "--only", "gateway")
    assert [line.split()[0] for line in lines] == ["api", "gateway"]
    assert children(world, "--with-parent") == []


def children(world: RunningService, word: str) -> list[int]:
    """Find processes of ours whose command has a word and this configuration."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if word.encode() in command and str(world.config).encode() in command:
            found.append(int(folder.name))
    return found

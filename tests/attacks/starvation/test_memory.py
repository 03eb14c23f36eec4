"""Memory under hostile traffic levels off, at a gateway and a token service."""

from pathlib import Path

import pytest

from tests.attacks.starvation import hostile_requests
from tests.gateway.serve.running_gateway import (
    backend,
    configuration,
    serving,
    token_of,
)
from tests.sts.running_service import serving as token_service

ROUNDS = 6
MEBIBYTE = 1 << 20
GROWS = 6 * MEBIBYTE  # at most, in the second half
ALL = 48 * MEBIBYTE  # at most, above what was occupied at the start

pytestmark = pytest.mark.world


def levels_off(taken: list[float]) -> None:
    middle = len(taken) // 2
    assert max(taken[middle:]) - taken[middle] < GROWS, taken
    assert max(taken) - taken[0] < ALL, taken


def test_memory_of_a_gateway_levels_off(tmp_path: Path, counted: list[str]) -> None:
    with backend() as server, serving(tmp_path, configuration(server.server_port)) as s:
        makes = hostile_requests.of_gateway(s.gateway, token_of("ana"))
        taken = [s.metric("answerable_memory_bytes")]
        for _ in range(ROUNDS):
            sent = hostile_requests.send(s.gateway, makes, 8_000)
            counted += sent.elements()
            taken.append(s.metric("answerable_memory_bytes"))
        assert "result" in s.call(who="ben")
    print(f"MiB: {[round(each / MEBIBYTE) for each in taken]}")
    levels_off(taken)


def test_memory_of_a_token_service_levels_off(
    tmp_path: Path, counted: list[str]
) -> None:
    with token_service(tmp_path) as world:
        makes, where = hostile_requests.of_service(world), f"127.0.0.1:{world.port}"
        taken = [memory(world)]
        # What is issued fills the pages that SQLite keeps, which takes longest.
        counted += hostile_requests.send(
            where, {"honest": makes["honest"]}, 10_000
        ).elements()
        for _ in range(ROUNDS):
            sent = hostile_requests.send(where, makes, 4_000)
            counted += sent.elements()
            taken.append(memory(world))
    print(f"MiB: {[round(each / MEBIBYTE) for each in taken]}")
    levels_off(taken)


def memory(world: hostile_requests.RunningService) -> float:
    with world.wire() as wire:
        numbers = wire.ask("GET", "/metrics").body.decode()
    (line,) = (
        each
        for each in numbers.splitlines()
        if each.startswith("answerable_sts_memory_bytes ")
    )
    return float(line.split()[1])

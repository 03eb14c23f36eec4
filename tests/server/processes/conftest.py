"""A listener, and a registry that tells of ends."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.server.processes.run_registry import RegisteredRun, RunRegistry
from tests.server.processes.connecting_process import listening
from tests.server.processes.launch_environment import (
    LaunchEnvironment,
    open_environment,
)


@pytest.fixture
def world() -> Iterator[LaunchEnvironment]:
    with open_environment() as world:
        yield world


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listening() as here:
        yield here


@pytest.fixture
def gone() -> list[RegisteredRun]:
    return []


@pytest.fixture
def runs(tmp_path: Path, gone: list[RegisteredRun]) -> Iterator[RunRegistry]:
    runs = RunRegistry(tmp_path / "state", gone.append)
    yield runs
    runs.close()

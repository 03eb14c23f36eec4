"""A listener, and a registry that tells of ends."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.server.processes.run_registry import Run, Runs
from tests.server.processes.connecting_process import listening


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listening() as here:
        yield here


@pytest.fixture
def gone() -> list[Run]:
    return []


@pytest.fixture
def runs(tmp_path: Path, gone: list[Run]) -> Iterator[Runs]:
    runs = Runs(tmp_path / "state", gone.append)
    yield runs
    runs.close()

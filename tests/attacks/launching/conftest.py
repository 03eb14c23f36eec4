"""A token service for launchers, one for each test."""

from collections.abc import Iterator

import pytest

from tests.server.processes.launch_environment import World, opened_world


@pytest.fixture
def world() -> Iterator[World]:
    with opened_world() as world:
        yield world

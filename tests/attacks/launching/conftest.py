"""A token service for launchers, one for each test."""

from collections.abc import Iterator

import pytest

from tests.server.processes.launch_environment import (
    LaunchEnvironment,
    open_environment,
)


@pytest.fixture
def world() -> Iterator[LaunchEnvironment]:
    with open_environment() as world:
        yield world

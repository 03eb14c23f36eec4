from collections.abc import Iterator

import pytest

from tests.sts.raw_http_client import RawHttpClient
from tests.sts.running_service import RunningService, serving


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One process for all that changes nothing others see."""
    with serving(tmp_path_factory.mktemp("sts")) as running:
        yield running


@pytest.fixture
def wire(world: RunningService) -> Iterator[RawHttpClient]:
    with world.wire() as connected:
        yield connected

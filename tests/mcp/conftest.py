"""The test server, alone and behind a gateway."""

from collections.abc import Iterator

import pytest

from tests.mcp import running
from tests.mcp.gateway import Gateway, configuration, gateway


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The test server's URL."""
    with running.server() as url:
        yield url


@pytest.fixture(scope="module")
def behind(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that enforces, in front of it."""
    folder = tmp_path_factory.mktemp("gateway")
    with gateway(folder, configuration({"url": server})) as enforcing:
        yield enforcing

"""The test server, alone and behind a gateway."""

from collections.abc import Iterator

import pytest

from tests.mcp import running
from tests.mcp.gateway import Gateway, configuration, gateway


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The test server's URL."""
    with running.server() as url:
        yield url


@pytest.fixture(scope="session", params=[1, 2], ids=["one worker", "two workers"])
def behind(
    request: pytest.FixtureRequest,
    server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    """A gateway that enforces, in front of it."""
    settings = configuration({"url": server}, workers=request.param)
    with gateway(tmp_path_factory.mktemp("gateway"), settings) as enforcing:
        yield enforcing

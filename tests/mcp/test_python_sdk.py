"""A client of the MCP Python SDK does everything, in both eras and over both transports.

Straight at the test server, too: what it sees there is what it must see through the
gateway, but for the one tool that its agent may not call.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.mcp.clients.journey import ERAS, journey, seen
from tests.mcp.clients.python_sdk import over_http, over_stdio
from tests.mcp.gateway import BY_COMMAND, Gateway, configuration, gateway, wrapper

SERVER = [sys.executable, "-m", "tests.mcp.server", "--stdio"]


@pytest.mark.parametrize("era", ERAS)
def test_straight_at_the_server_over_http(server: str, era: str) -> None:
    async def go() -> None:
        async with over_http(server, "", era) as steps:
            assert await journey(steps, era) == seen(era, denied=False)

    anyio.run(go)


@pytest.mark.parametrize("era", ERAS)
def test_straight_at_the_server_over_stdio(era: str) -> None:
    async def go() -> None:
        async with over_stdio(SERVER, era) as steps:
            assert await journey(steps, era) == seen(era, denied=False)

    anyio.run(go)


@pytest.mark.parametrize("era", ERAS)
def test_through_the_gateway_over_http(behind: Gateway, era: str) -> None:
    async def go() -> None:
        async with over_http(behind.url, behind.token, era) as steps:
            assert await journey(steps, era) == seen(era)

    anyio.run(go)


@pytest.fixture(scope="module")
def before_a_command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("by-command")
    with gateway(folder, configuration(BY_COMMAND)) as enforcing:
        yield enforcing


@pytest.mark.parametrize("era", ERAS)
def test_through_the_gateway_to_a_server_by_command(
    before_a_command: Gateway, era: str
) -> None:
    async def go() -> None:
        async with over_http(
            before_a_command.url, before_a_command.token, era
        ) as steps:
            assert await journey(steps, era) == seen(era)

    anyio.run(go)


@pytest.mark.parametrize("by", ["url", "command"])
@pytest.mark.parametrize("era", ERAS)
def test_through_a_gateway_that_the_client_starts(
    server: str, tmp_path: Path, era: str, by: str
) -> None:
    behind = {"url": server} if by == "url" else BY_COMMAND

    async def go() -> None:
        async with over_stdio(wrapper(tmp_path, behind), era) as steps:
            assert await journey(steps, era) == seen(era)

    anyio.run(go)

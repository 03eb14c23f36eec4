"""The client of the MCP Python SDK sees at a wrapped server what it must.

And the same at a server by command behind the gateway, over HTTP.
"""

import sys
from pathlib import Path

import anyio
import pytest

from tests.mcp import running
from tests.mcp.clients.journey import ERAS, journey, seen
from tests.mcp.clients.python_sdk import over_http, over_stdio
from tests.mcp.gateway import configuration, gateway, write

SERVER = [sys.executable, "-m", "tests.mcp.server", "--stdio"]


def wrapped(folder: Path, server: dict[str, object], *command: str) -> list[str]:
    """The command of a wrapper in front of the test server."""
    config = write(folder, configuration(server))
    argv = [sys.executable, "-m", "answerable", "gateway", "stdio"]
    return [*argv, "--config", str(config), "--server", "fixtures", *command]


@pytest.mark.parametrize("era", ERAS)
def test_through_a_wrapper(tmp_path: Path, era: str) -> None:
    async def go() -> None:
        argv = wrapped(tmp_path, {"command": ["not-this"]}, "--", *SERVER)
        async with over_stdio(argv, era) as client:
            assert await journey(client, era) == seen(era)

    anyio.run(go)


@pytest.mark.parametrize("era", ERAS)
def test_through_a_wrapper_of_a_server_with_a_url(tmp_path: Path, era: str) -> None:
    async def go(url: str) -> None:
        async with over_stdio(wrapped(tmp_path, {"url": url}), era) as client:
            assert await journey(client, era) == seen(era)

    with running.server() as url:
        anyio.run(go, url)


@pytest.mark.parametrize("era", ERAS)
def test_over_http_at_a_server_by_command(tmp_path: Path, era: str) -> None:
    async def go(url: str, token: str) -> None:
        async with over_http(url, token, era) as client:
            assert await journey(client, era) == seen(era)

    with gateway(tmp_path, configuration({"command": SERVER})) as behind:
        anyio.run(go, behind.url, behind.token)

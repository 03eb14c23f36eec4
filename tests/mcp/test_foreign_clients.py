"""FastMCP's client and the TypeScript SDKs see what they must.

Each runs as a process of its own and prints what it saw.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp import running
from tests.mcp.clients.journey import ERAS, seen
from tests.mcp.gateway import BY_COMMAND, Gateway, wrapper

pytestmark = pytest.mark.world

FASTMCP = [sys.executable, "-m", "tests.mcp.clients.fastmcp"]
TYPESCRIPT = [running.node(), "tests/mcp/node/journey.mjs"]
CLIENTS = [
    pytest.param(FASTMCP, id="fastmcp"),
    pytest.param(TYPESCRIPT, id="typescript"),
]
SERVER = [sys.executable, "-m", "tests.mcp.server", "--stdio"]
JOURNEY_SECONDS = 60

each_client = pytest.mark.parametrize("client", CLIENTS)
each_era = pytest.mark.parametrize("era", ERAS)


def journey(client: list[str], era: str, to: list[str], token: str = "") -> object:
    """Send a client on its journey; return what it says it saw."""
    done = subprocess.run(
        [*client, era, *to],
        cwd=running.ROOT,
        env={**os.environ, "NODE_HOME": str(running.NODE_HOME)},
        input=token + "\n",
        capture_output=True,
        text=True,
        timeout=JOURNEY_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@each_client
@each_era
def test_straight_at_the_server_over_http(
    server: str, client: list[str], era: str
) -> None:
    assert journey(client, era, [server]) == seen(era, denied=False)


@each_client
@each_era
def test_straight_at_the_server_over_stdio(client: list[str], era: str) -> None:
    assert journey(client, era, SERVER) == seen(era, denied=False)


@each_client
@each_era
def test_through_the_gateway_over_http(
    behind: Gateway, client: list[str], era: str
) -> None:
    assert journey(client, era, [behind.url], behind.token) == seen(era)


@each_client
@each_era
def test_through_a_gateway_that_the_client_starts(
    tmp_path: Path, client: list[str], era: str
) -> None:
    assert journey(client, era, wrapper(tmp_path, BY_COMMAND)) == seen(era)

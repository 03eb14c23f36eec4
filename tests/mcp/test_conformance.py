"""MCP's own suite ends through the gateway as it ends straight at the server."""

from pathlib import Path

import pytest

from tests.mcp.conformance import suite
from tests.mcp.conformance.delta import differences
from tests.mcp.gateway import with_token_added

pytestmark = pytest.mark.world


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("requirements", suite.SETS)
def test_every_check_ends_as_it_does_without_the_gateway(
    server: str, tmp_path: Path, requirements: str, workers: int
) -> None:
    direct = suite.run(server, requirements)
    assert direct.count("FAILURE", scored=True) == 0
    assert direct.count("SUCCESS", scored=True) > 0
    with with_token_added(tmp_path, {"url": server}, workers) as through:
        passed = suite.run(through, requirements)
    assert list(differences(direct, passed)) == []

"""Configurations that others published; skipped where they are not at hand."""

from pathlib import Path

import pytest

from answerable.connectors.repo.fetch import sync
from answerable.model.connector import SyncContext
from answerable.model.tool import BUILT_IN

# Folder -> servers of each file, in the order of the walk.
EXPECTED = {
    "PrefectHQ+fastmcp": [],
    "awslabs+mcp": [
        "aurora-dsql",
        "aws-core",
        "aurora-dsql",
        "awsknowledge",
        "cloudwatch",
        "cloudwatch-appsignals",
        "healthlake",
        "awslabs.mysql-mcp-server",
        "awslabs.postgres-mcp-server",
    ],
    "docker+mcp-gateway": [],
    "dotnet+aspire": ["aspire", "hex1b", "github"],
    "github+github-mcp-server": ["github"],
    "grafana+mcp-grafana": ["grafana"],
    "microsoft+agent-governance-toolkit": [
        "agt_governance",
        "filesystem-governed",
        "shell-governed",
    ],
    "modelcontextprotocol+servers": ["mcp-docs"],
    "salesforce+cloudsplaining": [],
    "snyk+agent-scan": [
        "canary-project-fixture-mcp",
        "Weather",
        "Math",
        "Invalid",
        "Snyk",
    ],
    "stacklok+toolhive": [],
}
CREDENTIALS = {
    "awslabs+mcp": [
        (
            "file-ref",
            "aws-profile",
            "src/healthlake-mcp-server/examples/mcp_config.json"
            "#/mcpServers/healthlake/env/AWS_PROFILE",
        )
    ],
    "github+github-mcp-server": [
        (
            "env-ref",
            "github-token",
            "gemini-extension.json#/mcpServers/github/headers/Authorization",
        )
    ],
    "grafana+mcp-grafana": [
        (
            "keychain/input-ref",
            "bearer-token",
            "gemini-extension.json#/settings/1/envVar",
        )
    ],
}


@pytest.fixture(scope="module")
def published(root: Path) -> Path:
    folder = root.parent / "shared" / "data" / "agent-configs"
    if not folder.is_dir():
        pytest.skip("shared data not present")
    return folder


@pytest.mark.parametrize("name", EXPECTED)
def test_every_server_and_credential_of_every_file_is_found(
    published: Path, context: SyncContext, name: str
) -> None:
    done = sync(str(published / name), context)
    servers = [tool for tool in done.facts.tools if tool.transport not in BUILT_IN]
    assert [tool.server for tool in servers] == EXPECTED[name]
    prefix = f"{published / name}/"
    assert [
        (item.cls.value, item.kind, item.place.removeprefix(prefix))
        for item in done.facts.credentials
    ] == CREDENTIALS.get(name, [])


def test_only_the_file_that_is_invalid_on_purpose_is_named(
    published: Path, context: SyncContext
) -> None:
    done = sync(str(published), context)
    assert [(p.kind.value, p.place) for p in done.problems] == [
        (
            "invalid",
            f"{published}/snyk+agent-scan/tests/mcp_servers/.test-client-invalid/mcp.json",
        )
    ]


def test_the_sub_agents_hang_below_their_client(
    published: Path, context: SyncContext
) -> None:
    done = sync(str(published / "stacklok+toolhive"), context)
    main, *below = done.facts.agents
    assert len(below) == 12
    assert {agent.parent for agent in below} == {main.id}

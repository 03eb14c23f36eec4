"""Servers of a protected home, started as its clients do with the MCP SDK's client."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import mcp_types as types
import pytest
from mcp import StdioServerParameters
from mcp.client import Client

from answerable.connectors.formats.document_edits import get_value
from answerable.connectors.formats.document_parser import parse_document
from answerable.connectors.formats.mcp_server_map import parse_server_maps
from answerable.services.protection.client_files import find_client_files
from answerable.services.protection.protection_plan import ProtectionRequest
from answerable.services.protection.server_rewrite import split_pointer
from answerable.usecases.protection.apply import apply_plan, undo
from answerable.usecases.protection.plan import build_protection_plan
from tests.mcp.running import ROOT
from tests.usecases.stranger_home import CANARIES, write_home

# Variable with the secret of each entry that a command gets in its environment.
VARIABLES = {
    ("claude-code", "tracker"): ("TRACKER_TOKEN", CANARIES[0]),
    ("claude-desktop", "tracker"): ("TRACKER_TOKEN", CANARIES[2]),
    ("vscode", "docs"): ("DOCS_PASSWORD", CANARIES[5]),
    ("codex", "build"): ("BUILD_TOKEN", CANARIES[6]),
    ("codex", "two words"): ("API_KEY", CANARIES[7]),
    ("cline", "mail"): ("AWS_SECRET_ACCESS_KEY", CANARIES[10]),
    ("goose", "files"): ("FILES_TOKEN", CANARIES[11]),
    ("opencode", "issues"): ("ISSUES_TOKEN", CANARIES[13]),
}
# Text of the last argument, with its secret.
ARGUMENTS = {
    ("cursor", "notes"): "",
    ("windsurf", "db"): f"postgresql://shop:{CANARIES[9]}@127.0.0.1/shop",
    ("claude-code", "orders"): CANARIES[1],
}


def started(home: Path) -> Iterator[tuple[str, str, StdioServerParameters]]:
    """Each entry with a command, read as its client reads it."""
    files, _ = find_client_files(home, None, ())
    for file in files:
        root = parse_document(file.data, file.kind.form, "").root
        for server in parse_server_maps(file.kind, root).servers:
            entry = get_value(root.raw, split_pointer(server.pointer))
            assert isinstance(entry, dict)
            command = entry.get("command") or entry.get("cmd")
            words = command if isinstance(command, list) else [command]
            words = [*words, *(entry.get("args") or [])]
            env = entry.get("env") or entry.get("envs") or entry.get("environment")
            if words[0]:
                given = {**os.environ, "HOME": str(home), **(env or {})}
                yield (
                    file.kind.client,
                    server.name,
                    StdioServerParameters(
                        command=words[0], args=words[1:], env=given, cwd=ROOT
                    ),
                )


async def play(parameters: StdioServerParameters, arguments: dict[str, str]) -> str:
    """List the tools, and ask for the digest of a secret."""
    async with Client(parameters) as client:
        assert (await client.list_tools()).tools
        result = await client.call_tool("digest", arguments)
        content = result.content[0]
        assert isinstance(content, types.TextContent)
        return content.text


def test_every_command_runs_behind_the_gateway_with_its_secret(tmp_path: Path) -> None:
    home, state, store = tmp_path / "home", tmp_path / "state", tmp_path / "store"
    before = write_home(home)
    gateway = (sys.executable, "-P", "-m", "answerable")
    apply_plan(
        build_protection_plan(
            ProtectionRequest(
                owner="ana@example.com",
                home=home,
                folder=None,
                clients=(),
                mode="observe",
                config_path=home / ".config/answerable/answerable.yaml",
                gateway_command=gateway,
                store=store,
            )
        ),
        state,
    )
    played: set[tuple[str, str]] = set()
    for client, entry, parameters in started(home):
        place = (client, entry)
        if place in VARIABLES:
            variable, secret = VARIABLES[place]
            said = anyio.run(play, parameters, {"variable": variable})
        elif place in ARGUMENTS:
            said, secret = anyio.run(play, parameters, {}), ARGUMENTS[place]
        else:
            continue
        if secret:
            assert said == hashlib.sha256(secret.encode()).hexdigest(), place
        played.add(place)
    assert played == set(VARIABLES) | set(ARGUMENTS)
    argv = [sys.executable, "-m", "answerable", "--store", str(store), "-o", "json"]
    argv += ["sql", "SELECT DISTINCT agent FROM decisions"]
    rows = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    for client, _ in played:
        assert f"agent:declared/{client}" in rows
    undo(state)
    assert {path: path.read_bytes() for path in before} == before


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs pidfd")

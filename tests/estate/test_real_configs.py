"""Configurations that real projects published: every server, every credential.

What is expected is read here a second time, by a reader that shares nothing with the
project's own.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.estate.seven import Ask
from tests.estate.shared import shared

FOLDERS = (
    "PrefectHQ+fastmcp",
    "awslabs+mcp",
    "docker+mcp-gateway",
    "dotnet+aspire",
    "github+github-mcp-server",
    "grafana+mcp-grafana",
    "microsoft+agent-governance-toolkit",
    "modelcontextprotocol+servers",
    "salesforce+cloudsplaining",
    "snyk+agent-scan",
    "stacklok+toolhive",
)
# Transports of a client's built-in tools, which no entry of a file names.
BUILT_IN = ("shell", "file", "fetch")
INVALID = "tests/mcp_servers/.test-client-invalid/mcp.json"
# Every position in these files that names a credential: file and pointer, then class.
CREDENTIALS = {
    "awslabs+mcp": {
        "src/healthlake-mcp-server/examples/mcp_config.json"
        "#/mcpServers/healthlake/env/AWS_PROFILE": "file-ref",
    },
    "github+github-mcp-server": {
        "gemini-extension.json#/mcpServers/github/headers/Authorization": "env-ref",
    },
    "grafana+mcp-grafana": {
        "gemini-extension.json#/settings/1/envVar": "keychain/input-ref",
    },
}


def uncommented(text: str) -> Iterator[str]:
    """Give the text without comments; a quote inside one is rare enough here."""
    inside = ""
    at = 0
    while at < len(text):
        two = text[at : at + 2]
        if not inside and two in ("//", "/*"):
            end = text.find("\n" if two == "//" else "*/", at)
            at = end + (0 if two == "//" else 2)
            continue
        if inside and text[at] == "\\":
            yield text[at : at + 2]
            at += 2
            continue
        if text[at] == '"':
            inside = "" if inside else '"'
        yield text[at]
        at += 1


def servers(folder: Path) -> set[tuple[str, str]]:
    """Read (file, server name) from every JSON file below."""
    found = set()
    for path in folder.rglob("*.json"):
        content = json.loads("".join(uncommented(path.read_text())))
        for key in ("mcpServers", "servers"):
            names = content.get(key, {})
            found |= {(str(path.relative_to(folder)), name) for name in names}
    return found


def relative(place: str, folder: Path) -> str:
    """Write a place as the path below the folder, pointer kept."""
    return place.removeprefix(f"{folder}/")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_scan_finds_every_server_of_every_file(
    name: str, tmp_path: Path, ask: Ask
) -> None:
    folder = shared("agent-configs") / name
    scanned = ask(tmp_path / "s", "scan", f"repo:{folder}")
    assert scanned.code == (3 if name == "snyk+agent-scan" else 0), scanned.err
    found = {
        (relative(str(agent["place"]), folder), tool["server"])
        for agent in ask(tmp_path / "s", "agents").items
        for tool in agent["tools"]  # type: ignore[attr-defined]
        if tool["transport"] not in BUILT_IN
    }
    assert found == servers(folder)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_scan_says_class_and_place_of_every_credential(
    name: str, tmp_path: Path, ask: Ask
) -> None:
    folder = shared("agent-configs") / name
    ask(tmp_path / "s", "scan", f"repo:{folder}")
    found = [
        (relative(str(place["place"]), folder), credential["class"])
        for credential in ask(tmp_path / "s", "credentials").items
        for place in credential["places"]  # type: ignore[attr-defined]
    ]
    # A list: two credentials at one position are one too many.
    assert sorted(found) == sorted(CREDENTIALS.get(name, {}).items())


def test_the_file_that_is_no_configuration_is_named_and_the_scan_is_partial(
    tmp_path: Path, ask: Ask
) -> None:
    folder = shared("agent-configs") / "snyk+agent-scan"
    answer = ask(tmp_path / "s", "scan", f"repo:{folder}")
    assert answer.code == 3
    assert INVALID in answer.err
    (item,) = answer.items
    assert [p for p in item["problems"] if INVALID in p]  # type: ignore[attr-defined]


def test_every_subagent_definition_is_an_agent(tmp_path: Path, ask: Ask) -> None:
    folder = shared("agent-configs") / "stacklok+toolhive"
    expected = {path.stem for path in (folder / ".claude" / "agents").glob("*.md")}
    assert len(expected) == 12
    ask(tmp_path / "s", "scan", f"repo:{folder}")
    agents = ask(tmp_path / "s", "agents").items
    named = {str(a["name"]) for a in agents if "/agents/" in str(a["place"])}
    assert named == expected


def test_the_expected_counts_are_those_of_the_files() -> None:
    folder = shared("agent-configs")
    assert sum(len(servers(folder / name)) for name in FOLDERS) == 23

"""Files of further clients and tools, environment files, and a scan typed in a home."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.seven import Ask
from tests.estate.test_default_chain import write

SERVERS = {"mcpServers": {"one": {"command": "one-server"}}}


@pytest.mark.parametrize(
    ("client", "path", "content", "unattended"),
    [
        ("amp", ".config/amp/settings.json", {"amp.dangerouslyAllowAll": True}, True),
        ("qwen", ".qwen/settings.json", {"tools": {"approvalMode": "yolo"}}, True),
        ("openclaw", ".openclaw/openclaw.json", {"tools": {"exec": {}}}, False),
        ("tabnine", ".tabnine/agent/settings.json", {}, False),
        ("tabnine", ".tabnine/mcp_servers.json", {}, False),
    ],
)
def test_a_further_client_is_an_agent_with_its_servers(
    tmp_path: Path,
    ask: Ask,
    client: str,
    path: str,
    content: dict[str, Any],
    unattended: bool,
) -> None:
    servers: dict[str, Any] = {
        "amp": {"amp.mcpServers": SERVERS["mcpServers"]},
        "openclaw": {"mcp": {"servers": SERVERS["mcpServers"]}},
    }.get(client, SERVERS)
    home = write(tmp_path / "ana", {path: {**content, **servers}})
    ask(tmp_path / "store", "scan", f"home:{home}")
    (agent,) = ask(tmp_path / "store", "agents").items
    assert (agent["id"], agent["unattended"]) == (f"agent:{client}/ana", unattended)
    assert "one" in [tool["server"] for tool in agent["tools"]]


def test_aider_and_the_key_in_its_file(tmp_path: Path, ask: Ask) -> None:
    files: dict[str, object] = {
        ".aider.conf.yml": "yes-always: true\nopenai-api-key: sk-CANARY0123456789\n"
    }
    home = write(tmp_path / "ana", files)
    ask(tmp_path / "store", "scan", f"home:{home}")
    (agent,) = ask(tmp_path / "store", "agents").items
    assert (agent["id"], agent["unattended"]) == ("agent:aider/ana", True)
    (credential,) = ask(tmp_path / "store", "credentials").items
    assert (credential["class"], credential["hint"]) == ("literal", "6789")


def test_a_server_that_docker_runs_has_no_file_of_the_host(
    tmp_path: Path, ask: Ask
) -> None:
    role = "arn:aws:iam::123456789012:role/deployer"
    home = write(
        tmp_path / "ana",
        {
            ".docker/mcp/registry.yaml": "registry:\n  github-official:\n    ref: ''\n",
            ".aws/config": f"[default]\nrole_arn = {role}\nsource_profile = base\n",
        },
    )
    assert ask(tmp_path / "store", "scan", f"home:{home}").code == 0
    (tool,) = ask(tmp_path / "store", "tools").items
    assert (tool["server"], tool["transport"]) == ("github-official", "container")
    assert (tool["credential"], tool["identities"]) == (None, [])


def test_an_environment_file_of_a_repository_is_read(tmp_path: Path, ask: Ask) -> None:
    repo = write(
        tmp_path / "shop",
        {
            ".env": "STRIPE_KEY=CANARYstripe0123\nLOG_LEVEL=info\n",
            "api/.env.local": "DATABASE_URL=postgres://shop:CANARYdb01@db/shop\n",
            ".env.example": "STRIPE_KEY=put-yours-here-please\n",
        },
    )
    assert ask(tmp_path / "store", "scan", f"repo:{repo}").code == 0
    found = ask(tmp_path / "store", "credentials")
    assert sorted(
        (item["places"][0]["place"].removeprefix(f"{repo}/"), item["class"])
        for item in found.items
    ) == [(".env#/STRIPE_KEY", "literal"), ("api/.env.local#/DATABASE_URL", "literal")]
    assert "CANARY" not in found.out


def test_a_scan_typed_in_a_home_counts_no_client_twice(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = write(
        tmp_path / "ana",
        {
            ".cursor/mcp.json": SERVERS,
            ".config/Claude/claude_desktop_config.json": SERVERS,
            "src/shop/.git/HEAD": "ref: refs/heads/main\n",
            "src/shop/.cursor/mcp.json": SERVERS,
        },
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    scanned = ask(tmp_path / "store", "scan").items
    assert [item["agents"] for item in scanned] == [2, 1]
    agents = [item["id"] for item in ask(tmp_path / "store", "agents").items]
    assert agents == [
        "agent:claude-desktop/ana",
        "agent:cursor/ana",
        "agent:cursor/shop",
    ]
    tools = ask(tmp_path / "store", "tools", "--kind", "stdio").items
    assert len(tools) == 3


def test_a_home_is_one_person_with_the_addresses_that_its_files_state(
    tmp_path: Path, ask: Ask
) -> None:
    home = write(
        tmp_path / "ana",
        {
            ".claude.json": {
                **SERVERS,
                "oauthAccount": {"emailAddress": "Ana.Ex@corp.example"},
            },
            ".gitconfig": "[user]\nname = Ana Ex\nemail = ana@home.example\n",
            "shop/.git/HEAD": "ref: refs/heads/main\n",
            "shop/.mcp.json": SERVERS,
            "shop/CODEOWNERS": "* ana@home.example\n",
        },
    )
    store = tmp_path / "store"
    ask(store, "scan", f"home:{home}", f"repo:{home / 'shop'}")
    (person,) = ask(store, "people").items
    assert (person["id"], person["name"]) == ("person:ana", "Ana Ex")
    assert person["aliases"] == ["ana.ex@corp.example", "ana@home.example"]


def test_a_person_whom_somebody_else_names_stays_apart(
    tmp_path: Path, ask: Ask
) -> None:
    """An agent of the home can write its git configuration."""
    home = write(
        tmp_path / "ana",
        {
            ".cursor/mcp.json": SERVERS,
            ".gitconfig": "[user]\nemail = boss@corp.example\n",
        },
    )
    store = tmp_path / "store"
    ask(store, "scan", f"home:{home}")
    ask(store, "attest", "agent:cursor/ana", "--owner", "boss@corp.example")
    people = {item["id"]: item["owns"] for item in ask(store, "people").items}
    assert set(people) == {"person:ana", "person:boss@corp.example"}
    assert json.dumps(people["person:boss@corp.example"]) == '["agent:cursor/ana"]'

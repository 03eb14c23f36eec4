"""Local servers: their ambient identity, and whether a person approves their calls."""

from pathlib import Path

import pytest

from answerable.cli.sample.fake_access_keys import make_fake_secret
from tests.estate.seven import Ask, Files
from tests.estate.test_built_in_tools import ask_delete, scan, write_home


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.mark.parametrize(
    ("variable", "verdict"),
    [("OPENAI_API_KEY", "always"), ("LINEAR_API_KEY", "not-known")],
)
def test_a_key_of_a_model_provider_leaves_the_ambient_identity(
    tmp_path: Path, store: Path, files: Files, ask: Ask, variable: str, verdict: str
) -> None:
    key = "sk-proj-" + make_fake_secret("model", 32)
    entry = {"command": "local-server", "env": {variable: key}}
    servers = {"mcpServers": {"local": entry}}
    home = write_home(
        tmp_path / "dana", {".config/Claude/claude_desktop_config.json": servers}
    )
    scan(ask, store, files, home)
    assert ask_delete(ask, store, "agent:claude-desktop/dana")["verdict"] == verdict


@pytest.mark.parametrize(
    ("mode", "unattended"), [("bypassPermissions", True), ("default", False)]
)
def test_servers_are_as_unattended_as_the_mode_of_their_agent(
    tmp_path: Path, store: Path, files: Files, ask: Ask, mode: str, unattended: bool
) -> None:
    written = {
        ".claude/settings.json": {"permissions": {"defaultMode": mode}},
        ".claude.json": {"mcpServers": {"local": {"command": "local-server"}}},
        ".claude/agents/reader.md": "---\nname: reader\n---\nRead.\n",
    }
    home = write_home(tmp_path / "dana", written)
    scan(ask, store, files, home)
    local = [i for i in ask(store, "tools").items if i["server"] == "local"]
    assert {item["agent"] for item in local} == {
        "agent:claude-code/dana",
        "agent:claude-code/dana/reader",
    }
    assert {item["unattended"] for item in local} == {unattended}

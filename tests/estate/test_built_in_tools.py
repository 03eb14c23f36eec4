"""An agent's own shell acts with the host's credentials; a hosted server has none."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.seven import Ask, Files, arn

ADMIN = arn("role", "break-glass")
PROFILE = f"[default]\nrole_arn = {ADMIN}\nsource_profile = base\n"


def write_home(home: Path, files: dict[str, object]) -> Path:
    """Write a home: texts as they are, all else as JSON."""
    for name, content in {".aws/config": PROFILE, **files}.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text)
    return home


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def scan(ask: Ask, store: Path, files: Files, home: Path) -> None:
    assert ask(store, "scan", f"aws:{files.account}", f"home:{home}").code in (0, 3)


def tools(ask: Ask, store: Path) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in ask(store, "tools").items}


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "https://mcp.linear.app/sse"},
        {"type": "http", "url": "https://mcp.linear.app/mcp"},
        {"type": "sse", "url": "https://mcp.linear.app/sse"},
    ],
)
def test_a_remote_server_has_no_ambient_identity_of_this_host(
    tmp_path: Path, store: Path, files: Files, ask: Ask, entry: dict[str, str]
) -> None:
    servers = {"linear": entry, "local": {"command": "local-server"}}
    home = write_home(
        tmp_path / "dana",
        {".config/Claude/claude_desktop_config.json": {"mcpServers": servers}},
    )
    scan(ask, store, files, home)
    found = tools(ask, store)
    linear, local = found["tool:mcp/linear/*"], found["tool:mcp/local/*"]
    assert (linear["credential"], linear["identities"]) == (None, [])
    assert local["identities"] == [ADMIN]

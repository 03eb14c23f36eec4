"""Published client files: protect, start each server through the gateway, and undo."""

import json
import os
import sys
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner
from mcp import StdioServerParameters

from answerable.cli.app import app
from answerable.connectors.formats.jsonc_parser import parse_jsonc
from tests.estate.shared import shared
from tests.gateway.stdio.test_protected_home import play
from tests.usecases.stranger_home import ROOT

CANARY = "sk-canary-77-Zq8WxT5vRk2LmN7pYh3J"
# Where a client has a file of this name; the other files hold servers of Cursor's form.
PLACES = {
    ".vscode/mcp.json": ".config/Code/User/mcp.json",
    "claude_desktop_config.example.json": ".config/Claude/claude_desktop_config.json",
    "settings.json": ".claude/settings.json",
    "agent-governance-claude-code/.mcp.json": ".claude.json",
}
PROGRAMS = ("uvx", "npx", "dnx", "aspire", "echo", "python")


def find_place(path: Path) -> str:
    return next(
        (v for k, v in PLACES.items() if str(path).endswith(k)), ".cursor/mcp.json"
    )


def list_files() -> list[Path]:
    folder = shared("agent-configs")
    names = ("mcp.json", ".mcp.json", "mcp_config.json")
    found = [p for p in folder.rglob("*.json") if p.name in names]
    found += sorted(folder.rglob(".claude/settings.json"))[:1]
    return sorted([*found, *folder.rglob("claude_desktop_config*.json")])


def add_key(data: bytes) -> bytes:
    """Give the first server that is a command a key in its environment."""
    text = data.decode()
    at = text.find('"command"')
    return f'{text[:at]}"env": {{"A_TOKEN": "{CANARY}"}},\n{text[at:]}'.encode()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in PROGRAMS:
        script = (
            f'#!/bin/sh\nexec {sys.executable} -m tests.usecases.digest_server "$@"\n'
        )
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\temail = ana@example.com\n")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(home)
    return home


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code in (0, 1), done.output
    assert CANARY not in done.output
    return done.stdout


def test_published_files_are_protected_used_and_restored(home: Path) -> None:
    started = 0
    for source in list_files():
        path = home / find_place(source)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = source.read_bytes()
        has_key = b'"command"' in data and b'"env"' not in data and b'ervers"' in data
        path.write_bytes(add_key(data) if has_key else data)
        before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
        folders = sorted(p for p in home.rglob("*") if p.is_dir())
        run("protect", "--yes")
        after = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
        kept = [p for p, d in after.items() if CANARY.encode() in d]
        assert all("secrets" in str(p) or "contents" in str(p) for p in kept), source
        items = json.loads(run("protect", "status", "-o", "json"))["items"]
        mediated = [e for e in items if e["state"] == "mediated"]
        started += start_each(path, {e["server"] for e in mediated})
        run("unprotect")
        assert {p: p.read_bytes() for p in home.rglob("*") if p.is_file()} == before
        assert sorted(p for p in home.rglob("*") if p.is_dir()) == folders, source
        path.unlink()
    assert started >= 9
    rows = json.loads(run("sql", "-o", "json", "SELECT DISTINCT agent FROM decisions"))
    agents = json.dumps(rows)
    for client in ("cursor", "vscode", "claude-desktop"):
        assert f"agent:declared/{client}" in agents
    owned = run("-o", "json", "who-owns", "agent:declared/cursor")
    assert "ana@example.com" in owned


def start_each(path: Path, names: set[str]) -> int:
    """Start each server of a file as its client does, and call it; count them."""
    root = parse_jsonc(path.read_text())
    assert isinstance(root, dict)
    servers = root.get("mcpServers") or root.get("servers") or {}
    assert isinstance(servers, dict)
    count = 0
    for name, entry in servers.items():
        assert isinstance(entry, dict)
        words = entry.get("args", [])
        if name not in names or "--" not in words:
            continue
        if words[words.index("--") + 1] not in PROGRAMS:
            continue
        given = {**os.environ, **entry.get("env", {})}
        parameters = StdioServerParameters(
            command=entry["command"], args=words, env=given, cwd=ROOT
        )
        assert len(anyio.run(play, parameters, {})) == 64
        count += 1
    return count

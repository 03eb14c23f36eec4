"""Published client files: protect, start each server through the gateway, and undo."""

import json
import os
import sys
from pathlib import Path
from typing import Any

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
# Files of clients that keep servers in `mcpServers`, and files of one client's own.
PLACES = (
    ".cursor/mcp.json",
    ".claude.json",
    ".codeium/windsurf/mcp_config.json",
    ".gemini/settings.json",
    ".config/Claude/claude_desktop_config.json",
)
OWN_PLACES = {
    ".vscode/mcp.json": ".config/Code/User/mcp.json",
    ".claude/settings.json": ".claude/settings.json",
}
pytestmark = pytest.mark.world  # it starts a dozen servers
PROGRAMS = ("uvx", "npx", "dnx", "aspire", "echo", "python")


def deal_files(sources: list[Path]) -> list[dict[str, Path]]:
    """Deal the files to the places of homes, each place once in a home."""
    homes: list[dict[str, Path]] = [{}]
    for source in sources:
        own = [v for k, v in OWN_PLACES.items() if str(source).endswith(k)]
        free = [each for each in own or PLACES if each not in homes[-1]]
        if not free:
            homes.append({})
            free = list(own or PLACES)
        homes[-1][free[0]] = source
    return homes


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


def files(home: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}


def test_published_files_are_protected_used_and_restored(home: Path) -> None:
    started, agents = 0, set()
    for dealt in deal_files(list_files()):
        for place, source in dealt.items():
            path = home / place
            path.parent.mkdir(parents=True, exist_ok=True)
            data = source.read_bytes()
            has_key = all(w in data for w in (b'"command"', b'ervers"'))
            if has_key and b'"env"' not in data:
                data = add_key(data)
            path.write_bytes(data)
        before, folders = files(home), {p for p in home.rglob("*") if p.is_dir()}
        run("protect", "--yes")
        kept = [p for p, data in files(home).items() if CANARY.encode() in data]
        assert {p.parent.name for p in kept} <= {"secrets", "contents"}
        items = json.loads(run("protect", "status", "-o", "json"))["items"]
        for place in dealt:
            mediated = {
                each["server"]: each["agent"]
                for each in items
                if each["state"] == "mediated"
            }
            if count := start_each(home / place, set(mediated)):
                started += count
                agents |= set(mediated.values())
        run("unprotect")
        assert files(home) == before
        assert {p for p in home.rglob("*") if p.is_dir()} == folders
        for place in dealt:
            (home / place).unlink()
    assert started >= 9
    rows = run("sql", "-o", "json", "SELECT DISTINCT agent FROM decisions")
    assert "agent:declared/cursor" in rows
    assert "agent:declared/vscode" in rows
    assert agents >= {"agent:declared/cursor", "agent:declared/vscode"}
    assert "ana@example.com" in run("-o", "json", "who-owns", "agent:declared/cursor")


def start_each(path: Path, names: set[str]) -> int:
    """Start each server of a file as its client does, and call it; count them."""
    root: Any = parse_jsonc(path.read_text())
    servers: dict[str, Any] = root.get("mcpServers") or root.get("servers") or {}
    count = 0
    for name, entry in servers.items():
        words: list[str] = entry.get("args", [])
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

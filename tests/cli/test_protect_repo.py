"""`protect --repo` and `--managed`: files to commit and to distribute."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answerable.cli.app import app
from answerable.model.errors import UsageError

SECRET = "sk-canary-21-Zq8WxT5vRk2LmN7pYh3J"
ENTRY = {"command": "npx", "args": ["-y", "orders"], "env": {"ORDERS_TOKEN": SECRET}}
FILES = {
    ".mcp.json": json.dumps({"mcpServers": {"orders": ENTRY}}, indent=2),
    ".cursor/mcp.json": json.dumps({"mcpServers": {"orders": ENTRY}}),
    ".vscode/mcp.json": '{\n  // ours\n  "servers": {"docs": {"command": "docs"}},\n}\n',
    ".codex/config.toml": '[mcp_servers.build]\ncommand = "build"  # fast\n',
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home, folder = tmp_path / "home", tmp_path / "shop"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\temail = ana@corp.example\n")
    write(folder)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(home)
    return folder


def write(folder: Path) -> None:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)


def run(*words: str) -> Result:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert SECRET not in done.output
    return done


def committed(folder: Path) -> dict[str, bytes]:
    """The files that `git add --all` would commit."""
    listed = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "-o", "-z", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return {name: (folder / name).read_bytes() for name in names if name}


def test_committed_files_have_no_secret_and_no_path_of_this_machine(
    repository: Path, tmp_path: Path
) -> None:
    before = committed(repository)
    assert run("protect", "--repo", str(repository), "--yes").exit_code == 0
    after = committed(repository)
    assert set(after) - set(before) == {
        ".answerable/.gitignore",
        ".answerable/answerable.yaml",
    }
    for name, data in after.items():
        assert SECRET.encode() not in data, name
        assert str(tmp_path).encode() not in data, name
        assert b"/.venv/" not in data, name
    entry = json.loads(after[".mcp.json"])["mcpServers"]["orders"]
    assert entry["command"] == "answerable"
    assert entry["args"][:4] == [
        *("gateway", "stdio", "--config", ".answerable/answerable.yaml")
    ]
    assert (
        b"${workspaceFolder}/.answerable/answerable.yaml" in after[".vscode/mcp.json"]
    )
    assert b"// ours" in after[".vscode/mcp.json"]

    said = run("protect", "status", "--repo", str(repository), "-o", "json")
    states = [each["state"] for each in json.loads(said.stdout)["items"]]
    assert states == ["mediated"] * 4
    assert "nothing to change" in run("protect", "--repo", str(repository)).output
    config = str(repository / ".answerable/answerable.yaml")
    assert run("unprotect", "--config", config).exit_code == 0
    assert committed(repository) == before
    assert not (repository / ".answerable").exists()


def test_a_file_of_a_repository_that_gets_paths_of_this_machine_says_so(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    said = run("protect", "--dry-run").output
    assert said.count("will contain paths of this machine: do not commit it") == len(
        FILES
    )
    assert (
        "paths of this machine" not in run("protect", "--repo", ".", "--dry-run").output
    )


def test_a_fleet_gets_managed_files_and_no_client_changes(
    repository: Path, tmp_path: Path
) -> None:
    home, folder = tmp_path / "home", tmp_path / "fleet"
    claude = home / ".claude.json"
    claude.write_text(json.dumps({"mcpServers": {"orders": ENTRY}}))
    words = ("protect", "--managed", str(folder), "--mode", "enforce")
    assert run(*words, "--dry-run").exit_code == 0
    assert not folder.exists()
    said = run(*words, "--yes")
    assert "/etc/answerable/secrets/orders.ORDERS_TOKEN (mode 0600)" in said.output
    assert json.loads(claude.read_text())["mcpServers"]["orders"] == ENTRY
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == {"answerable.yaml", "managed-mcp.json", "managed-settings.json"}
    assert not [name for name, text in made.items() if SECRET in text]
    entry = json.loads(made["managed-mcp.json"])["mcpServers"]["orders"]
    assert entry["args"][3] == "/etc/answerable/answerable.yaml"
    settings = json.loads(made["managed-settings.json"])
    assert settings["allowManagedHooksOnly"] is True
    (hook,) = settings["hooks"]["PreToolUse"][0]["hooks"]
    assert hook["onFailure"] == "block"
    with pytest.raises(UsageError):
        run(*words, "--yes")


def test_a_missing_repository_is_named(repository: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        run("protect", "--repo", str(repository / "none"))
    with pytest.raises(UsageError, match="exclude each other"):
        run("protect", "--repo", str(repository), "--managed", "x")


CANARY = "CANARY-7f3a9-hdr"
KEPT_WORD = "${TOKEN:-sk-canary-99-Zq8WxT5vRk2LmN7pYh3J}"


@pytest.mark.parametrize(
    "entry",
    [
        {
            "type": "http",
            "url": "http://127.0.0.1:48213/mcp",
            "headers": {"Authorization": f"Bearer {CANARY}", "X-Team": "blue"},
        },
        {"type": "sse", "url": f"https://mcp.corp.example/sse?api_key={CANARY}"},
        {"type": "sse", "url": "https://x.corp.example", "headers": {"X-Team": CANARY}},
        {"command": "x", "args": ["--token", f"${{TOKEN:-{CANARY}}}"]},
        {"command": "x", "args": ["--token", KEPT_WORD]},
    ],
)
def test_a_literal_key_that_stays_is_in_no_file_of_a_fleet(
    repository: Path, tmp_path: Path, entry: dict[str, object]
) -> None:
    folder = tmp_path / "fleet"
    servers = {"remote": entry, "orders": ENTRY, "docs": {"url": "https://docs.corp"}}
    claude = tmp_path / "home/.claude.json"
    claude.write_text(json.dumps({"mcpServers": servers}))
    said = run("protect", "--managed", str(folder), "--yes")
    made = {path.name: path.read_text() for path in folder.iterdir()}
    for text in (*made.values(), said.output):
        assert CANARY not in text
        assert KEPT_WORD[9:-1] not in text
    assert "leaves out remote: a literal key or header stays" in said.output
    managed = json.loads(made["managed-mcp.json"])["mcpServers"]
    assert set(managed) == {"orders", "docs"}


def test_the_next_steps_of_a_repository_name_its_configuration(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    first = json.loads(run("protect", "status", "--repo", ".", "-o", "json").stdout)
    assert "answerable protect cursor --repo ." in {e["next"] for e in first["items"]}
    run("protect", "--repo", ".", "--yes")
    found = json.loads(run("protect", "status", "--repo", ".", "-o", "json").stdout)
    config = "--config .answerable/answerable.yaml"
    assert f"answerable tighten cursor --key KEY {config}" in {
        each["next"] for each in found["items"]
    }

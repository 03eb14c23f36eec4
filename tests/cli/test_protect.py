"""`protect` and `unprotect` on a home with ten clients."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from answerable.cli.app import app
from tests.usecases.stranger_home import CANARIES, write_home


@pytest.fixture
def home(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    write_home(tmp_path)
    (tmp_path / ".gitconfig").write_text("[user]\n\temail = ana@example.com\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    store = tmp_path_factory.mktemp("data") / "store"
    monkeypatch.setenv("ANSWERABLE_STORE", str(store))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def files(home: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}


def test_a_dry_run_writes_nothing(home: Path) -> None:
    before = files(home)
    said = run("protect", "--dry-run")
    assert said.exit_code == 0
    assert "TRACKER_TOKEN" in said.output
    assert files(home) == before


def test_nothing_is_written_without_a_yes(home: Path) -> None:
    before = files(home)
    assert run("protect").exit_code != 0
    assert files(home) == before


def test_protect_and_unprotect_print_no_secret_and_restore_the_home(home: Path) -> None:
    before = files(home)
    done = [run("protect", "--yes"), run("protect", "--yes"), run("unprotect")]
    assert [each.exit_code for each in done] == [0, 0, 0]
    for said in done:
        assert not [each for each in CANARIES if each in said.output]
    after = files(home)
    lock = home / ".config/answerable/protection/lock"
    assert after.pop(lock) == b""
    assert after == before


def test_the_configuration_names_the_owner_and_mode(home: Path) -> None:
    run("protect", "--yes", "cursor", "--mode", "shadow")
    text = (home / ".config/answerable/answerable.yaml").read_text()
    assert "owner: ana@example.com" in text
    assert "mode: shadow" in text
    assert "claude" not in text


def test_a_scan_of_a_protected_home_finds_no_literal_of_a_server(home: Path) -> None:
    run("protect", "--yes")
    run("scan", "home:" + str(home))
    said = run("-o", "json", "credentials")
    found = json.loads(said.output)["items"]
    assert {each["class"] for each in found} == {"keychain/input-ref"}
    assert len(found) == 10

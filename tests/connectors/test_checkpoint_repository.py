"""Checkpoints in a git repository: only that of the folder; its history is compared."""

import subprocess
from pathlib import Path

import pytest

from answerable.connectors.checkpoint_destinations import parse_destination
from answerable.model.errors import EnvironmentFailure

NOW = 1_700_000_000 * 10**9


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def test_variables_of_a_hook_do_not_name_another_repository(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    with monkeypatch.context() as patched:
        patched.setenv("GIT_DIR", str(other / ".git"))
        patched.setenv("GIT_WORK_TREE", str(other))
        patched.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
        there = parse_destination(f"git:{repository}")
        assert there.read() == b""
        there.write(b"log\n3\nroot\n", NOW)
        assert there.read() == b"log\n3\nroot\n"
    assert "log of size 3" in git(repository, "log", "--oneline")
    assert git(repository, "status", "--short") == ""
    assert not list(other.glob("[!.]*"))


def test_a_damaged_repository_is_not_taken_for_an_empty_one(repository: Path) -> None:
    there = parse_destination(f"git:{repository}")
    there.write(b"log\n3\nroot\n", NOW)
    tree = git(repository, "rev-parse", "HEAD^{tree}").strip()
    (repository / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(EnvironmentFailure, match="git ls-tree failed"):
        there.read()

"""Protect files of clients that are links, as into a dotfiles repository."""

import os
from pathlib import Path

import pytest

from answerable.services.protection.protection_plan import UndoOutcome
from answerable.usecases.protection.apply import apply_plan, undo
from tests.usecases.stranger_home import CANARIES, write_home
from tests.usecases.test_protection import contents, plan


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def link(home: Path, name: str, target: Path) -> tuple[Path, Path]:
    """Move a file or folder of a home elsewhere, and leave a link to it."""
    path = home / name
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    path.symlink_to(target)
    return path, target


@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("name", [".cursor/mcp.json", ".codex", ".claude"])
def test_the_file_behind_a_link_is_changed_and_restored_and_the_link_stays(
    home: Path, state: Path, tmp_path: Path, name: str, *, outside: bool
) -> None:
    root = tmp_path / "shared" if outside else home / "dotfiles"
    path, target = link(home, name, root / "kept")
    before = contents(home), contents(root)
    made = plan(home)
    changed = [c for c in made.changes if c.target is not None]
    assert len(changed) == 1
    assert changed[0].target in (target, *target.glob("*"))
    assert f"the file is at {changed[0].target}; the link stays" in changed[0].what
    apply_plan(made, state)
    assert path.is_symlink()
    assert changed[0].target.read_bytes() == changed[0].after
    assert not [p for p in root.rglob("*") if p.is_file() and has_canary(p)]
    results = undo(state)
    assert not [r for r in results if r.outcome is UndoOutcome.KEPT]
    assert path.is_symlink()
    assert (contents(home), contents(root)) == before
    assert not list(tmp_path.rglob("*.answerable-new"))


def has_canary(path: Path) -> bool:
    data = path.read_bytes()
    return any(canary.encode() in data for canary in CANARIES)


def test_a_link_that_the_client_replaced_by_a_file_is_restored_at_both_places(
    home: Path, state: Path, tmp_path: Path
) -> None:
    path, target = link(home, ".cursor/mcp.json", tmp_path / "dotfiles/mcp.json")
    original = target.read_bytes()
    apply_plan(plan(home, "cursor"), state)
    written = path.read_bytes()
    assert written != original
    path.unlink()
    path.write_bytes(written)
    assert {r.path for r in undo(state)} >= {path, target}
    assert path.read_bytes() == target.read_bytes() == original
    assert not state.exists()


def test_two_links_to_one_file_change_it_once(home: Path, state: Path) -> None:
    path, target = link(home, ".cursor/mcp.json", home / "dotfiles/mcp.json")
    other = home / ".gemini/settings.json"
    other.unlink()
    other.symlink_to(target)
    made = plan(home, "cursor", "gemini-cli")
    assert [c.path for c in made.changes if c.target] == [path]
    assert [r.reason for r in made.refused if r.path == other] == [
        f"it is the same file as {path}"
    ]


def test_a_link_to_the_file_of_another_user_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = link(home, ".cursor/mcp.json", tmp_path / "shared/mcp.json")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    made = plan(home, "cursor")
    assert [r.reason for r in made.refused if r.path == path] == [
        "it belongs to another user"
    ]


def test_a_link_of_a_project_may_not_lead_out_of_it(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "config").mkdir(parents=True)
    (folder / ".mcp.json").symlink_to(home / ".cursor/mcp.json")
    inside = folder / "config/mcp.json"
    inside.write_text('{"mcpServers": {"docs": {"command": "docs"}}}')
    (folder / ".cursor").mkdir()
    (folder / ".cursor/mcp.json").symlink_to(inside)
    made = plan(home, folder=folder)
    reasons = {r.path: r.reason for r in made.refused}
    assert reasons[folder / ".mcp.json"] == "it is a link to a file outside the folder"
    assert [
        c.target for c in made.changes if c.path == folder / ".cursor/mcp.json"
    ] == [inside]


def test_folders_that_protect_created_are_removed_and_no_others(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    text = '{"mcpServers": {"docs": {"command": "docs", "env": {"A_TOKEN": "%s"}}}}'
    (home / ".claude.json").write_text(text % CANARIES[0])
    before = sorted(home.rglob("*"))
    state = home / ".config/answerable"
    for _ in range(2):
        apply_plan(plan(home), state)
        assert (home / ".claude/settings.json").exists()
        undo(state)
        assert sorted(home.rglob("*")) == before
    state.mkdir()
    (home / ".claude").mkdir()
    apply_plan(plan(home), state)
    undo(state)
    assert sorted(home.rglob("*")) == sorted([*before, state, home / ".claude"])

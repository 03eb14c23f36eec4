"""A project's agent has its user's settings, and a home is counted once."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.estate.seven import Ask, Files, arn

ADMIN = arn("role", "break-glass")
PROFILE = f"[default]\nrole_arn = {ADMIN}\nsource_profile = base\n"
DELETE = ("s3:DeleteBucket", "arn:aws:s3:::scratch")
BYPASS = {"permissions": {"defaultMode": "bypassPermissions"}}


def write(root: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def agents(ask: Ask, store: Path) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in ask(store, "agents").items}


def shell(ask: Ask, store: Path, agent: str) -> dict[str, Any]:
    (item,) = (
        tool
        for tool in ask(store, "tools").items
        if (tool["agent"], tool["id"]) == (agent, "tool:claude-code/Bash")
    )
    return item


@pytest.mark.parametrize(
    ("user", "project", "local", "unattended"),
    [
        (BYPASS, {}, {}, True),
        ({}, {}, {}, False),
        (BYPASS, {"permissions": {"defaultMode": "default"}}, {}, False),
        (BYPASS, {"permissions": {"defaultMode": "plan"}}, BYPASS, True),
    ],
)
def test_the_users_mode_counts_in_a_project_that_states_none(
    tmp_path: Path,
    store: Path,
    ask: Ask,
    user: dict[str, Any],
    project: dict[str, Any],
    local: dict[str, Any],
    unattended: bool,
) -> None:
    home = write(
        tmp_path / "dana",
        {
            ".claude/settings.json": user,
            "src/shop/.claude/settings.json": project,
            "src/shop/.claude/settings.local.json": local,
        },
    )
    ask(store, "scan", f"home:{home}", f"repo:{home}/src/shop")
    agent = agents(ask, store)["agent:claude-code/shop"]
    assert agent["unattended"] is unattended
    assert shell(ask, store, agent["id"])["unattended"] is unattended


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_the_users_rules_narrow_a_project_where_its_home_is_known(
    tmp_path: Path, store: Path, files: Files, ask: Ask, inside: bool, together: bool
) -> None:
    project = tmp_path / ("dana/src/shop" if inside else "srv/shop")
    entries: dict[str, Any] = (
        {} if inside else {"projects": {str(project): {"mcpServers": {}}}}
    )
    home = write(
        tmp_path / "dana",
        {
            ".aws/config": PROFILE,
            ".claude.json": entries,
            ".claude/settings.json": {"permissions": {"deny": ["Bash"]}},
        },
    )
    write(project, {".claude/settings.json": {"permissions": {"allow": ["Read"]}}})
    sources = (f"aws:{files.account}", f"home:{home}"), (f"repo:{project}",)
    for each in [sources[0] + sources[1]] if together else sources:
        assert ask(store, "scan", *each).code in (0, 3)
    assert shell(ask, store, "agent:claude-code/shop")["rule"] == (
        "permissions.deny: Bash"
    )
    answer = ask(store, "can", "agent:claude-code/shop", *DELETE)
    assert answer.items[0]["verdict"] == "only-if"


def test_settings_of_a_home_that_has_nothing_to_do_with_a_project_do_not_count(
    tmp_path: Path, store: Path, ask: Ask
) -> None:
    home = write(tmp_path / "dana", {".claude/settings.json": BYPASS})
    project = write(tmp_path / "srv/shop", {".claude/settings.json": {}})
    ask(store, "scan", f"home:{home}", f"repo:{project}")
    assert agents(ask, store)["agent:claude-code/shop"]["unattended"] is False


@pytest.mark.parametrize("order", [("home", "repo"), ("repo", "home")])
@pytest.mark.parametrize("folder", ["dana", "."])
def test_a_home_and_a_repository_of_it_in_two_scans_count_a_client_once(
    tmp_path: Path, store: Path, ask: Ask, order: tuple[str, str], folder: str
) -> None:
    base = tmp_path / "homes"
    helper = "---\nname: helper\n---\nHelp.\n"
    servers = {"mcpServers": {"db": {"command": "db-server"}}}
    home = write(
        base / "dana",
        {
            ".claude/settings.json": BYPASS,
            ".claude/agents/helper.md": helper,
            ".cursor/mcp.json": servers,
            "src/shop/.cursor/mcp.json": servers,
        },
    )
    sources = {"home": f"home:{home}", "repo": f"repo:{base / folder}"}
    for name in order:
        ask(store, "scan", sources[name])
    found = agents(ask, store)
    below = {"dana": "dana", ".": "homes"}[folder]
    at = "src/shop" if folder == "dana" else "dana/src/shop"
    assert set(found) == {
        "agent:claude-code/dana",
        "agent:claude-code/dana/helper",
        "agent:cursor/dana",
        f"agent:cursor/{below}/{at}",
    }
    listed = [(tool["agent"], tool["id"]) for tool in ask(store, "tools").items]
    assert len(listed) == len(set(listed))

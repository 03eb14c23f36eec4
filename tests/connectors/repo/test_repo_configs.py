"""Project configurations: each recognised name, at any depth, hidden or not."""

import os
import re
from pathlib import Path

import msgspec
import pytest

from answerable.connectors.formats.agent_clients import (
    PROJECT_FILES,
    find_project_file_kind,
)
from answerable.connectors.home.fetch import sync as sync_home
from answerable.connectors.repo.fetch import list_locations_to_read, sync
from answerable.model.connector import SyncContext
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync
from answerable.model.tool import BUILT_IN

CANARY = re.compile(r"CNRY[A-Za-z0-9]{12,}")

SERVERS = [
    ("claude-code/shop", "orders", ["env-ref", "file-ref"]),
    ("claude-code/shop", "legacy", ["literal"]),
    ("claude-code/shop/services/api", "api-db", ["literal"]),
    ("claude-code/shop/node_modules/dep", "hidden", []),
    ("claude-desktop/shop/examples", "sample", ["keychain/input-ref"]),
    ("mcp-client/shop/examples", "generic", []),
    ("gemini-cli/shop", "stock", ["env-ref", "keychain/input-ref"]),
    ("gemini-cli/shop", "gem-tool", []),
    ("opencode/shop", "tests", ["literal"]),
    ("amazon-q/shop", "q-tool", []),
    ("codex/shop", "build", ["literal"]),
    ("continue/shop", "cont-tool", []),
    ("cursor/shop", "docs", ["literal"]),
    ("vscode/shop", "queue", ["keychain/input-ref"]),
    ("vscode/shop", "dev-tool", []),
    ("junie/shop", "junie-db", ["literal"]),
    ("kiro/shop", "kiro-tool", []),
    ("kiro/shop/ops", "pager", ["literal"]),
    ("roo/shop", "roo-tool", []),
    ("zed/shop", "zed-tool", []),
    ("github-actions/shop/claude.yml/reply", "ci-db", ["env-ref"]),
]


def test_each_server_of_each_file_is_found_with_its_credentials(synced: Sync) -> None:
    classes = {item.id: item.cls.value for item in synced.facts.credentials}
    found = [
        (
            tool.agent.removeprefix("agent:"),
            tool.server,
            [classes[identifier] for identifier in tool.credentials],
        )
        for tool in synced.facts.tools
        if tool.transport not in BUILT_IN and not tool.rule
    ]
    assert sorted(found) == sorted(SERVERS)


def test_a_recognised_file_that_is_broken_or_holds_no_servers_is_named(
    synced: Sync, shop: Path
) -> None:
    assert [(p.kind.value, p.place, p.what) for p in synced.problems] == [
        (
            "invalid",
            f"{shop}/broken/.mcp.json",
            "not JSON: Expecting ',' delimiter (offset 86)",
        ),
        ("invalid", f"{shop}/broken/mcp.json", "the servers are not a mapping"),
    ]


def test_an_environment_file_that_is_named_is_read_and_is_the_place(
    synced: Sync, shop: Path
) -> None:
    tool = next(tool for tool in synced.facts.tools if tool.server == "docs")
    found = [c for c in synced.facts.credentials if c.id in tool.credentials]
    assert [item.place for item in found] == [f"{shop}/.env#/DOCS_TOKEN"]


def test_a_project_in_a_home_runs_as_the_person_whose_home_it_is(
    tmp_path: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "ana"
    project = home / "work" / "shop"
    project.mkdir(parents=True)
    (project / ".mcp.json").write_text(
        '{"mcpServers": {"a": {"command": "a", "env": {"AWS_PROFILE": "deployer"}}}}'
    )
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text(
        "[profile deployer]\nrole_arn = arn:aws:iam::123456789012:role/deployer\n"
    )
    monkeypatch.setenv("HOME", str(home))
    done = sync(str(project), context)
    assert [agent.scope for agent in done.facts.agents] == [f"home:{home}"]
    reasons = [(e.kind.value, e.person, e.seen.written_by) for e in done.facts.evidence]
    assert reasons == [("config-in-home", "person:ana", WrittenBy.PLATFORM)]
    (link,) = sync_home(str(home), context).facts.links
    assert done.facts.tools[0].credentials == (link.credential,)


def test_a_project_outside_every_home_belongs_to_no_host_account(synced: Sync) -> None:
    local = [a for a in synced.facts.agents if a.kind != "github-actions"]
    assert {agent.scope for agent in local} == {""}
    assert synced.facts.agents
    for fact in (*synced.facts.agents, *synced.facts.tools, *synced.facts.credentials):
        assert fact.seen.written_by is WrittenBy.SELF_REPORTED


def test_the_folder_that_holds_a_home_is_not_inside_it(
    tmp_path: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mcp.json").write_text('{"mcpServers": {}}')
    for home in (tmp_path / "ana", tmp_path):
        monkeypatch.setenv("HOME", str(home))
        assert [a.scope for a in sync(str(tmp_path), context).facts.agents] == [""]


@pytest.mark.parametrize("servers", [{}, {"metrics": {"command": "metrics"}}])
def test_a_variable_that_an_extension_declares_is_one_credential(
    servers: dict[str, object], tmp_path: Path, context: SyncContext
) -> None:
    settings = [
        {"name": "Address", "envVar": "METRICS_URL"},
        {"name": "Token", "envVar": "METRICS_TOKEN", "sensitive": True},
        {"name": "Key", "envVar": "METRICS_API_KEY"},
    ]
    document = {"name": "metrics", "mcpServers": servers, "settings": settings}
    path = tmp_path / "gemini-extension.json"
    path.write_bytes(msgspec.json.encode(document))
    credentials = sync(str(tmp_path), context).facts.credentials
    found = {(c.id, c.cls.value, c.place) for c in credentials}
    assert sorted((cls, place) for _, cls, place in found) == [
        ("env-ref", f"{path}#/settings/2/envVar"),
        ("keychain/input-ref", f"{path}#/settings/1/envVar"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        ".mcp.json",
        "a/b/.mcp.json",
        "a/.hidden/mcp.json",
        "x/mcp_config.json",
        "claude_desktop_config.json",
        "docs/claude_desktop_config.example.json",
        "gemini-extension.json",
        ".claude/settings.json",
        "a/.claude/settings.local.json",
        ".claude/agents/x.md",
        "a/.claude/agents/team/x.md",
        ".cursor/mcp.json",
        ".vscode/mcp.json",
        ".codex/config.toml",
        "opencode.json",
        "opencode.jsonc",
        ".junie/mcp/mcp.json",
        ".kiro/settings/mcp.json",
        ".kiro/agents/a.json",
        ".amazonq/mcp.json",
        ".devcontainer/devcontainer.json",
        ".devcontainer/go/devcontainer.json",
        ".github/agents/a.md",
    ],
)
def test_a_project_file_is_recognised_by_its_name(path: str) -> None:
    assert find_project_file_kind(path) is not None


@pytest.mark.parametrize(
    "path",
    [
        "settings.json",
        "claude/settings.json",
        "README.md",
        "agents/x.md",
        "mcp.json.bak",
        "xmcp.json",
        "config.toml",
        "package.json",
        ".claude/commands/x.md",
    ],
)
def test_any_other_file_is_left_alone(path: str) -> None:
    assert find_project_file_kind(path) is None


def test_the_index_of_names_agrees_with_reading_the_table_in_order() -> None:
    from answerable.connectors.formats.agent_clients import matches_path_end

    for entry in PROJECT_FILES:
        path = "a/" + entry.path.replace("**/", "x/y/").replace("*", "star")
        parts = path.split("/")
        first = next(
            e for e in PROJECT_FILES if matches_path_end(parts, e.path.split("/"))
        )
        assert find_project_file_kind(path) == first


def test_a_project_is_named_by_its_origin_and_a_login_in_it_is_found(
    tmp_path: Path, context: SyncContext
) -> None:
    project = tmp_path / "checkout"
    (project / ".git" / "objects").mkdir(parents=True)
    (project / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (project / ".git" / "objects" / "mcp.json").write_text("{}")
    (project / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = https://bot:ghp_abcdefghij0123456789@'
        "github.example/corp/shop.git\n"
    )
    (project / ".mcp.json").write_text('{"mcpServers": {"a": {"command": "a"}}}')
    done = sync(str(project), context)
    assert [agent.id for agent in done.facts.agents] == ["agent:claude-code/corp/shop"]
    assert [(c.kind, c.place) for c in done.facts.credentials] == [
        ("github-token", f"{project}/.git/config#/2")
    ]
    skipped = [probe.place for probe in done.probes if probe.found is None]
    assert skipped == [f"{project}/.git/objects"]
    assert done.problems == ()


def test_a_project_inside_a_folder_of_projects_keeps_its_own_name(
    tmp_path: Path, context: SyncContext
) -> None:
    for name in ("one", "two"):
        git = tmp_path / name / ".git"
        git.mkdir(parents=True)
        (git / "HEAD").write_text("ref: x\n")
        (git / "config").write_text(
            f'[remote "origin"]\nurl = git@github.example:corp/{name}.git\n'
        )
        (tmp_path / name / ".mcp.json").write_text('{"mcpServers": {}}')
        (tmp_path / name / "CODEOWNERS").write_text(f"* @{name}\n")
    done = sync(str(tmp_path), context)
    owners = [(item.subject, item.person) for item in done.facts.evidence]
    assert owners == [
        ("agent:claude-code/corp/one", "person:one"),
        ("agent:claude-code/corp/two", "person:two"),
    ]


def test_links_that_leave_the_project_are_not_followed_and_are_named(
    tmp_path: Path, context: SyncContext
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "settings.json").write_text("{}")
    (outside / "mcp.json").write_text('{"mcpServers": {"out": {"command": "x"}}}')
    project = tmp_path / "project"
    inside = project / "shared"
    inside.mkdir(parents=True)
    (inside / "mcp.json").write_text('{"mcpServers": {"in": {"command": "x"}}}')
    (project / ".cursor").symlink_to(inside)
    (project / ".claude").symlink_to(outside)
    (project / ".loop").symlink_to(project)
    (project / ".mcp.json").symlink_to(outside / "mcp.json")
    done = sync(str(project), context)
    kinds = {(agent.kind, agent.name) for agent in done.facts.agents}
    assert {kind for kind, _ in kinds} == {"cursor", "mcp-client"}
    servers = [tool for tool in done.facts.tools if tool.transport not in BUILT_IN]
    assert {tool.server for tool in servers} == {"in"}
    assert [p.place for p in done.problems] == [f"{project}/.mcp.json"]
    left_out = [probe.place for probe in done.probes if probe.found is None]
    assert left_out == [f"{project}/.claude", f"{project}/.loop"]


def test_a_folder_that_may_not_be_listed_makes_the_scan_partial(
    tmp_path: Path, context: SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    plain = os.scandir

    def refusing(path: Path) -> object:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", refusing)
    done = sync(str(tmp_path), context)
    assert [(p.kind.value, p.place) for p in done.problems] == [
        ("permission", str(locked))
    ]


def test_where_lists_what_a_scan_would_read(shop: Path) -> None:
    probes = {probe.place: probe.found for probe in list_locations_to_read(str(shop))}
    assert probes[f"{shop}/services/api/.mcp.json"] is True
    assert probes[f"{shop}/.github/workflows/claude.yml"] is True
    assert probes[f"{shop}/**/.windsurf/mcp.json"] is False


def test_no_secret_of_the_project_is_in_what_was_seen(synced: Sync, shop: Path) -> None:
    secrets = {
        secret
        for file in shop.rglob("*")
        if file.is_file()
        for secret in CANARY.findall(file.read_text())
    }
    assert len(secrets) > 8, "the fixtures have moved"
    seen = repr(synced) + msgspec.json.encode(synced).decode()
    for secret in secrets:
        pieces = (secret[at : at + 8] for at in range(len(secret) - 7))
        assert not any(piece in seen for piece in pieces)

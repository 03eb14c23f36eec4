"""One configuration per client: its agent, its tools, each credential in its place."""

from pathlib import Path

import pytest
import yaml

from answerable.connectors.formats.agent_clients import HOME_FILES, FileRole
from answerable.connectors.home.fetch import list_locations_to_read, sync
from answerable.model.connector import SyncContext
from answerable.model.credential import Credential
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync
from answerable.model.tool import BUILT_IN

CASES = [
    (case["client"], case["server"], [tuple(item) for item in case["credentials"]])
    for case in yaml.load(
        (Path(__file__).parents[2] / "cases" / "home-clients.yaml").read_text(),
        yaml.CSafeLoader,
    )
]


def sightings(synced: Sync, client: str, server: str) -> list[Credential]:
    """Return the credentials of a tool in order, one sighting for each position."""
    tools = [
        tool
        for tool in synced.facts.tools
        if tool.server == server and tool.agent == f"agent:{client}/ana"
    ]
    assert len(tools) == 1
    by_id: dict[str, list[Credential]] = {}
    for credential in synced.facts.credentials:
        by_id.setdefault(credential.id, []).append(credential)
    return [by_id[identifier][0] for identifier in tools[0].credentials]


@pytest.mark.parametrize(("client", "server", "expected"), CASES)
def test_each_credential_of_a_tool_has_class_kind_and_place(
    synced: Sync,
    ana: Path,
    client: str,
    server: str,
    expected: list[tuple[str, str, str, str]],
) -> None:
    found = [
        (item.cls.value, item.kind, item.place)
        for item in sightings(synced, client, server)
    ]
    assert found == [
        (cls, kind, f"{ana}/{file}#{pointer}") for cls, kind, file, pointer in expected
    ]


def test_no_server_of_the_home_is_left_out_of_the_cases(synced: Sync) -> None:
    seen = {
        (tool.agent.removeprefix("agent:").removesuffix("/ana"), tool.server)
        for tool in synced.facts.tools
        if tool.agent.endswith("/ana") and tool.transport not in BUILT_IN
    }
    assert seen == {(client, server) for client, server, _ in CASES}


def test_every_client_of_the_table_is_in_the_home(synced: Sync) -> None:
    clients = {entry.client for entry in HOME_FILES}
    assert {agent.kind for agent in synced.facts.agents} == clients


def test_the_home_is_read_whole_and_without_a_problem(synced: Sync, ana: Path) -> None:
    assert synced.problems == ()
    assert synced.source == f"home:{ana}"
    assert set(synced.collected) == {"agent-configs", "ambient-credentials"}
    assert {agent.scope for agent in synced.facts.agents} == {f"home:{ana}"}


def test_what_an_agent_could_have_written_is_self_reported(synced: Sync) -> None:
    facts = synced.facts
    for fact in (*facts.agents, *facts.tools, *facts.credentials, *facts.links):
        assert fact.seen.written_by is WrittenBy.SELF_REPORTED


@pytest.mark.parametrize(
    ("client", "unattended"),
    [
        ("claude-code", True),
        ("codex", True),
        ("gemini-cli", True),
        ("vscode", True),
        ("goose", True),
        ("zed", True),
        ("cursor", False),
        ("claude-desktop", False),
        ("cline", False),
    ],
)
def test_an_agent_that_asks_nobody_is_unattended(
    synced: Sync, client: str, unattended: bool
) -> None:
    agents = {agent.id: agent for agent in synced.facts.agents}
    assert agents[f"agent:{client}/ana"].unattended is unattended


@pytest.mark.parametrize(
    ("server", "unattended", "enabled"),
    [
        ("sentry", True, True),
        ("deploy", True, True),
        ("search", True, True),
        ("helper", True, False),
        ("shell", True, True),
        ("notes", False, False),
        ("web", True, True),
        ("maps", True, True),
        ("builds", True, False),
        ("cost", True, True),
        ("logs", True, True),
    ],
)
def test_a_tool_that_runs_without_approval_or_not_at_all_is_named(
    synced: Sync, server: str, unattended: bool, enabled: bool
) -> None:
    servers = [t for t in synced.facts.tools if t.transport not in BUILT_IN]
    tool = next(tool for tool in servers if tool.server == server)
    assert (tool.unattended, tool.enabled) == (unattended, enabled)


def test_sub_agents_have_the_one_that_may_start_them_as_parent(synced: Sync) -> None:
    parents = {agent.id: agent.parent for agent in synced.facts.agents if agent.parent}
    main = "agent:claude-code/ana"
    assert parents == {
        f"{main}/lead": main,
        f"{main}/worker": f"{main}/lead",
        f"{main}/tester": f"{main}/lead",
        f"{main}/triage": main,
        "agent:amazon-q/ana/reader": "agent:amazon-q/ana",
    }


@pytest.mark.parametrize(
    ("name", "servers"),
    [
        ("worker", {"sentry", "deploy", "search", "helper", "tickets"}),
        ("tester", {"sentry", "browser"}),
        ("lead", set()),
        ("triage", {"tickets"}),
    ],
)
def test_a_sub_agent_has_the_tools_its_definition_lets_it_have(
    synced: Sync, name: str, servers: set[str]
) -> None:
    agent = f"agent:claude-code/ana/{name}"
    assert {
        tool.server
        for tool in synced.facts.tools
        if tool.agent == agent
        and tool.transport not in BUILT_IN
        and not tool.rule.startswith(("tools: no", "disallowedTools:"))
    } == servers


@pytest.mark.parametrize("name", ["tester", "lead", "triage"])
def test_a_server_that_a_definition_leaves_out_is_listed_with_the_rule(
    synced: Sync, name: str
) -> None:
    main = "agent:claude-code/ana"
    tools = [t for t in synced.facts.tools if t.transport not in BUILT_IN]
    all_of = {t.server for t in tools if t.agent == main}
    own = {t.server: t for t in tools if t.agent == f"{main}/{name}"}
    assert all_of <= own.keys()
    off = {server for server in all_of if not own[server].enabled}
    assert off
    assert all(own[server].rule for server in off if own[server].enabled)


def test_sub_agents_that_start_each_other_make_no_circle(
    tmp_path: Path, context: SyncContext
) -> None:
    agents = tmp_path / ".claude" / "agents"
    agents.mkdir(parents=True)
    for name, other in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "d")):
        text = f"---\nname: {name}\ntools: Agent({other})\n---\n"
        (agents / f"{name}.md").write_text(text)
    parents = {
        agent.id: agent.parent for agent in sync(str(tmp_path), context).facts.agents
    }
    for start in parents:
        seen, here = set(), start
        while here is not None:
            assert here not in seen
            seen.add(here)
            here = parents[here]


def test_where_lists_each_place_and_whether_it_is_there(ana: Path) -> None:
    probes = {probe.place: probe.found for probe in list_locations_to_read(str(ana))}
    assert probes[f"{ana}/.codex/config.toml"] is True
    assert probes[f"{ana}/.codeium/windsurf/mcp_config.json"] is True
    assert probes[f"{ana}/.vscode-server/data/User/mcp.json"] is False
    assert probes[f"{ana}/.aws/credentials"] is True
    assert probes["/etc/claude-code/managed-mcp.json"] is None


def test_where_of_a_missing_home_finds_nothing(tmp_path: Path) -> None:
    assert not any(
        probe.found for probe in list_locations_to_read(str(tmp_path / "none"))
    )


@pytest.mark.parametrize(
    "entry", [entry for entry in HOME_FILES if entry.role is FileRole.SERVERS]
)
def test_a_file_that_must_hold_servers_and_does_not_is_named(
    tmp_path: Path, context: SyncContext, entry: object
) -> None:
    path = str(getattr(entry, "path")).replace("**", "x").replace("*", "x")  # noqa: B009
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text("name: x\n" if path.endswith("yaml") else '{"is-this": {}}')
    done = sync(str(tmp_path), context)
    assert [problem.kind.value for problem in done.problems] == ["invalid"]
    assert done.problems[0].place == str(file)
    assert done.facts.agents == ()


@pytest.mark.parametrize(
    ("entry", "transport"),
    [
        ('{"url": "https://mcp.example.com/sse"}', "sse"),
        ('{"url": "https://mcp.example.com/mcp", "type": "http"}', "http"),
        ('{"httpUrl": "https://mcp.example.com/mcp"}', "http"),
        ('{"command": "npx"}', "stdio"),
    ],
)
def test_the_url_of_gemini_is_sse_unless_its_type_is_http(
    tmp_path: Path, entry: str, transport: str
) -> None:
    (tmp_path / ".gemini").mkdir()
    text = f'{{"mcpServers": {{"maps": {entry}}}}}'
    (tmp_path / ".gemini/settings.json").write_text(text)
    facts = sync(str(tmp_path), SyncContext(1, lambda value: "f")).facts
    (tool,) = [each for each in facts.tools if each.server == "maps"]
    assert tool.transport == transport

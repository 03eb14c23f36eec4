"""Rules of clients about their built-in tools: which file counts, and what is shown."""

import json
from typing import Any

import pytest

from answerable.connectors.formats.agent_clients import (
    HOME_FILES,
    MANAGED_FILES,
    PROJECT_FILES,
)
from answerable.connectors.formats.agent_config import (
    ClientFacts,
    ConfigDocument,
    build_client_facts,
)
from answerable.connectors.formats.built_in_tools import CLIENT_TOOLS
from answerable.connectors.formats.document_parser import parse_document
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.model.provenance import WrittenBy
from answerable.model.tool import Tool

USER = ".claude/settings.json"
LOCAL = ".claude/settings.local.json"
MANAGED = "/etc/claude-code/managed-settings.json"
SUB_AGENT = ".claude/agents/**/*.md"
VSCODE, AUTO_APPROVE = (
    ".config/Code/User/settings.json",
    "chat.tools.terminal.autoApprove",
)
OPENCODE = ".config/opencode/opencode.json"
BYPASS = {"permissions": {"defaultMode": "bypassPermissions"}}


def read(client: str, *files: tuple[str, dict[str, Any] | str]) -> ClientFacts:
    """Read files of a client, each named by its row in the table."""
    rows = (*MANAGED_FILES, *HOME_FILES, *PROJECT_FILES)
    documents = []
    for path, content in files:
        entry = next(row for row in rows if (row.client, row.path) == (client, path))
        text = content if isinstance(content, str) else json.dumps(content)
        parsed = parse_document(text.encode(), entry.form, path)
        documents.append(ConfigDocument(entry, "sub", parsed, WrittenBy.SELF_REPORTED))
    frame = SightingContext(
        "home:h", "home:/h", WrittenBy.SELF_REPORTED, 1, lambda text: str(hash(text))
    )
    return build_client_facts(client, ("ana",), documents, frame, lambda *_: None)


def tool(found: ClientFacts, name: str, agent: str = "") -> Tool:
    wanted = f"agent:{found.agents[0].kind}/ana{agent}"
    (one,) = (t for t in found.tools if (t.server, t.agent) == (name, wanted))
    return one


def test_every_client_of_the_table_has_a_page_and_a_shell() -> None:
    for table in CLIENT_TOOLS:
        assert table.page.startswith("https://")
        assert table.commands


@pytest.mark.parametrize(
    ("files", "unattended"),
    [
        ([(USER, BYPASS)], True),
        ([(USER, BYPASS), (LOCAL, {"permissions": {"defaultMode": "default"}})], False),
        ([(LOCAL, BYPASS), (USER, {"permissions": {"defaultMode": "plan"}})], True),
        ([(LOCAL, BYPASS), (MANAGED, {"permissions": {"defaultMode": "ask"}})], False),
        (
            [
                (USER, BYPASS),
                (MANAGED, {"permissions": {"disableBypassPermissionsMode": "disable"}}),
            ],
            False,
        ),
    ],
)
def test_managed_settings_count_before_local_and_those_before_the_users(
    files: list[tuple[str, dict[str, Any]]], unattended: bool
) -> None:
    for order in (files, files[::-1]):
        found = read("claude-code", *order)
        assert found.agents[0].unattended is unattended
        assert tool(found, "Bash").unattended is unattended


def test_lists_of_rules_add_up_over_all_files() -> None:
    found = read(
        "claude-code",
        (USER, {"permissions": {"deny": ["Bash(aws:*)"]}}),
        (LOCAL, {"permissions": {"deny": ["Bash(kubectl:*)"], "allow": ["Bash"]}}),
    )
    shell = tool(found, "Bash")
    assert (
        shell.rule == "permissions.deny: Bash(kubectl:*); permissions.deny: Bash(aws:*)"
    )
    assert (shell.enabled, shell.unattended) == (True, True)
    assert tool(found, "Read").rule == ""


@pytest.mark.parametrize(
    ("pattern", "unattended"),
    [
        ("Bash", True),
        ("Bash(*)", True),
        ("Bash(aws:*)", True),
        ("Bash(/usr/bin/python3 *)", True),
        ("Bash(ls:*)", False),
        ("Bash(go test:*)", False),
        ("Read", False),
    ],
)
def test_a_shell_is_unattended_where_commands_that_act_need_no_approval(
    pattern: str, unattended: bool
) -> None:
    found = read("claude-code", (USER, {"permissions": {"allow": [pattern]}}))
    assert tool(found, "Bash").unattended is unattended
    assert tool(found, "Bash").rule == ""


@pytest.mark.parametrize(
    ("matter", "enabled", "rule"),
    [
        ("description: d", True, ""),
        ("tools: Read, Bash", True, ""),
        ("tools: Read", False, "tools: no Bash"),
        ("tools: Read, Bash(git:*)", True, "tools: Bash(git:*)"),
        ("disallowedTools: Bash", False, "disallowedTools: Bash"),
        ("disallowedTools: [Write]", True, ""),
    ],
)
def test_a_sub_agent_has_its_clients_shell_unless_its_definition_says_otherwise(
    matter: str, enabled: bool, rule: str
) -> None:
    found = read(
        "claude-code", (USER, BYPASS), (SUB_AGENT, f"---\nname: sub\n{matter}\n---\nX")
    )
    shell = tool(found, "Bash", "/sub")
    assert (shell.enabled, shell.rule) == (enabled, rule)
    assert shell.unattended  # its client asks before no call


@pytest.mark.parametrize(
    ("client", "path", "content", "unattended"),
    [
        ("codex", ".codex/config.toml", 'approval_policy = "never"', True),
        ("codex", ".codex/config.toml", 'approval_policy = "on-request"', False),
        ("goose", ".config/goose/config.yaml", "GOOSE_PROVIDER: x", True),
        ("goose", ".config/goose/config.yaml", "GOOSE_MODE: approve", False),
        ("opencode", ".config/opencode/opencode.json", "{}", True),
        (
            "opencode",
            ".config/opencode/opencode.json",
            '{"permission": {"bash": "ask"}}',
            False,
        ),
        (
            "opencode",
            ".config/opencode/opencode.json",
            '{"permission": {"*": "deny", "bash": "allow"}}',
            True,
        ),
        (
            "vscode",
            ".config/Code/User/settings.json",
            '{"chat.tools.terminal.autoApprove": {"/^aws/": true, "rm": false}}',
            True,
        ),
        ("cursor", ".cursor/cli-config.json", '{"approvalMode": "unrestricted"}', True),
        *(
            ("vscode", VSCODE, json.dumps({AUTO_APPROVE: {pattern: True}}), unattended)
            for pattern, unattended in (
                ("/.*/", True),
                ("/aws/", True),
                ("/^(aws|ls)/", True),
                ("/^[a-z]+/", True),
                ("/^kube/", True),
                ("/^ls\\b/", False),
                ("/^lsblk$/", False),
                ("/usr/bin/ls", False),
            )
        ),
        *(
            ("codex", ".codex/config.toml", text, unattended)
            for text, unattended in (
                (
                    'approval_policy = "on-failure"\nsandbox_mode = "danger-full-access"',
                    True,
                ),
                (
                    'approval_policy = "on-request"\nsandbox_mode = "danger-full-access"',
                    True,
                ),
                (
                    'approval_policy = "untrusted"\nsandbox_mode = "danger-full-access"',
                    False,
                ),
                ('sandbox_mode = "danger-full-access"', True),
                ('approval_policy = "on-failure"', False),
                ('profile = "p"\n[profiles.p]\napproval_policy = "never"', True),
                ('[profiles.p]\napproval_policy = "never"', False),
            )
        ),
        *(
            ("opencode", OPENCODE, json.dumps({"permission": states}), unattended)
            for states, unattended in (
                ({"edit": "ask"}, True),
                ({"webfetch": "deny"}, True),
                ({"*": "ask"}, False),
                ({"*": "ask", "bash": "allow"}, True),
                ({"bash": {"*": "ask", "git *": "allow"}}, False),
                ({"bash": {"rm *": "deny"}}, True),
            )
        ),
    ],
)
def test_a_client_that_asks_before_no_command_has_an_unattended_shell(
    client: str, path: str, content: str, unattended: bool
) -> None:
    found = read(client, (path, content))
    shells = [each for each in found.tools if each.transport == "shell"]
    assert {each.unattended for each in shells} == {unattended}


def test_a_map_that_denies_all_but_one_tool_leaves_that_one_free() -> None:
    states = {"permission": {"*": "deny", "bash": "allow"}}
    found = read("opencode", (".config/opencode/opencode.json", states))
    assert (tool(found, "bash").enabled, tool(found, "bash").rule) == (True, "")
    assert not tool(found, "webfetch").enabled


def test_a_rule_shows_no_secret_that_stands_in_it() -> None:
    secret = "sk-ant-api03-CNRYwVZ5xTqk9rPz7LbNf3HdG8sJm2Yu"
    denied = [f"Bash(curl -H x:{secret})", f"Bash({secret})", f"{secret}(x)"]
    found = read("claude-code", (USER, {"permissions": {"deny": denied}}))
    assert "CNRY" not in repr([each.rule for each in found.tools])
    assert tool(found, "Bash").rule


def test_variables_of_the_agents_environment_are_known_to_all_its_built_in_tools() -> (
    None
):
    variables = {"env": {"GITHUB_TOKEN": "CNRYsAk2vTq8ZpLw5RnYx7BdHg3M"}}
    found = read("claude-code", (USER, variables))
    (credential,) = found.credentials
    assert tool(found, "Bash").credentials == (credential.id,)
    assert tool(found, "Read").credentials == (credential.id,)


@pytest.mark.parametrize(
    ("client", "path", "content", "unattended"),
    [
        (
            "claude-code",
            USER,
            {"permissions": {"defaultMode": "acceptEdits"}},
            {"Edit", "Write"},
        ),
        (
            "claude-code",
            USER,
            {"permissions": {"allow": ["Edit", "Read", "WebFetch(domain:h.example)"]}},
            {"Edit", "Write", "Read", "WebFetch"},
        ),
        (
            "gemini-cli",
            ".gemini/settings.json",
            {"general": {"defaultApprovalMode": "auto_edit"}},
            {"write_file", "replace"},
        ),
        (
            "qwen",
            ".qwen/settings.json",
            {"tools": {"approvalMode": "auto-edit"}},
            {"write_file", "edit"},
        ),
        (
            "opencode",
            OPENCODE,
            {"permission": {"edit": "ask", "bash": "ask"}},
            {"read", "webfetch"},
        ),
    ],
)
def test_a_tool_that_its_client_uses_without_asking_is_unattended(
    client: str, path: str, content: dict[str, Any], unattended: set[str]
) -> None:
    found = read(client, (path, content))
    assert {each.server for each in found.tools if each.unattended} == unattended


def test_a_sub_agent_whose_mode_asks_nobody_has_no_attended_tool() -> None:
    servers = {"mcpServers": {"db": {"command": "db"}}}
    matter = "---\nname: sub\npermissionMode: bypassPermissions\n---\nX"
    found = read("claude-code", (".claude.json", servers), (SUB_AGENT, matter))
    own = [each for each in found.tools if each.agent.endswith("/sub")]
    assert {each.server for each in own} == {
        *("Bash", "Read", "Edit", "Write", "WebFetch", "db")
    }
    assert all(each.unattended for each in own)


def test_a_profile_of_codex_replaces_the_sandbox_of_its_file() -> None:
    text = 'profile = "p"\n[profiles.p]\nsandbox_mode = "danger-full-access"\n'
    found = read("codex", (".codex/config.toml", text))
    assert tool(found, "shell").rule == ""


def test_a_server_that_a_project_turned_off_is_not_enabled_there() -> None:
    entry = {"command": "x"}
    projects = {
        "/p/one": {
            "mcpServers": {"db": entry, "on": entry},
            "disabledMcpServers": ["db"],
        },
        "/p/two": {"mcpServers": {"db": entry}},
    }
    found = read("claude-code", (".claude.json", {"projects": projects}))
    enabled = {
        each.seen.place.split("/")[-3]: each.enabled
        for each in found.tools
        if each.server == "db"
    }
    assert enabled == {"~1p~1one": False, "~1p~1two": True}

"""An agent's own shell acts with the host's credentials; a hosted server has none."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.sample.fake_access_keys import make_fake_secret
from tests.estate.seven import ACCOUNT, KEY, Ask, Files, arn

ADMIN = arn("role", "break-glass")
PROFILE = f"[default]\nrole_arn = {ADMIN}\nsource_profile = base\n"


def write_home(home: Path, files: dict[str, object]) -> Path:
    """Write a home: texts as they are, all else as JSON."""
    for name, content in {".aws/config": PROFILE, **files}.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text)
    return home


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def scan(ask: Ask, store: Path, files: Files, home: Path) -> None:
    assert ask(store, "scan", f"aws:{files.account}", f"home:{home}").code in (0, 3)


def tools(ask: Ask, store: Path) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in ask(store, "tools").items}


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "https://mcp.linear.app/sse"},
        {"type": "http", "url": "https://mcp.linear.app/mcp"},
        {"type": "sse", "url": "https://mcp.linear.app/sse"},
    ],
)
def test_a_remote_server_has_no_ambient_identity_of_this_host(
    tmp_path: Path, store: Path, files: Files, ask: Ask, entry: dict[str, str]
) -> None:
    servers = {"linear": entry, "local": {"command": "local-server"}}
    home = write_home(
        tmp_path / "dana",
        {".config/Claude/claude_desktop_config.json": {"mcpServers": servers}},
    )
    scan(ask, store, files, home)
    found = tools(ask, store)
    linear, local = found["tool:mcp/linear/*"], found["tool:mcp/local/*"]
    assert (linear["credential"], linear["identities"]) == (None, [])
    assert local["identities"] == [ADMIN]


def ask_delete(ask: Ask, store: Path, agent: str) -> dict[str, Any]:
    answer = ask(store, "can", agent, "s3:DeleteBucket", "arn:aws:s3:::scratch")
    assert answer.code == 0, answer.err
    return answer.items[0]


def test_an_unattended_agent_with_a_shell_acts_as_the_administrators_profile(
    tmp_path: Path, store: Path, files: Files, ask: Ask
) -> None:
    settings = {"permissions": {"defaultMode": "bypassPermissions"}}
    home = write_home(tmp_path / "dana", {".claude/settings.json": settings})
    scan(ask, store, files, home)
    agents = {item["id"]: item for item in ask(store, "agents").items}
    agent = agents["agent:claude-code/dana"]
    assert agent["unattended"]
    assert agent["identities"] == [ADMIN]
    shell = tools(ask, store)["tool:claude-code/Bash"]
    assert (shell["identities"], shell["unattended"]) == ([ADMIN], True)
    item = ask_delete(ask, store, "agent:claude-code/dana")
    assert item["verdict"] == "always"
    assert item["path"][0]["via"] == "tool:claude-code/Bash"


def test_a_shell_can_name_a_profile_that_a_server_does_not_use(
    tmp_path: Path, store: Path, files: Files, ask: Ask
) -> None:
    reader = arn("role", "customer-reader")
    config = f"[default]\nrole_arn = {reader}\n[profile ops]\nrole_arn = {ADMIN}\n"
    servers = {"mcpServers": {"local": {"command": "local-server"}}}
    home = write_home(
        tmp_path / "dana", {".aws/config": config, ".cursor/mcp.json": servers}
    )
    scan(ask, store, files, home)
    found = tools(ask, store)
    assert found["tool:mcp/local/*"]["identities"] == [reader]
    assert found["tool:cursor/Shell"]["identities"] == [ADMIN, reader]
    item = ask_delete(ask, store, "agent:cursor/dana")
    assert (item["verdict"], item["path"][0]["via"]) == ("always", "tool:cursor/Shell")


# Settings of each client that narrow its shell: file, content.
NARROWING = {
    "claude-code": [
        (".claude/settings.json", {"permissions": {"deny": ["Bash"]}}),
        (".claude/settings.json", {"permissions": {"deny": ["Bash(aws:*)"]}}),
        (".claude/settings.json", {"permissions": {"defaultMode": "plan"}}),
        (".claude/settings.json", {"sandbox": {"enabled": True}}),
    ],
    "codex": [
        (".codex/config.toml", 'model = "gpt-5"\n'),
        (".codex/config.toml", 'sandbox_mode = "workspace-write"\n'),
        (".codex/config.toml", 'sandbox_mode = "read-only"\n'),
    ],
    "cursor": [
        (".cursor/cli-config.json", {"permissions": {"deny": ["Shell(aws)"]}}),
        (".cursor/sandbox.json", {"networkPolicy": {"default": "deny"}}),
    ],
    "gemini-cli": [
        (".gemini/settings.json", {"tools": {"exclude": ["run_shell_command"]}}),
        (".gemini/settings.json", {"tools": {"core": ["read_file"]}}),
        (".gemini/settings.json", {"tools": {"core": ["ShellTool(git)"]}}),
        (".gemini/settings.json", {"tools": {"sandbox": "docker"}}),
    ],
    "vscode": [
        (".config/Code/User/settings.json", {"chat.agent.enabled": False}),
        (".config/Code/User/settings.json", {"chat.agent.sandbox.enabled": "on"}),
    ],
    "goose": [
        (".config/goose/config.yaml", "GOOSE_MODE: chat\n"),
        (
            ".config/goose/config.yaml",
            "extensions:\n  developer: {enabled: false, type: builtin}\n",
        ),
    ],
    "opencode": [
        (".config/opencode/opencode.json", {"permission": {"bash": "deny"}}),
        (".config/opencode/opencode.json", {"permission": "deny"}),
        (
            ".config/opencode/opencode.json",
            {"permission": {"bash": {"*": "allow", "aws *": "deny"}}},
        ),
        (".config/opencode/opencode.json", {"tools": {"bash": False}}),
    ],
}
# Settings of each client with which nothing narrows its shell.
OPEN = {
    "claude-code": (".claude/settings.json", {"permissions": {"allow": ["Bash(ls)"]}}),
    "codex": (".codex/config.toml", 'sandbox_mode = "danger-full-access"\n'),
    "codex with network": (
        ".codex/config.toml",
        'sandbox_mode = "workspace-write"\n'
        "[sandbox_workspace_write]\nnetwork_access = true\n",
    ),
    "cursor": (".cursor/mcp.json", {"mcpServers": {}}),
    "gemini-cli": (".gemini/settings.json", {"general": {}}),
    "vscode": (".config/Code/User/settings.json", {"editor.fontSize": 14}),
    "windsurf": (".codeium/windsurf/mcp_config.json", {"mcpServers": {}}),
    "cline": (
        ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/"
        "cline_mcp_settings.json",
        {"mcpServers": {}},
    ),
    "goose": (".config/goose/config.yaml", "GOOSE_MODE: auto\n"),
    "opencode": (".config/opencode/opencode.json", {"permission": {"bash": "ask"}}),
    "copilot": (".copilot/config.json", {"trusted_folders": []}),
    "zed": (".config/zed/settings.json", {"theme": "One"}),
    "amazon-q": (".aws/amazonq/mcp.json", {"mcpServers": {}}),
}


@pytest.mark.parametrize("case", OPEN)
def test_a_shell_that_no_rule_narrows_acts_as_the_host_does(
    tmp_path: Path, store: Path, files: Files, ask: Ask, case: str
) -> None:
    client = case.partition(" ")[0]
    home = write_home(tmp_path / "dana", dict([OPEN[case]]))
    scan(ask, store, files, home)
    item = ask_delete(ask, store, f"agent:{client}/dana")
    assert (item["verdict"], item["path"][0]["to"]) == ("always", ADMIN)
    assert item["path"][0]["via"].startswith(f"tool:{client}/")


@pytest.mark.parametrize(
    ("client", "file", "content"),
    [(client, *case) for client, cases in NARROWING.items() for case in cases],
)
def test_a_clients_rule_makes_a_reach_conditional_and_never_ends_it(
    tmp_path: Path,
    store: Path,
    files: Files,
    ask: Ask,
    client: str,
    file: str,
    content: object,
) -> None:
    home = write_home(tmp_path / "dana", {file: content})
    scan(ask, store, files, home)
    item = ask_delete(ask, store, f"agent:{client}/dana")
    assert item["verdict"] == "only-if"
    conditions = [each for one in item["conditions"] for each in one["all_of"]]
    rule, indirect = "answerable:client-rule", "answerable:indirect-use"
    keys = {each["key"] for each in conditions}
    assert rule in keys
    assert keys <= {rule, indirect}
    assert (indirect in keys) == any(
        t["transport"] in ("file", "fetch") for t in tools(ask, store).values()
    )
    assert {each["asserted_by"] for each in conditions} == {"caller"}
    shell = next(t for t in tools(ask, store).values() if t["transport"] == "shell")
    assert shell["rule"]
    shown = ask(
        store,
        *("can", f"agent:{client}/dana", "s3:DeleteBucket", "arn:aws:s3:::scratch"),
        json_out=False,
    )
    assert "the client's rule (self-reported)" in " ".join(shown.out.split())


def test_an_agent_without_a_shell_reaches_what_a_file_that_it_reads_proves(
    tmp_path: Path, store: Path, files: Files, ask: Ask
) -> None:
    reader = "---\nname: reader\ntools: Read\n---\nRead.\n"
    home = write_home(
        tmp_path / "dana",
        {".claude/agents/reader.md": reader, ".claude/settings.json": {}},
    )
    scan(ask, store, files, home)
    item = ask_delete(ask, store, "agent:claude-code/dana/reader")
    assert item["verdict"] == "only-if"
    one = [[c["key"] for c in each["all_of"]] for each in item["conditions"]]
    assert ["answerable:indirect-use"] in one
    asked = ("agent:claude-code/dana/reader", "s3:DeleteBucket", "arn:aws:s3:::scratch")
    shown = ask(store, "can", *asked, json_out=False)
    text = "it can be read through tool:claude-code/Read"
    assert text in " ".join(shown.out.split())
    read = next(
        t
        for t in ask(store, "tools").items
        if (t["id"], t["agent"]) == ("tool:claude-code/Read", item["subject"])
    )
    assert (read["identities"], read["credential"]) == ([ADMIN], None)


def workflow(step: str, *, role: str = "") -> str:
    """A workflow with one job whose last step runs an agent."""
    assume = (
        "      - uses: aws-actions/configure-aws-credentials@v5\n"
        f"        with: {{role-to-assume: '{role}'}}\n"
        if role
        else ""
    )
    return (
        "on: issues\npermissions: {id-token: write}\n"
        f"jobs:\n  fix:\n    steps:\n{assume}      - {step}\n"
    )


@pytest.mark.parametrize(
    ("step", "tool", "rule"),
    [
        ("run: claude -p x", "claude-code/Bash", "--allowedTools: no Bash"),
        (
            "run: claude -p x --allowedTools 'Bash(aws:*),Read'",
            "claude-code/Bash",
            "aws",
        ),
        ("run: claude -p x --allowedTools Bash Read", "claude-code/Bash", ""),
        ("run: claude -p x --dangerously-skip-permissions", "claude-code/Bash", ""),
        ("uses: anthropics/claude-code-action@v1", "claude-code/Bash", "no Bash"),
        ("run: codex exec x", "codex/shell", "sandbox_mode: read-only"),
        ("run: codex exec --sandbox danger-full-access x", "codex/shell", ""),
        (
            "uses: openai/codex-action@v1",
            "codex/shell",
            "sandbox_mode: workspace-write",
        ),
        ("run: gemini -p x", "gemini-cli/run_shell_command", ""),
    ],
)
def test_a_workflow_step_has_the_shell_of_its_client(
    tmp_path: Path,
    store: Path,
    files: Files,
    ask: Ask,
    step: str,
    tool: str,
    rule: str,
) -> None:
    role = arn("role", "ci-release")
    path = tmp_path / "shop" / ".github" / "workflows" / "fix.yml"
    path.parent.mkdir(parents=True)
    path.write_text(workflow(step, role=role))
    ask(store, "scan", f"aws:{files.account}", f"repo:{tmp_path / 'shop'}")
    shell = tools(ask, store)[f"tool:{tool}"]
    assert (shell["transport"], shell["identities"]) == ("shell", [role])
    assert (rule in shell["rule"]) if rule else shell["rule"] == ""
    agent = "agent:github-actions/shop/fix.yml/fix"
    answer = ask(store, "can", agent, "lambda:InvokeFunction", "*")
    conditions = {
        each["key"]
        for item in answer.items
        for one in item["conditions"]
        for each in one["all_of"]
    }
    assert answer.items[0]["verdict"] == "only-if"  # the trust asks for its repository
    assert "token.actions.githubusercontent.com:sub" in conditions
    assert ("answerable:client-rule" in conditions) == bool(rule)


@pytest.mark.parametrize("permissions", [{}, {"deny": ["Bash"]}])
def test_a_key_in_the_agents_own_environment_names_the_agent_and_its_shell(
    tmp_path: Path,
    store: Path,
    files: Files,
    ask: Ask,
    permissions: dict[str, list[str]],
) -> None:
    home = write_home(
        tmp_path / "dana",
        {
            ".aws/config": "",
            ".claude/settings.json": {
                "permissions": permissions,
                "env": {
                    "AWS_ACCESS_KEY_ID": KEY,
                    "AWS_SECRET_ACCESS_KEY": make_fake_secret("legacy-sync"),
                },
            },
        },
    )
    scan(ask, store, files, home)
    user = arn("user", "legacy-sync")
    record = {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "IAMUser",
            "arn": user,
            "accountId": ACCOUNT,
            "accessKeyId": KEY,
            "userName": "legacy-sync",
        },
        "eventTime": "2026-11-28T10:00:01Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "ListBuckets",
        "awsRegion": "eu-west-1",
        "eventID": "00000000-0000-4000-8000-0000000000aa",
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    trail = tmp_path / "trail.json"
    trail.write_text(json.dumps({"Records": [record]}))
    assert ask(store, "ingest", f"cloudtrail:{trail}").code == 0
    (row,) = ask(store, "trace").items
    hops = row["hops"]
    assert hops["agent"]["value"] == "agent:claude-code/dana"
    assert hops["tool"]["value"] == "tool:claude-code/Bash"
    shell = tools(ask, store)["tool:claude-code/Bash"]
    assert shell["identities"] == [user]  # the trail says whose key it is


def test_tools_of_an_agent_that_only_read_share_a_row_of_the_table(
    tmp_path: Path,
    store: Path,
    files: Files,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    home = write_home(
        tmp_path / "dana",
        {
            ".claude/settings.json": {"permissions": {"deny": ["WebFetch"]}},
            ".claude/agents/helper.md": "---\nname: helper\ntools: Bash\n---\nHelp.\n",
        },
    )
    scan(ask, store, files, home)
    rows = ask(store, "tools", json_out=False).out
    assert rows.count("tool:claude-code/Edit, Read, Write") == 2
    assert "tools: no Edit, Read, Write" in rows
    assert len([t for t in ask(store, "tools").items if t["transport"] == "file"]) == 6

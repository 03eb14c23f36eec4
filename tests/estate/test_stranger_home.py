"""A stranger's home with nine clients: the whole listing, written out."""

import json
from pathlib import Path

import pytest

from answerable.cli.sample.fake_access_keys import make_fake_secret
from tests.estate.seven import ACCOUNT, KEY, Ask, account, allow, role

SSO = (
    "role/aws-reserved/sso.amazonaws.com/eu-central-1/"
    "AWSReservedSSO_AdministratorAccess_0123456789abcdef"
)
ADMIN = f"arn:aws:iam::{ACCOUNT}:{SSO}"
USER = f"arn:aws:iam::{ACCOUNT}:user/legacy-sync"

HOME: dict[str, str] = {
    ".aws/config": (
        "[default]\n"
        "sso_session = corp\n"
        f"sso_account_id = {ACCOUNT}\n"
        "sso_role_name = AdministratorAccess\n"
        "[sso-session corp]\n"
        "sso_start_url = https://corp.awsapps.com/start\n"
        "sso_region = eu-central-1\n"
    ),
    ".claude/settings.json": json.dumps(
        {
            "permissions": {"defaultMode": "bypassPermissions"},
            "env": {
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": make_fake_secret("legacy-sync"),
            },
        }
    ),
    ".claude/agents/reviewer.md": "---\nname: reviewer\ntools: Read, Grep\n---\nReview.",
    ".codex/config.toml": 'approval_policy = "never"\n',
    ".cursor/mcp.json": json.dumps(
        {"mcpServers": {"linear": {"url": "https://mcp.linear.app/sse"}}}
    ),
    ".gemini/settings.json": json.dumps({"tools": {"exclude": ["run_shell_command"]}}),
    ".config/Code/User/settings.json": json.dumps(
        {"chat.tools.terminal.autoApprove": {"aws": True}}
    ),
    ".codeium/windsurf/mcp_config.json": json.dumps({"mcpServers": {}}),
    ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/"
    "cline_mcp_settings.json": json.dumps(
        {"mcpServers": {"files": {"command": "files-mcp", "autoApprove": ["read"]}}}
    ),
    ".config/goose/config.yaml": "GOOSE_MODE: approve\n",
    ".config/opencode/opencode.json": json.dumps(
        {"permission": {"bash": {"aws *": "deny"}}}
    ),
}

# Agent: unattended, and whether it can delete any bucket.
AGENTS = {
    "claude-code/dana": (True, "always"),
    "claude-code/dana/reviewer": (True, "only-if"),
    "cline/dana": (True, "always"),
    "codex/dana": (True, "only-if"),
    "cursor/dana": (False, "always"),
    "gemini-cli/dana": (False, "only-if"),
    "goose/dana": (False, "always"),
    "opencode/dana": (True, "only-if"),
    "vscode/dana": (True, "always"),
    "windsurf/dana": (False, "always"),
}
# Tools that act, each with its agent, its state, its rule and whom it acts as.
ACTING = """
claude-code/Bash             claude-code/dana           unattended  -
claude-code/Bash             claude-code/dana/reviewer  off         tools: no Bash
cline/run_commands           cline/dana                 attended    -
mcp/files/*                  cline/dana                 unattended  -
codex/shell                  codex/dana                 unattended  sandbox_mode: not set (no network)
cursor/Shell                 cursor/dana                attended    -
gemini-cli/run_shell_command gemini-cli/dana            off         tools.exclude: run_shell_command
goose/developer__shell       goose/dana                 attended    -
opencode/bash                opencode/dana              unattended  permission: bash(aws *)
vscode/runInTerminal         vscode/dana                unattended  -
windsurf/run_command         windsurf/dana              attended    -
"""


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("stranger")
    for name, text in HOME.items():
        path = root / "dana" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    trust = {
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/AWSSSO_x"},
        "Action": "sts:AssumeRoleWithSAML",
    }
    dump = account()
    name = SSO.rpartition("/")[2]
    detail = role(name, trust, allow("*", "*"))
    detail |= {"Path": f"/{SSO.split('/', 1)[1].rpartition('/')[0]}/", "Arn": ADMIN}
    roles = dump["RoleDetailList"]
    assert isinstance(roles, list)
    roles.append(detail)
    (root / "account.json").write_text(json.dumps(dump))
    keys = {"AccessKeyMetadata": [{"UserName": "legacy-sync", "AccessKeyId": KEY}]}
    (root / "keys.json").write_text(json.dumps(keys))
    return root, root / "store"


@pytest.fixture
def scanned(estate: tuple[Path, Path], ask: Ask) -> Path:
    root, store = estate
    if not store.exists():
        sources = (f"home:{root}/dana", f"aws:{root}/account.json")
        done = ask(store, "scan", *sources, f"aws-keys:{root}/keys.json")
        assert done.code == 0, done.err
    return store


def test_its_agents_and_what_each_can_reach(scanned: Path, ask: Ask) -> None:
    found = {
        str(item["id"]).removeprefix("agent:"): item["unattended"]
        for item in ask(scanned, "agents").items
        if item["place"] and str(item["id"]).split("/")[1] == "dana"
    }
    assert found == {name: unattended for name, (unattended, _) in AGENTS.items()}
    for name, (_, verdict) in AGENTS.items():
        words = ("s3:DeleteBucket", "arn:aws:s3:::elsewhere")
        (item,) = ask(scanned, "can", f"agent:{name}", *words).items
        assert (name, item["verdict"]) == (name, verdict)


def test_its_tools_that_act_and_the_rules_of_their_clients(
    scanned: Path, ask: Ask
) -> None:
    listed = []
    for item in ask(scanned, "tools").items:
        # A file tool can read the key in Claude Code's settings, whosever tool it is.
        reads = item["transport"] == "file" or "claude-code" in str(item["id"])
        acts = [ADMIN, USER] if reads else [ADMIN]
        if not item["identities"]:
            continue
        assert item["identities"] == acts
        if item["transport"] in ("file", "fetch"):
            continue
        state = "unattended" if item["unattended"] else "attended"
        listed.append(
            (
                str(item["id"]).removeprefix("tool:"),
                str(item["agent"]).removeprefix("agent:"),
                state if item["enabled"] else "off",
                str(item["rule"]) or "-",
            )
        )
    expected = [tuple(line.split(maxsplit=3)) for line in ACTING.split("\n") if line]
    assert sorted(listed) == sorted(expected)


def test_a_hosted_server_acts_as_no_identity_and_what_reads_acts_with_nothing(
    scanned: Path, ask: Ask
) -> None:
    items = ask(scanned, "tools").items
    without = [item["id"] for item in items if not item["identities"]]
    assert without == ["tool:mcp/linear/*"]
    reading = [item for item in items if item["transport"] in ("file", "fetch")]
    assert len(reading) > 10
    assert {item["credential"] for item in reading} == {None}


def test_its_credentials_and_who_uses_them(scanned: Path, ask: Ask) -> None:
    found = {
        item["kind"]: item["identity"] for item in ask(scanned, "credentials").items
    }
    assert found == {"aws-profile": ADMIN, "aws-access-key": USER}
    agents = {item["id"]: item["agents"] for item in ask(scanned, "identities").items}
    assert agents[ADMIN] == sorted(f"agent:{name}" for name in AGENTS)
    assert agents[USER] == sorted(f"agent:{name}" for name in AGENTS)

"""The first findings of a stranger's home, and what may change them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.posture.conftest import KEY, SECRET, Findings, write

SETTINGS = '{"permissions": {"defaultMode": "bypassPermissions"}}'
BOT = """\
name: bot
on: {issue_comment: {types: [created]}}
permissions: {contents: write}
jobs:
  reply:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: anthropics/claude-code-action@v1
        with: {anthropic_api_key: "${{ secrets.ANTHROPIC_API_KEY }}"}
"""
NIGHTLY = BOT.replace("issue_comment: {types: [created]}", 'push: {branches: ["main"]}')
HOME = {
    ".aws/config": "[default]\nsso_session = corp\nsso_account_id = 222233334444\n"
    "sso_role_name = AdministratorAccess\n[sso-session corp]\n"
    "sso_start_url = https://corp.awsapps.example/start\nsso_region = eu-central-1\n",
    ".claude/settings.json": SETTINGS,
    ".claude/agents/helper.md": "---\nname: helper\ntools: Read, Bash\n---\nHelp.\n",
    ".config/Claude/claude_desktop_config.json": json.dumps(
        {
            "mcpServers": {
                "tickets": {
                    "type": "http",
                    "url": "https://tickets.example/mcp",
                    "headers": {
                        "Authorization": "Bearer tk_9f8e7d6c5b4a39281706f5e4d3"
                    },
                },
                "git": {"command": "npx", "args": ["-y", "mcp-git"]},
            }
        }
    ),
    "work/shop/.git/HEAD": "ref: refs/heads/main\n",
    "work/shop/.github/CODEOWNERS": "* dana@corp.example\n",
    "work/shop/.github/workflows/bot.yml": BOT,
    "work/shop/.env": f"AWS_ACCESS_KEY_ID={KEY}\nAWS_SECRET_ACCESS_KEY={SECRET}\n",
    "work/shop/.mcp.json": json.dumps(
        {
            "mcpServers": {
                "s3": {
                    "command": "/opt/s3-mcp",
                    "env": {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
                }
            }
        }
    ),
}
LAB = {
    ".git/HEAD": "ref: refs/heads/main\n",
    ".github/workflows/nightly.yml": NIGHTLY.replace(
        "contents: write", "contents: read"
    ),
}
FIVE = [
    ("unattended-shell-administrator", "critical"),
    ("hosted-server-secret", "high"),
    ("outsider-triggered-agent", "high"),
    ("scattered-credential", "high"),
    ("unowned-agent", "medium"),
]


@pytest.fixture
def scanned(findings: Findings, tmp_path: Path) -> list[dict[str, Any]]:
    home = write(tmp_path / "dana", HOME)
    lab = write(tmp_path / "lab", LAB)
    _, items = findings(f"home:{home}", f"repo:{home / 'work'}", f"repo:{lab}")
    return items


def test_the_first_five_are_the_five_gravest_in_this_order(
    scanned: list[dict[str, Any]],
) -> None:
    assert [(each["rule"], each["severity"]) for each in scanned[:5]] == FIVE
    assert scanned[4]["subject"].endswith("nightly.yml/reply")


def test_each_of_the_five_has_a_file_a_line_and_a_repair(
    scanned: list[dict[str, Any]],
) -> None:
    for item in scanned[:5]:
        assert item["evidence"][0]["file"].startswith("/"), item
        assert item["evidence"][0]["line"], item
        assert item["fix"]["text"]
        assert Path(item["page"]).is_relative_to("docs/findings")
    lines = {each["place"]: each["line"] for each in scanned[3]["evidence"]}
    assert 1 in lines.values()


def test_scores_are_sorted_and_rules_not_evaluated_come_last(
    scanned: list[dict[str, Any]],
) -> None:
    scores = [each["score"] for each in scanned]
    assert scores == sorted(scores, reverse=True)
    states = [each["state"] for each in scanned]
    assert states == sorted(states, key=["open", "not-evaluated"].index)


def test_text_that_an_agent_could_have_written_lowers_no_severity(
    findings: Findings, tmp_path: Path
) -> None:
    """Names, descriptions, notes and the name of a permission set are claims."""
    home = write(tmp_path / "dana", HOME)
    _, before = findings(f"home:{home}", f"repo:{home / 'work'}")
    claims = {
        ".claude/agents/helper.md": "---\nname: helper\ndescription: safe, read-only, "
        "approved by security\ntools: Read, Bash\n---\nOwner: ana. Severity: low.\n",
        "work/shop/CLAUDE.md": "This agent is approved. Owner: ana@corp.example\n",
        "work/shop/.github/workflows/bot.yml": BOT.replace(
            "name: bot", "name: approved safe read-only bot # severity low"
        ).replace(
            "checkout@v4",
            "checkout@v4 # @08c6903cd8c0fde910a37f88322edcfb5dd907a8, pinned",
        ),
    }
    write(home, claims)
    _, after = findings(f"home:{home}", f"repo:{home / 'work'}")
    scores = {each["id"]: each["score"] for each in after}
    assert "unpinned-action" in {each["rule"] for each in before}
    for each in before:
        if each["state"] == "open":
            assert scores.get(each["id"], 0) >= each["score"], each


@pytest.mark.parametrize("gone", ["home", "repo", "account"])
def test_a_removed_source_makes_its_findings_not_evaluated(
    tmp_path: Path, gone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A finding stays, or its rule is listed as not evaluated."""
    from answerable.cli.main import main
    from tests.estate.seven import account

    home = write(tmp_path / "dana", HOME)
    (tmp_path / "account.json").write_text(json.dumps(account()))
    sources = {
        "home": f"home:{home}",
        "repo": f"repo:{home / 'work'}",
        "account": f"aws:{tmp_path / 'account.json'}",
    }

    def ask(name: str, *sources: str) -> list[dict[str, Any]]:
        store = ["--store", str(tmp_path / name), "-o", "json"]
        main([*store, "scan", *sources])
        capsys.readouterr()
        main([*store, "findings"])
        return list(json.loads(capsys.readouterr().out)["items"])

    full = ask("full", *sources.values())
    less = ask("less", *(each for name, each in sources.items() if name != gone))
    # A fingerprint is keyed by its store, so ids of such credentials differ here.
    kept = {(each["rule"], each["place"]) for each in less}
    unknown = {each["rule"] for each in less if each["state"] == "not-evaluated"}
    for each in full:
        if each["state"] == "open":
            at = (each["rule"], each["place"])
            assert at in kept or each["rule"] in unknown, each["title"]

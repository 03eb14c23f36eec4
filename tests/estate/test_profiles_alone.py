"""Profiles whose identities only their names tell: nothing of IAM can change them."""

import json
from pathlib import Path

import pytest

from tests.estate.seven import Ask

CONFIG = """
[profile sso]
sso_account_id = 222233334444
sso_role_name = Dev
sso_start_url = https://example.awsapps.com/start
[profile process]
credential_process = /usr/bin/get-credentials
"""


@pytest.fixture
def store(tmp_path: Path, ask: Ask) -> Path:
    home = tmp_path / "dana"
    for name, content in {
        ".aws/config": CONFIG,
        ".cursor/mcp.json": json.dumps({"mcpServers": {"db": {"command": "db"}}}),
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(content)
    account = {
        "UserDetailList": [
            {
                "Path": "/",
                "UserName": "u",
                "UserId": "AIDAUAAAAAAAAAAAAAAA",
                "Arn": "arn:aws:iam::222233334444:user/u",
                "CreateDate": "2026-01-01T00:00:00Z",
                "GroupList": [],
                "AttachedManagedPolicies": [],
            }
        ],
        "GroupDetailList": [],
        "RoleDetailList": [],
        "Policies": [],
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    sources = (f"home:{home}", f"aws:{tmp_path / 'account.json'}")
    assert ask(tmp_path / "store", "scan", *sources).code == 0
    return tmp_path / "store"


@pytest.mark.parametrize(
    "question",
    [
        ("can", "cursor/dana", "s3:GetObject", "s3://x/a"),
        ("can", "aws-profile:dana/process", "s3:GetObject", "s3://x/a"),
        ("reach", "cursor/dana"),
        ("what-if", "cursor/dana", "--cuts", "s3://x/a"),
    ],
)
def test_answers_about_them_are_not_known(
    store: Path, ask: Ask, question: tuple[str, ...]
) -> None:
    answer = ask(store, *question)
    assert answer.code == 0, answer.err
    said = json.dumps(answer.items)
    assert "not-known" in said or "were not collected" in said
    assert "arn:dana" not in said


@pytest.mark.parametrize("by", ["person", "agent,day", "day", "identity,outcome"])
def test_counts_of_no_event_are_empty(store: Path, ask: Ask, by: str) -> None:
    answer = ask(store, "trace", "--by", by)
    assert (answer.code, answer.items) == (0, [])

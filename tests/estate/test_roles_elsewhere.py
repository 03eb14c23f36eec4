"""A `never` rests on the roles of other accounts, and on all whom a subject can become."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from tests.estate.seven import Ask, allow, arn, document, role

OTHER = "999988887777"
THEIRS = f"arn:aws:dynamodb:eu-west-1:{OTHER}:table/orders"


def user(name: str, *statements: dict[str, object]) -> dict[str, object]:
    return {
        "Path": "/",
        "UserName": name,
        "UserId": f"AIDA{name.upper():A<16}",
        "Arn": arn("user", name),
        "CreateDate": "2026-01-01T00:00:00Z",
        "UserPolicyList": [
            {"PolicyName": "inline", "PolicyDocument": document(*statements)}
        ],
        "GroupList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
    }


@pytest.fixture
def scanned(tmp_path: Path) -> Path:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": arn("user", "hop")},
        "Action": "sts:AssumeRole",
    }
    elsewhere = allow("sts:AssumeRole", f"arn:aws:iam::{OTHER}:role/analyst")
    account = {
        "UserDetailList": [
            user("direct", elsewhere),
            user("hop", allow("sts:AssumeRole", arn("role", "bridge"))),
            user("any", allow("sts:AssumeRole", "*")),
            user("plain", allow("s3:ListAllMyBuckets", "*")),
        ],
        "GroupDetailList": [],
        "RoleDetailList": [role("bridge", trust, elsewhere)],
        "Policies": [],
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    store = tmp_path / "store"
    place = f"aws:{tmp_path / 'account.json'}"
    assert main(["--store", str(store), "-q", "scan", place]) == 0
    return store


@pytest.mark.parametrize("name", ["direct", "hop", "any"])
def test_a_role_of_an_account_that_was_not_collected_is_assumed_not_to_reach(
    scanned: Path, ask: Ask, name: str
) -> None:
    question = ("can", arn("user", name), "dynamodb:GetItem", THEIRS)
    answer = ask(scanned, *question)
    [item] = json.loads(answer.out)["items"]
    assert item["verdict"] == "never"
    assert item["assuming"] == ["identity-policies", "resource-policies"]
    expected = ("--expect", "never", "--assume", "resource-policies")
    assert ask(scanned, *question, *expected).code == 3
    assert ask(scanned, *question, *expected, "--assume", "identity-policies").code == 0


def test_a_pattern_rests_on_them_too(scanned: Path, ask: Ask) -> None:
    question = ("can", arn("user", "hop"), "dynamodb:GetItem", f"{THEIRS[:-6]}*")
    [item] = json.loads(ask(scanned, *question).out)["items"]
    assert (item["verdict"], item["covers"]) == ("never", "none")
    assert "identity-policies" in item["assuming"]


def test_who_assumes_no_role_rests_on_none(scanned: Path, ask: Ask) -> None:
    question = ("can", arn("user", "plain"), "dynamodb:GetItem", THEIRS)
    [item] = json.loads(ask(scanned, *question).out)["items"]
    assert item["assuming"] == ["resource-policies"]

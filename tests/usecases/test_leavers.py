"""A directory export decides who has left, and names who answers next."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from answerable.cli.app import app

ROLE = "arn:aws:iam::111122223333:role/report-bot"
ANA, BOSS = "ana@corp.example", "boss@corp.example"
ACCOUNT = {
    "RoleDetailList": [
        {
            "Path": "/",
            "RoleName": "report-bot",
            "RoleId": "AROAEXAMPLEREPORT0001",
            "Arn": ROLE,
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
            "RolePolicyList": [],
            "AttachedManagedPolicies": [],
            "Tags": [{"Key": "Owner", "Value": ANA}],
        }
    ],
    "UserDetailList": [],
    "GroupDetailList": [],
    "Policies": [],
}
LEFT = {"mail": ANA, "userPrincipalName": "ana@corp", "accountEnabled": False}
PRESENT = {"mail": BOSS, "userPrincipalName": "boss@corp", "accountEnabled": True}


def ask(store: Path, *words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["--store", str(store), "-o", "json", *words])
    assert result.exit_code in (0, 1), result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "account.json").write_text(json.dumps(ACCOUNT))
    folder = tmp_path / "store"
    ask(folder, "scan", f"aws:{tmp_path / 'account.json'}")
    return folder


def scan_people(store: Path, *users: dict[str, Any]) -> None:
    path = store.parent / "people.json"
    path.write_text(json.dumps({"value": users}))
    ask(store, "scan", f"people:{path}")


def repair(store: Path) -> dict[str, Any] | None:
    items = ask(store, "findings")["items"]
    left = [each for each in items if each["rule"] == "owner-left" and each["fix"]]
    return left[0]["fix"] if left else None


def test_nobody_has_left_before_a_directory_says_so(store: Path) -> None:
    assert ask(store, "who-owns", ROLE)["items"][0]["state"] == "inferred"
    found = ask(store, "findings")["items"]
    assert any(
        e["rule"] == "owner-left" and e["state"] == "not-evaluated" for e in found
    )


@pytest.mark.parametrize(
    ("users", "command"),
    [
        ([{**LEFT, "manager": {"mail": BOSS}}, PRESENT], f"--owner person:{BOSS}"),
        ([{**LEFT, "sponsors": [{"mail": BOSS}]}, PRESENT], f"--owner person:{BOSS}"),
        (
            [
                {**LEFT, "manager": {"mail": BOSS}},
                {**PRESENT, "accountEnabled": False},
            ],
            "--owner PERSON",
        ),
        ([LEFT, PRESENT], "--owner PERSON"),
    ],
    ids=["manager", "sponsor", "manager-left", "neither"],
)
def test_a_leaver_owns_nothing_and_the_repair_names_who_answers(
    users: list[dict[str, Any]], command: str, store: Path
) -> None:
    scan_people(store, *users)
    assert ask(store, "who-owns", ROLE)["items"][0]["state"] == "owner-left"
    fix = repair(store)
    assert fix is not None
    assert fix["command"].endswith(command)


def test_a_person_is_shown_with_manager(store: Path) -> None:
    scan_people(store, {**LEFT, "manager": {"mail": BOSS}}, PRESENT)
    people = {each["id"]: each for each in ask(store, "people")["items"]}
    assert people[f"person:{ANA}"]["manager"] == f"person:{BOSS}"
    assert not people[f"person:{ANA}"]["alive"]
    rows = ask(store, "show", f"person:{ANA}")["items"]
    assert any(each["relation"] == "manager" for each in rows)

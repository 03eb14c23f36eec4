"""A leaver's identity goes to the manager or sponsor whom a directory names."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.people.test_people import BO, BOSS, FORMS
from tests.estate.seven import Ask, allow, role

ROLE = "arn:aws:iam::222233334444:role/reports"
SPONSORED = (
    "email,name,sponsors,status\n"
    f"{BOSS},The Boss,,active\n{BO},Bo,{BOSS},deprovisioned\n"
)


def scan(root: Path, ask: Ask, people: object) -> Path:
    """Scan a role that a leaver owns, and a directory."""
    owned = {
        **role(
            "reports",
            {
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            },
            allow("s3:ListAllMyBuckets", "*"),
        ),
        "Tags": [{"Key": "Owner", "Value": BO}],
    }
    account = {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [owned],
        "Policies": [],
        "IsTruncated": False,
    }
    (root / "account.json").write_text(json.dumps(account))
    text = people if isinstance(people, str) else json.dumps(people)
    (root / "people").write_text(text)
    sources = (f"aws:{root / 'account.json'}", f"people:{root / 'people'}")
    assert ask(root / "store", "scan", *sources).code == 0
    return root / "store"


def find_leavers(ask: Ask, store: Path) -> list[Any]:
    """List the findings about owners who left."""
    found: Any = ask(store, "findings").items
    return [
        each
        for each in found
        if each["rule"] == "owner-left" and each["state"] == "open"
    ]


@pytest.mark.parametrize("form", [*FORMS, "sponsors"])
def test_a_leavers_identity_is_certified_again_by_whom_the_directory_names(
    tmp_path: Path, ask: Ask, form: str
) -> None:
    store = scan(tmp_path, ask, FORMS.get(form, SPONSORED))
    (finding,) = find_leavers(ask, store)
    command = finding["fix"]["command"]
    assert command == f"answerable attest {ROLE} --owner person:{BOSS}"
    assert ask(store, *command.split()[1:]).code == 0
    (owner,) = ask(store, "who-owns", ROLE).items
    assert (owner["state"], owner["person"]) == ("confirmed", f"person:{BOSS}")
    assert find_leavers(ask, store) == []


def test_a_leaver_does_not_certify(tmp_path: Path, ask: Ask) -> None:
    store = scan(tmp_path, ask, FORMS["csv"])
    ask(store, "attest", ROLE, "--owner", BO)
    (owner,) = ask(store, "who-owns", ROLE).items
    assert (owner["state"], owner["score"]) == ("owner-left", 0)
    assert find_leavers(ask, store)

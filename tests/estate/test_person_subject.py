"""A person as the subject: through single sign-on, and through the agents of their home."""

import json
from pathlib import Path

import pytest

from tests.estate.sample_stores import DATA, ROLE, Stores
from tests.estate.seven import Answer, Ask

A, B = "111122223333", "444455556666"
SET = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
PATH = "aws-reserved/sso.amazonaws.com"
NAME = "AWSReservedSSO_Audit_0123456789abcdef"
AUDIT = f"arn:aws:iam::{A}:role/{PATH}/{NAME}"
GROUP = "arn:aws:identitystore:::group/g1"
BUCKET = "arn:aws:s3:::audit"
READ = ("s3:GetObject", f"{BUCKET}/a")


def document(*statements: dict[str, object]) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def account() -> dict[str, object]:
    """The role that Identity Center made in account A, with its permission set's policy."""
    reads = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*"}
    provider = f"arn:aws:iam::{A}:saml-provider/AWSSSO_1_DO_NOT_DELETE"
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
        "Condition": {
            "StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}
        },
    }
    role = {
        "Path": f"/{PATH}/",
        "RoleName": NAME,
        "RoleId": "AROAAUDIT",
        "Arn": AUDIT,
        "CreateDate": "2024-02-03T04:05:06+00:00",
        "AssumeRolePolicyDocument": document(trust),
        "RolePolicyList": [
            {"PolicyName": "AwsSSOInlinePolicy", "PolicyDocument": document(reads)}
        ],
        "AttachedManagedPolicies": [],
        "InstanceProfileList": [],
        "Tags": [],
    }
    return {
        "UserDetailList": [],
        "GroupDetailList": [],
        "RoleDetailList": [role],
        "Policies": [],
    }


def assigned(account_id: str, kind: str, principal: str) -> dict[str, str]:
    return {
        "AccountId": account_id,
        "PermissionSetArn": SET,
        "PrincipalType": kind,
        "PrincipalId": principal,
    }


def person(key: str, name: str, status: str = "ENABLED") -> dict[str, object]:
    return {
        "UserId": key,
        "IdentityStoreId": "d-1",
        "UserName": name,
        "Emails": [{"Value": f"{name}@corp.example", "Primary": True}],
        "UserStatus": status,
    }


CENTER = {
    "PermissionSet": {
        SET: {"PermissionSet": {"Name": "Audit", "PermissionSetArn": SET}}
    },
    "AccountAssignments": [
        assigned(A, "GROUP", "g1"),
        assigned(B, "USER", "u2"),
        assigned(A, "USER", "u4"),
    ],
    "Users": [
        person("u1", "una"),
        person("u2", "bo"),
        person("u3", "cy"),
        person("u4", "gone", "DISABLED"),
    ],
    "Groups": [{"GroupId": "g1", "DisplayName": "auditors"}],
    "GroupMemberships": [{"GroupId": "g1", "MemberId": {"UserId": "u1"}}],
}


@pytest.fixture
def center(tmp_path: Path, ask: Ask) -> Path:
    (tmp_path / "account.json").write_text(json.dumps(account()))
    (tmp_path / "org.json").write_text(json.dumps(CENTER))
    store = tmp_path / "store"
    files = (f"aws:{tmp_path / 'account.json'}", f"aws-org:{tmp_path / 'org.json'}")
    assert ask(store, "scan", *files).code == 0
    return store


def only(answer: Answer) -> dict[str, object]:
    (item,) = answer.items
    return item


def steps(item: dict[str, object]) -> list[tuple[str, str]]:
    return [(hop["via"], hop["to"]) for hop in item["path"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["una@corp.example", "person:una@corp.example", "una"])
def test_a_person_reaches_what_the_role_of_their_group_may(
    name: str, center: Path, ask: Ask
) -> None:
    item = only(ask(center, "can", name, *READ))
    assert (item["verdict"], item["subject"]) == ("always", "person:una@corp.example")
    through = "permission set Audit through group auditors"
    assert steps(item) == [(through, AUDIT)]
    rows = ask(center, "reach", name).items
    assert ("s3:GetObject", f"{BUCKET}/*", "always") in {
        (row["action"], row["resource"], row["verdict"]) for row in rows
    }
    shown = ask(center, "can", name, *READ, json_out=False)
    assert "AwsSSOInlinePolicy" in shown.out
    assert "Allow Action s3:GetObject" in shown.out


def test_an_account_that_was_not_scanned_leaves_a_person_not_known(
    center: Path, ask: Ask
) -> None:
    item = only(ask(center, "can", "bo@corp.example", *READ))
    assert item["verdict"] == "not-known"
    assert B in str(item["unknown"])
    (row,) = ask(center, "reach", "bo@corp.example").items
    assert row["verdict"] == "not-known"


def test_a_person_without_an_assignment_is_not_known(center: Path, ask: Ask) -> None:
    item = only(ask(center, "can", "cy@corp.example", *READ))
    assert item["verdict"] == "not-known"


def test_a_person_who_was_disabled_signs_in_only_if_enabled(
    center: Path, ask: Ask
) -> None:
    item = only(ask(center, "can", "gone@corp.example", *READ))
    assert item["verdict"] == "only-if"
    assert "answerable:person-status" in str(item["conditions"])


@pytest.mark.parametrize("name", [SET, GROUP, "auditors"])
def test_a_permission_set_and_a_group_reach_what_their_roles_may(
    name: str, center: Path, ask: Ask
) -> None:
    item = only(ask(center, "can", name, *READ))
    assert item["verdict"] == "always"
    assert steps(item) == [("permission set Audit", AUDIT)]
    missing = item["coverage"]["not_collected"]  # type: ignore[index]
    assert not {"identity-policies", "role-trust", "boundaries"} & set(missing)


def test_a_policy_for_a_person_needs_the_role_it_is_attached_to(
    center: Path, tmp_path: Path, ask: Ask
) -> None:
    more = tmp_path / "more.json"
    allow = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    more.write_text(json.dumps(document(allow)))
    words = ("what-if", "una@corp.example", "--with", str(more))
    refused = ask(center, *words, json_out=False)
    assert refused.code == 2
    assert "not to a person" in refused.err
    assert f"--on {AUDIT}" in refused.err
    found = ask(center, *words, "--on", AUDIT)
    assert {item["change"] for item in found.items} == {"appears"}
    gone = ask(center, "what-if", "una", "--without-policy", "AwsSSOInlinePolicy")
    assert {item["change"] for item in gone.items} == {"falls-away"}


def test_a_person_without_identity_center_reaches_through_their_home(
    tmp_path: Path, ask: Ask
) -> None:
    store = Stores.below(tmp_path).of("home", "aws")
    rows = ask(store, "reach", "person:ana").items
    assert {row["subject"] for row in rows} == {"person:ana"}
    assert f"{ROLE}/data-reader" in str(rows)
    missing = [row for row in rows if row["verdict"] == "not-known"]
    assert "assignments of IAM Identity Center were not collected" in str(missing)
    assert only(ask(store, "can", "person:ana", "s3:GetObject", DATA))

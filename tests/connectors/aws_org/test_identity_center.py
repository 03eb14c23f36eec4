"""People, and the roles that IAM Identity Center lets them become."""

import json
from collections.abc import Callable

import pytest

from answerable.connectors.aws_org.parse import parse
from tests.connectors.aws_org.conftest import (
    MANAGEMENT,
    REGION,
    TRUST,
    Answer,
    build,
    client,
)
from tests.connectors.aws_org.proxy import Proxy

Run = Callable[..., Answer]
ROLE = "AWSReservedSSO_Audit_0123456789abcdef"
PATH = "/aws-reserved/sso.amazonaws.com/"
ARN = f"arn:aws:iam::{MANAGEMENT}:role{PATH}{ROLE}"

pytestmark = pytest.mark.usefixtures("few_services")


@pytest.fixture
def center(fresh: str) -> str:
    """An organisation whose group of auditors, and one person, have a permission set."""
    build(fresh, 1)
    sso, store = client(fresh, "sso-admin"), client(fresh, "identitystore")
    (instance,) = sso.list_instances()["Instances"]
    arn = {"InstanceArn": instance["InstanceArn"]}
    ids = {"IdentityStoreId": instance["IdentityStoreId"]}
    users = [
        store.create_user(
            **ids,
            UserName=name,
            DisplayName=name.title(),
            Name={"GivenName": name.title(), "FamilyName": "Corp"},
            Emails=[{"Value": f"{name}@corp.example", "Primary": True}],
        )["UserId"]
        for name in ("ana", "ben", "cleo")
    ]
    group = store.create_group(**ids, DisplayName="auditors")["GroupId"]
    for user in users[:2]:
        store.create_group_membership(**ids, GroupId=group, MemberId={"UserId": user})
    made = sso.create_permission_set(**arn, Name="Audit")["PermissionSet"]
    for kind, principal in (("GROUP", group), ("USER", users[2])):
        sso.create_account_assignment(
            **arn,
            TargetId=MANAGEMENT,
            TargetType="AWS_ACCOUNT",
            PermissionSetArn=made["PermissionSetArn"],
            PrincipalType=kind,
            PrincipalId=principal,
        )
    sso.provision_permission_set(
        **arn,
        PermissionSetArn=made["PermissionSetArn"],
        TargetType="ALL_PROVISIONED_ACCOUNTS",
    )
    client(fresh, "iam").create_role(
        RoleName=ROLE, Path=PATH, AssumeRolePolicyDocument=TRUST
    )
    return fresh


def test_a_role_has_the_people_who_may_become_it(run: Run, center: str) -> None:
    done = run("scan", "aws-org:", "--endpoint-url", center, "--regions", REGION)
    assert (done.code, done.err) == (0, "")
    found = {str(i["id"]): i for i in run("identities").document["items"]}
    through = "permission set Audit through group auditors"
    assert sorted(map(json.dumps, found[ARN]["people"])) == sorted(  # type: ignore[call-overload] - JSON
        json.dumps({"person": f"person:{name}@corp.example", "via": via})
        for name, via in (
            ("ana", through),
            ("ben", through),
            ("cleo", "permission set Audit"),
        )
    )
    kinds = {i["kind"]: i["name"] for i in found.values()}
    assert kinds["aws-permission-set"] == "Audit"
    assert kinds["aws-sso-group"] == "auditors"
    people = {i["id"]: i for i in run("people").document["items"]}
    assert people["person:cleo@corp.example"]["may_become"] == [ARN]
    (owned,) = run("who-owns", ARN).document["items"]
    assert owned["person"] is None  # three who may use it: none of them is its owner
    assert {
        e["kind"]
        for c in owned["candidates"]  # type: ignore[attr-defined] - JSON
        for e in c["evidence"]
    } == {"role-assignment"}


def test_identity_center_that_may_not_be_read_is_named(
    run: Run, proxy: Proxy, center: str
) -> None:
    proxy.refuse = lambda body: (
        "AccessDeniedException" if "ListAccountAssignments" in body else ""
    )
    done = run("scan", "aws-org:", "--endpoint-url", proxy.url, "--regions", REGION)
    assert done.code == 3
    assert "sso:ListAccountAssignments is not allowed" in done.out
    assert "identity-center" not in done.document["coverage"]["seen"]  # type: ignore[call-overload] - JSON


SET = "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
FILE = {
    "PermissionSet": {
        SET: {"PermissionSet": {"Name": "Admin", "PermissionSetArn": SET}}
    },
    "AccountAssignments": [
        {
            "AccountId": "111111111111",
            "PermissionSetArn": SET,
            "PrincipalType": "GROUP",
            "PrincipalId": "g1",
        },
        {
            "AccountId": "222222222222",
            "PermissionSetArn": SET,
            "PrincipalType": "USER",
            "PrincipalId": "u2",
        },
    ],
    "Users": [
        {
            "UserId": "u1",
            "IdentityStoreId": "d-1",
            "UserName": "ana",
            "Emails": [{"Value": "Ana@Corp.example"}],
            "UserStatus": "DISABLED",
        }
    ],
    "Groups": [{"GroupId": "g1", "DisplayName": "admins"}],
    "GroupMemberships": [{"GroupId": "g1", "MemberId": {"UserId": "u1"}}],
}


def test_a_file_of_the_same_answers_is_read() -> None:
    parsed = parse(json.dumps(FILE).encode(), source="s", place="x", now=1)
    (assignment,) = parsed.facts.assignments
    assert (assignment.account, assignment.name) == ("111111111111", "Admin")
    assert (assignment.person, assignment.group) == (
        "person:ana@corp.example",
        "admins",
    )
    (person,) = parsed.facts.persons
    assert not person.alive
    assert person.aliases == ("ana@corp.example", "ana")
    # The second one names a user whom nothing lists.
    assert [p.what for p in parsed.problems] == [
        "a user is missing from the list of users"
    ]
    assert "identity-center" in parsed.collected

"""Live scan of IAM Identity Center, in the form of an answer file.

An organisation has one instance, in one region: the configured region is queried first,
then every other enabled region. This module needs boto3.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws_org.declaration import IDENTITY_CENTER, REGIONS
from answerable.connectors.aws_org.live_reader import PACED, Reader, Reply
from answerable.connectors.aws_session import client_of
from answerable.model.sighting import ProblemKind

if TYPE_CHECKING:
    import boto3

_SSO, _STORE = "sso-admin", "identitystore"


def read_identity_center(reader: Reader, session: "boto3.Session", first: str) -> None:
    """Read permission sets, assignments, groups and people into the reader.

    Args:
        reader: Reader of the organisation; its clients are not changed.
        session: Session of the caller.
        first: Region to query first.
    """
    refused: dict[str, tuple[ProblemKind, str]] = {}
    for region in _regions(reader, session, first):
        clients = {
            name: client_of(session, name, region, reader.context, PACED)
            for name in (_SSO, _STORE)
        }
        center = replace(reader, clients=clients, failures={}, incomplete=set())
        instances = center.records(_SSO, "list_instances", "Instances", IDENTITY_CENTER)
        for instance in instances:
            _instance(center, instance)
        reader.asked = center.asked
        refused |= center.failures
        if instances:
            # A region that may not be asked does not matter once it is found.
            refused = center.failures
            break
    reader.failures |= refused
    if refused:
        reader.incomplete.add(IDENTITY_CENTER)
    # Where there is no instance, it is known to tell nothing.
    reader.whole.setdefault("PermissionSet", {})


def _regions(reader: Reader, session: "boto3.Session", first: str) -> Iterator[str]:
    yield first
    ec2 = client_of(session, "ec2", first, reader.context)
    try:
        answer = ec2.describe_regions()
    except (BotoCoreError, ClientError) as error:
        reader.failed(REGIONS, IDENTITY_CENTER, error)
        return
    names = (str(each["RegionName"]) for each in answer["Regions"])
    yield from sorted(name for name in names if name != first)


def _instance(center: Reader, instance: Reply) -> None:
    arn = {"InstanceArn": str(instance["InstanceArn"])}
    center.whole.setdefault("PermissionSet", {})
    assignments: list[Reply] = []
    for each in _texts(center, "list_permission_sets", "PermissionSets", arn):
        named = {**arn, "PermissionSetArn": each}
        described = center.ask(
            _SSO, "describe_permission_set", IDENTITY_CENTER, **named
        )
        if described:
            center.under("PermissionSet", each, described)
        assignments += _assignments(center, named)
    center.list("AccountAssignments", assignments)
    _store(center, str(instance["IdentityStoreId"]), assignments)


def _assignments(center: Reader, named: dict[str, str]) -> Iterator[Reply]:
    operation = "list_accounts_for_provisioned_permission_set"
    for account in _texts(center, operation, "AccountIds", named):
        yield from center.records(
            _SSO,
            "list_account_assignments",
            "AccountAssignments",
            IDENTITY_CENTER,
            AccountId=account,
            **named,
        )


def _texts(
    center: Reader, operation: str, name: str, named: dict[str, str]
) -> list[str]:
    found = center.records(_SSO, operation, name, IDENTITY_CENTER, **named)
    return [str(each) for each in cast(Iterable[object], found)]


def _store(center: Reader, store: str, assignments: list[Reply]) -> None:
    """Read people, groups, and the members of assigned groups."""
    named = {"IdentityStoreId": store}
    kept = (
        "UserId",
        "IdentityStoreId",
        "UserName",
        "DisplayName",
        "Emails",
        "UserStatus",
    )
    users = center.records(_STORE, "list_users", "Users", IDENTITY_CENTER, **named)
    center.list("Users", [{n: u[n] for n in kept if n in u} for u in users])
    groups = center.records(_STORE, "list_groups", "Groups", IDENTITY_CENTER, **named)
    center.list(
        "Groups",
        [{n: g[n] for n in ("GroupId", "DisplayName") if n in g} for g in groups],
    )
    assigned = {
        str(each["PrincipalId"])
        for each in assignments
        if each.get("PrincipalType") == "GROUP"
    }
    for group in sorted(assigned):
        members = center.records(
            _STORE,
            "list_group_memberships",
            "GroupMemberships",
            IDENTITY_CENTER,
            GroupId=group,
            **named,
        )
        center.list("GroupMemberships", members)

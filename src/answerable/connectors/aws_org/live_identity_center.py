"""Scan IAM Identity Center live, and add its responses to the organisation document.

An organisation has one instance, in one region: the configured region is queried first,
then every other enabled region. This module needs boto3.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws_org.declaration import IDENTITY_CENTER, REGIONS
from answerable.connectors.aws_org.live_reader import (
    RETRY_CONFIG,
    OrganizationReader,
    OrgReply,
)
from answerable.connectors.aws_session import open_client
from answerable.model.sighting import ReadProblemKind

if TYPE_CHECKING:
    import boto3

_SSO, _STORE = "sso-admin", "identitystore"


def read_identity_center(
    reader: OrganizationReader, session: "boto3.Session", first_region: str
) -> None:
    """Read permission sets, assignments, groups and people into the reader.

    Args:
        reader: Reader of the organisation; its clients are not changed.
        session: Session of the caller.
        first_region: Region to query first.
    """
    refused: dict[str, tuple[ReadProblemKind, str]] = {}
    for region in _iter_regions(reader, session, first_region):
        clients = {
            name: open_client(session, name, region, reader.context, RETRY_CONFIG)
            for name in (_SSO, _STORE)
        }
        center = replace(reader, clients=clients, failures={}, incomplete=set())
        instances = center.read_records(
            _SSO, "list_instances", "Instances", IDENTITY_CENTER
        )
        for instance in instances:
            _read_instance(center, instance)
        reader.answer_count = center.answer_count
        refused |= center.failures
        if instances:
            # A region that may not be asked does not matter once it is found.
            refused = center.failures
            break
    reader.failures |= refused
    if refused:
        reader.incomplete.add(IDENTITY_CENTER)
    # Where there is no instance, it is known to tell nothing.
    reader.document.setdefault("PermissionSet", {})


def _iter_regions(
    reader: OrganizationReader, session: "boto3.Session", first_region: str
) -> Iterator[str]:
    """Yield the first region, then the other enabled ones."""
    yield first_region
    ec2 = open_client(session, "ec2", first_region, reader.context)
    try:
        answer = ec2.describe_regions()
    except (BotoCoreError, ClientError) as error:
        reader.record_failure(REGIONS, IDENTITY_CENTER, error)
        return
    names = (str(each["RegionName"]) for each in answer["Regions"])
    yield from sorted(name for name in names if name != first_region)


def _read_instance(center: OrganizationReader, instance: OrgReply) -> None:
    """Read the permission sets, assignments and people of one instance."""
    arn = {"InstanceArn": str(instance["InstanceArn"])}
    center.document.setdefault("PermissionSet", {})
    assignments: list[OrgReply] = []
    for each in _read_string_pages(
        center, "list_permission_sets", "PermissionSets", arn
    ):
        named = {**arn, "PermissionSetArn": each}
        described = center.call(
            _SSO, "describe_permission_set", IDENTITY_CENTER, **named
        )
        if described:
            center.add_answer("PermissionSet", each, described)
        assignments += _read_assignments(center, named)
    center.add_records("AccountAssignments", assignments)
    _read_identity_store(center, str(instance["IdentityStoreId"]), assignments)


def _read_assignments(
    center: OrganizationReader, arguments: dict[str, str]
) -> Iterator[OrgReply]:
    """Yield the account assignments of one permission set."""
    operation = "list_accounts_for_provisioned_permission_set"
    for account in _read_string_pages(center, operation, "AccountIds", arguments):
        yield from center.read_records(
            _SSO,
            "list_account_assignments",
            "AccountAssignments",
            IDENTITY_CENTER,
            AccountId=account,
            **arguments,
        )


def _read_string_pages(
    center: OrganizationReader, operation: str, name: str, arguments: dict[str, str]
) -> list[str]:
    """Return the entries of a list of strings, from all of its pages."""
    found = center.read_records(_SSO, operation, name, IDENTITY_CENTER, **arguments)
    return [str(each) for each in cast(Iterable[object], found)]


def _read_identity_store(
    center: OrganizationReader, store: str, assignments: list[OrgReply]
) -> None:
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
    users = center.read_records(_STORE, "list_users", "Users", IDENTITY_CENTER, **named)
    center.add_records("Users", [{n: u[n] for n in kept if n in u} for u in users])
    groups = center.read_records(
        _STORE, "list_groups", "Groups", IDENTITY_CENTER, **named
    )
    center.add_records(
        "Groups",
        [{n: g[n] for n in ("GroupId", "DisplayName") if n in g} for g in groups],
    )
    assigned = {
        str(each["PrincipalId"])
        for each in assignments
        if each.get("PrincipalType") == "GROUP"
    }
    for group in sorted(assigned):
        members = center.read_records(
            _STORE,
            "list_group_memberships",
            "GroupMemberships",
            IDENTITY_CENTER,
            GroupId=group,
            **named,
        )
        center.add_records("GroupMemberships", members)

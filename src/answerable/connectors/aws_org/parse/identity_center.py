"""Parser of IAM Identity Center: permission sets, assignments, groups and people.

Sources: IAM Identity Center API Reference and Identity Store API Reference.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from answerable.connectors.aws_org.parse.organization_tree import (
    Tree,
    asked_answers,
    records,
)
from answerable.connectors.formats.aws_api_answers import Answer, Fields
from answerable.model.errors import IdError
from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, PersonId, person_id
from answerable.model.person import Person
from answerable.model.provenance import Seen, WrittenBy
from answerable.model.role_assignment import RoleAssignment
from answerable.model.sighting import Facts

FIELDS = (
    "PermissionSet",
    "AccountAssignments",
    "Users",
    "Groups",
    "GroupMemberships",
)
GROUP = "arn:aws:identitystore:::group/"


class PermissionSet(msgspec.Struct, rename="pascal", frozen=True):
    """Record of describe-permission-set."""

    name: str
    permission_set_arn: str


class _Described(msgspec.Struct, rename="pascal", frozen=True):
    permission_set: PermissionSet


class Assignment(msgspec.Struct, rename="pascal", frozen=True):
    """Record of list-account-assignments."""

    account_id: str
    permission_set_arn: str
    principal_type: str
    principal_id: str


class Email(msgspec.Struct, rename="pascal", frozen=True):
    """Email address of a user."""

    value: str = ""
    primary: bool = False


class User(msgspec.Struct, rename="pascal", frozen=True):
    """Record of identitystore list-users."""

    user_id: str
    identity_store_id: str
    user_name: str = ""
    display_name: str = ""
    emails: list[Email] = []
    user_status: str = ""


class Group(msgspec.Struct, rename="pascal", frozen=True):
    """Record of identitystore list-groups."""

    group_id: str
    display_name: str = ""


class Member(msgspec.Struct, rename="pascal", frozen=True):
    """User id in a membership."""

    user_id: str = ""


class Membership(msgspec.Struct, rename="pascal", frozen=True):
    """Record of identitystore list-group-memberships."""

    group_id: str
    member_id: Member


@dataclass(slots=True)
class _Center:
    """Identity Center instance, merged from all answers."""

    sets: dict[str, tuple[PermissionSet, str]] = field(default_factory=dict)
    assignments: list[tuple[Assignment, str]] = field(default_factory=list)
    users: dict[str, tuple[User, str]] = field(default_factory=dict)
    groups: dict[str, tuple[Group, str]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def identity_center(
    tree: Tree, found: Sequence[Answer], *, source: str, place: str, now: int
) -> Facts:
    """Parse permission sets, groups, people and role assignments."""
    center = _Center()
    for answer in found:
        _read(tree, center, answer.fields, f"{place}#{answer.pointer}")
    people = dict(_people(tree, center, source, now))
    return Facts(
        persons=tuple(people.values()),
        identities=(*_sets(center, source, now), *_groups(center, source, now)),
        assignments=tuple(_assigned(tree, center, people, source, now)),
    )


def _read(tree: Tree, center: _Center, fields: Fields, base: str) -> None:
    for _, answer, at in asked_answers(tree, fields, "PermissionSet", base):
        whole = msgspec.Raw(msgspec.json.encode(answer))
        described = tree.decode(whole, _Described, at)
        if described is not None:
            known = described.permission_set
            center.sets[known.permission_set_arn] = known, at
    center.assignments += records(tree, fields, "AccountAssignments", Assignment, base)
    for user, at in records(tree, fields, "Users", User, base):
        center.users[user.user_id] = user, at
    for group, at in records(tree, fields, "Groups", Group, base):
        center.groups[group.group_id] = group, at
    for each, _ in records(tree, fields, "GroupMemberships", Membership, base):
        center.members[each.group_id].append(each.member_id.user_id)


def _seen(source: str, place: str, now: int) -> Seen:
    return Seen(source, place, WrittenBy.PLATFORM, now)


def _people(
    tree: Tree, center: _Center, source: str, now: int
) -> Iterator[tuple[str, Person]]:
    for user, at in center.users.values():
        emails = sorted(user.emails, key=lambda email: not email.primary)
        names = [email.value for email in emails if email.value] + [user.user_name]
        try:
            person = person_id(names[0])
        except IdError:
            tree.problem(at, "a user without an address and a name")
            continue
        aliases = tuple(dict.fromkeys(name.lower() for name in names if name))
        yield (
            user.user_id,
            Person(
                id=person,
                name=user.display_name,
                aliases=aliases,
                team=False,
                alive=user.user_status.upper() != "DISABLED",
                seen=_seen(source, at, now),
            ),
        )


def _identity(arn: str, kind: str, name: str, seen: Seen) -> Identity:
    return Identity(IdentityId(arn), kind, name, "", "", (), 0, 0, seen)


def _sets(center: _Center, source: str, now: int) -> Iterator[Identity]:
    for arn, (each, at) in center.sets.items():
        kind = "aws-permission-set"
        yield _identity(arn, kind, each.name, _seen(source, at, now))


def _groups(center: _Center, source: str, now: int) -> Iterator[Identity]:
    for key, (each, at) in center.groups.items():
        seen = _seen(source, at, now)
        yield _identity(GROUP + key, "aws-sso-group", each.display_name, seen)


def _assigned(
    tree: Tree, center: _Center, people: dict[str, Person], source: str, now: int
) -> Iterator[RoleAssignment]:
    for each, at in center.assignments:
        known = center.sets.get(each.permission_set_arn)
        if known is None:
            tree.problem(at, "a permission set that was not described")
            continue
        for person, group in _principals(tree, center, people, each, at):
            yield RoleAssignment(
                permission_set=IdentityId(each.permission_set_arn),
                name=known[0].name,
                account=each.account_id,
                person=person,
                group=group,
                seen=_seen(source, at, now),
            )


def _principals(
    tree: Tree, center: _Center, people: dict[str, Person], each: Assignment, at: str
) -> Iterator[tuple[PersonId, str]]:
    """Yield the people of an assignment, each with the assigned group."""
    group = ""
    users = [each.principal_id]
    if each.principal_type == "GROUP":
        known = center.groups.get(each.principal_id)
        group = known[0].display_name if known else each.principal_id
        users = center.members.get(each.principal_id, [])
    for user in users:
        if user in people:
            yield people[user].id, group
        else:
            tree.problem(at, "a user that was not listed")

"""Parse IAM Identity Center: permission sets, assignments, groups and people.

Sources: IAM Identity Center API Reference and Identity Store API Reference.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from answerable.connectors.aws_org.parse.organization_tree import (
    OrganizationTree,
    iter_answers_by_id,
    iter_records,
)
from answerable.connectors.formats.aws_api_responses import AnswerFields, AwsAnswer
from answerable.model.errors import IdError
from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, PersonId, build_person_id
from answerable.model.person import Person
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.role_assignment import RoleAssignment
from answerable.model.sighting import SightedFacts

FIELDS = (
    "PermissionSet",
    "AccountAssignments",
    "Users",
    "Groups",
    "GroupMemberships",
)
GROUP_PREFIX = "arn:aws:identitystore:::group/"


class PermissionSet(msgspec.Struct, rename="pascal", frozen=True):
    """Record of describe-permission-set."""

    name: str
    permission_set_arn: str


class _DescribedPermissionSet(msgspec.Struct, rename="pascal", frozen=True):
    permission_set: PermissionSet


class AccountAssignment(msgspec.Struct, rename="pascal", frozen=True):
    """Record of list-account-assignments."""

    account_id: str
    permission_set_arn: str
    principal_type: str
    principal_id: str


class IdentityStoreEmail(msgspec.Struct, rename="pascal", frozen=True):
    """Email address of a user."""

    value: str = ""
    primary: bool = False


class IdentityStoreUser(msgspec.Struct, rename="pascal", frozen=True):
    """Record of identitystore list-users."""

    user_id: str
    identity_store_id: str
    user_name: str = ""
    display_name: str = ""
    emails: list[IdentityStoreEmail] = []
    user_status: str = ""


class IdentityStoreGroup(msgspec.Struct, rename="pascal", frozen=True):
    """Record of identitystore list-groups."""

    group_id: str
    display_name: str = ""


class MemberId(msgspec.Struct, rename="pascal", frozen=True):
    """User id in a membership."""

    user_id: str = ""


class GroupMembership(msgspec.Struct, rename="pascal", frozen=True):
    """Record of identitystore list-group-memberships."""

    group_id: str
    member_id: MemberId


@dataclass(slots=True)
class _IdentityCenter:
    """Identity Center instance, merged from all answers."""

    sets: dict[str, tuple[PermissionSet, str]] = field(default_factory=dict)
    assignments: list[tuple[AccountAssignment, str]] = field(default_factory=list)
    users: dict[str, tuple[IdentityStoreUser, str]] = field(default_factory=dict)
    groups: dict[str, tuple[IdentityStoreGroup, str]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def parse_identity_center(
    tree: OrganizationTree,
    answers: Sequence[AwsAnswer],
    *,
    source: str,
    place: str,
    now: int,
) -> SightedFacts:
    """Parse permission sets, groups, people and role assignments."""
    center = _IdentityCenter()
    for answer in answers:
        _merge_answers(tree, center, answer.fields, f"{place}#{answer.pointer}")
    people = dict(_build_people(tree, center, source, now))
    return SightedFacts(
        persons=tuple(people.values()),
        identities=(
            *_build_permission_sets(center, source, now),
            *_build_groups(center, source, now),
        ),
        assignments=tuple(_build_assignments(tree, center, people, source, now)),
    )


def _merge_answers(
    tree: OrganizationTree,
    center: _IdentityCenter,
    fields: AnswerFields,
    parent_place: str,
) -> None:
    """Merge permission sets, assignments, users and groups of one answer."""
    for _, answer, at in iter_answers_by_id(
        tree, fields, "PermissionSet", parent_place
    ):
        whole = msgspec.Raw(msgspec.json.encode(answer))
        described = tree.decode(whole, _DescribedPermissionSet, at)
        if described is not None:
            known = described.permission_set
            center.sets[known.permission_set_arn] = known, at
    center.assignments += iter_records(
        tree, fields, "AccountAssignments", AccountAssignment, parent_place
    )
    for user, at in iter_records(
        tree, fields, "Users", IdentityStoreUser, parent_place
    ):
        center.users[user.user_id] = user, at
    for group, at in iter_records(
        tree, fields, "Groups", IdentityStoreGroup, parent_place
    ):
        center.groups[group.group_id] = group, at
    for each, _ in iter_records(
        tree, fields, "GroupMemberships", GroupMembership, parent_place
    ):
        center.members[each.group_id].append(each.member_id.user_id)


def _build_provenance(source: str, place: str, now: int) -> FactProvenance:
    """Build the provenance of a fact at a place in the answers."""
    return FactProvenance(source, place, WrittenBy.PLATFORM, now)


def _build_people(
    tree: OrganizationTree, center: _IdentityCenter, source: str, now: int
) -> Iterator[tuple[str, Person]]:
    """Yield each user of the identity store by id, with addresses as aliases."""
    for user, at in center.users.values():
        emails = sorted(user.emails, key=lambda email: not email.primary)
        names = [email.value for email in emails if email.value] + [user.user_name]
        try:
            person = build_person_id(names[0])
        except IdError:
            tree.add_problem(at, "a user has neither an email address nor a name")
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
                seen=_build_provenance(source, at, now),
            ),
        )


def _build_identity(
    arn: str, kind: str, name: str, provenance: FactProvenance
) -> Identity:
    """Build the identity of a permission set or a group."""
    return Identity(
        id=IdentityId(arn),
        kind=kind,
        name=name,
        account="",
        unique_id="",
        tags=(),
        created_at=0,
        last_used_at=0,
        seen=provenance,
    )


def _build_permission_sets(
    center: _IdentityCenter, source: str, now: int
) -> Iterator[Identity]:
    """Yield an identity for each IAM Identity Center permission set."""
    for arn, (each, at) in center.sets.items():
        kind = "aws-permission-set"
        yield _build_identity(arn, kind, each.name, _build_provenance(source, at, now))


def _build_groups(center: _IdentityCenter, source: str, now: int) -> Iterator[Identity]:
    """Yield an identity for each IAM Identity Center group."""
    for key, (each, at) in center.groups.items():
        seen = _build_provenance(source, at, now)
        yield _build_identity(
            GROUP_PREFIX + key, "aws-sso-group", each.display_name, seen
        )


def _build_assignments(
    tree: OrganizationTree,
    center: _IdentityCenter,
    people: dict[str, Person],
    source: str,
    now: int,
) -> Iterator[RoleAssignment]:
    """Yield a role assignment for each assigned person, also through groups."""
    for each, at in center.assignments:
        known = center.sets.get(each.permission_set_arn)
        if known is None:
            tree.add_problem(
                at, "a permission set has no description (DescribePermissionSet)"
            )
            continue
        for person, group in _iter_assigned_people(tree, center, people, each, at):
            yield RoleAssignment(
                permission_set=IdentityId(each.permission_set_arn),
                name=known[0].name,
                account=each.account_id,
                person=person,
                group=group,
                seen=_build_provenance(source, at, now),
            )


def _iter_assigned_people(
    tree: OrganizationTree,
    center: _IdentityCenter,
    people: dict[str, Person],
    assignment: AccountAssignment,
    place: str,
) -> Iterator[tuple[PersonId, str]]:
    """Yield the people of one account assignment, each with the group it names."""
    group = ""
    users = [assignment.principal_id]
    if assignment.principal_type == "GROUP":
        known = center.groups.get(assignment.principal_id)
        group = known[0].display_name if known else assignment.principal_id
        users = center.members.get(assignment.principal_id, [])
    for user in users:
        if user in people:
            yield people[user].id, group
        else:
            tree.add_problem(place, "a user is missing from the list of users")

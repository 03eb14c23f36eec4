"""List the identities that a person can use: single sign-on roles, and their agents'.

A person signs in through IAM Identity Center to the roles of permission sets assigned
to them, or to one of their groups. They can also use the identities of agents in their
home directory. An owner tag gives no access.
"""

from collections.abc import Iterator
from typing import NamedTuple

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, PersonId
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.role_assignment import (
    PERMISSION_SET,
    SSO_GROUP,
    RoleAssignment,
    match_permission_set_roles,
)
from answerable.reach.platform import UnknownSubject

AWS, AWS_ORG = "aws", "aws-org"  # scan sources


class IdentityUse(NamedTuple):
    """Way in which a subject acts as an identity.

    Attributes:
        via: The step, in the terms of a path.
    """

    via: str
    identity: IdentityId


class IdentityUses(NamedTuple):
    """Known ways to act as identities, and the missing data."""

    found: tuple[IdentityUse, ...]
    missing: tuple[UnknownSubject, ...]


def list_identities_person_can_use(
    inventory: Inventory, person: PersonId
) -> IdentityUses:
    """List the identities that a person can use.

    Args:
        inventory: The snapshot.
        person: Id of a person of the snapshot.
    """
    found: dict[IdentityUse, None] = {}
    missing: dict[UnknownSubject, None] = {}
    facts = inventory.facts
    roles: dict[IdentityId, None] = {}
    for assignment, role in match_permission_set_roles(
        facts.iterate_identities() if facts.assignments else (), facts.assignments
    ):
        if role is not None:
            roles[role] = None
        elif assignment.person == person:
            missing[_build_uncollected_role(assignment)] = None
    for role in roles:
        for each in _list_trusted_ownership_evidence(
            inventory, role, person, OwnerEvidenceKind.ASSIGNMENT
        ):
            found[IdentityUse(each.reference, role)] = None
    if not facts.assignments:
        what = "assignments of IAM Identity Center were not collected"
        missing[UnknownSubject(person, what, AWS_ORG)] = None
    for key, agent in inventory.agents.items():
        if any(
            _list_trusted_ownership_evidence(
                inventory, key, person, OwnerEvidenceKind.HOME
            )
        ):
            for identity in agent.identities:
                found[IdentityUse(f"has {key} in their home", identity)] = None
    return IdentityUses(tuple(found), tuple(missing))


def list_assigned_roles(
    inventory: Inventory, identity: Identity
) -> IdentityUses | None:
    """List the roles assigned to a permission set or an Identity Center group.

    Args:
        inventory: The snapshot.
        identity: Any identity.

    Returns:
        None where it is neither.
    """
    if identity.kind not in (PERMISSION_SET, SSO_GROUP):
        return None
    found: dict[IdentityUse, None] = {}
    missing: dict[UnknownSubject, None] = {}
    facts = inventory.facts
    for assignment, role in match_permission_set_roles(
        facts.iterate_identities() if facts.assignments else (), facts.assignments
    ):
        mine = assignment.permission_set == identity.id
        if identity.kind == SSO_GROUP:
            mine = bool(assignment.group) and assignment.group == identity.name
        if mine and role is not None:
            found[IdentityUse(f"permission set {assignment.name}", role)] = None
        elif mine:
            missing[_build_uncollected_role(assignment)] = None
    if not found and not missing:
        what = "no assignment of it was collected"
        missing[UnknownSubject(identity.id, what, AWS_ORG)] = None
    return IdentityUses(tuple(found), tuple(missing))


def _build_uncollected_role(assignment: RoleAssignment) -> UnknownSubject:
    """Describe the role of an assignment whose account was not scanned."""
    account = assignment.account
    path = "role/aws-reserved/sso.amazonaws.com"
    role = f"arn:aws:iam::{account}:{path}/*AWSReservedSSO_{assignment.name}_*"
    what = f"the role of the permission set in account {account} was not scanned"
    return UnknownSubject(role, what, AWS)


def _list_trusted_ownership_evidence(
    inventory: Inventory, subject: str, person: PersonId, kind: OwnerEvidenceKind
) -> Iterator[OwnerEvidence]:
    """Yield trusted ownership evidence that names a person for a subject."""
    ownership = inventory.owners.get(subject)
    for candidate in ownership.candidates if ownership else ():
        if candidate.person == person:
            for each, _ in candidate.evidence:
                told = each.seen.written_by.is_trusted_author and not each.said_of
                if each.kind is kind and told:
                    yield each

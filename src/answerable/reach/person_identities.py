"""Identities that a person can use: single sign-on roles, and those of their agents.

A person signs in through IAM Identity Center to the roles of permission sets assigned
to them, or to one of their groups. They can also use the identities of agents in their
home directory. An owner tag gives no access.
"""

from collections.abc import Iterator
from typing import NamedTuple

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, PersonId
from answerable.model.inventory import Inventory
from answerable.model.person import EvidenceKind, OwnerEvidence
from answerable.model.role_assignment import (
    PERMISSION_SET,
    SSO_GROUP,
    RoleAssignment,
    assigned_roles,
)
from answerable.reach.unknown_subjects import AWS, UnknownSubject

AWS_ORG = "aws-org"


class Use(NamedTuple):
    """Way in which a subject acts as an identity.

    Attributes:
        via: The step, in the terms of a path.
    """

    via: str
    identity: IdentityId


class Uses(NamedTuple):
    """Known ways to act as identities, and the missing data."""

    found: tuple[Use, ...]
    missing: tuple[UnknownSubject, ...]


def uses_of_person(inventory: Inventory, person: PersonId) -> Uses:
    """List the identities that a person can use.

    Args:
        inventory: The snapshot.
        person: Id of a person of the snapshot.
    """
    found: dict[Use, None] = {}
    missing: dict[UnknownSubject, None] = {}
    facts = inventory.facts
    roles: dict[IdentityId, None] = {}
    for assignment, role in assigned_roles(facts.identities, facts.assignments):
        if role is not None:
            roles[role] = None
        elif assignment.person == person:
            missing[_uncollected(assignment)] = None
    for role in roles:
        for each in _evidence(inventory, role, person, EvidenceKind.ASSIGNMENT):
            found[Use(each.reference, role)] = None
    if not facts.assignments:
        what = "assignments of IAM Identity Center were not collected"
        missing[UnknownSubject(person, what, AWS_ORG)] = None
    for key, agent in inventory.agents.items():
        if any(_evidence(inventory, key, person, EvidenceKind.HOME)):
            for identity in agent.identities:
                found[Use(f"has {key} in their home", identity)] = None
    return Uses(tuple(found), tuple(missing))


def uses_of_assigned(inventory: Inventory, identity: Identity) -> Uses | None:
    """List the roles of a permission set, or of a group of Identity Center.

    Args:
        inventory: The snapshot.
        identity: Any identity.

    Returns:
        None where it is neither.
    """
    if identity.kind not in (PERMISSION_SET, SSO_GROUP):
        return None
    found: dict[Use, None] = {}
    missing: dict[UnknownSubject, None] = {}
    facts = inventory.facts
    for assignment, role in assigned_roles(facts.identities, facts.assignments):
        mine = assignment.permission_set == identity.id
        if identity.kind == SSO_GROUP:
            mine = bool(assignment.group) and assignment.group == identity.name
        if mine and role is not None:
            found[Use(f"permission set {assignment.name}", role)] = None
        elif mine:
            missing[_uncollected(assignment)] = None
    if not found and not missing:
        what = "no assignment of it was collected"
        missing[UnknownSubject(identity.id, what, AWS_ORG)] = None
    return Uses(tuple(found), tuple(missing))


def _uncollected(assignment: RoleAssignment) -> UnknownSubject:
    account = assignment.account
    path = "role/aws-reserved/sso.amazonaws.com"
    role = f"arn:aws:iam::{account}:{path}/*AWSReservedSSO_{assignment.name}_*"
    what = f"the role of the permission set in account {account} was not scanned"
    return UnknownSubject(role, what, AWS)


def _evidence(
    inventory: Inventory, subject: str, person: PersonId, kind: EvidenceKind
) -> Iterator[OwnerEvidence]:
    """Yield believed evidence of a kind that names a person for a subject itself."""
    ownership = inventory.owners.get(subject)
    for candidate in ownership.candidates if ownership else ():
        if candidate.person == person:
            for each, _ in candidate.evidence:
                told = each.seen.written_by.believed and not each.said_of
                if each.kind is kind and told:
                    yield each

"""Roles of IAM Identity Center, and the people who may become them.

Identity Center makes one role for each permission set in each account it is assigned in,
`AWSReservedSSO_NAME_HASH` under the path `/aws-reserved/`, where nothing else can make one.
Source: IAM Identity Center User Guide, "Referencing permission sets in resource policies".
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from answerable.model.assignment import RoleAssignment
from answerable.model.ids import IdentityId
from answerable.model.person import EvidenceKind, OwnerEvidence
from answerable.model.sighting import Facts

_ROLE = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")
_PATH = ":role/aws-reserved/sso.amazonaws.com/"


def assigned_roles(facts: Facts) -> Iterator[tuple[RoleAssignment, IdentityId]]:
    """Yield each assignment with the role that it leads to.

    Of an account whose roles were not collected nothing is yielded.
    """
    roles: Mapping[tuple[str, str], list[IdentityId]] = defaultdict(list)
    for identity in facts.identities:
        named = _ROLE.fullmatch(identity.name)
        if named is not None and _PATH in identity.id:
            roles[identity.account, named[1]].append(identity.id)
    for assignment in facts.assignments:
        for role in roles.get((assignment.account, assignment.name), ()):
            yield assignment, role


def assignment_evidence(facts: Facts) -> Iterator[OwnerEvidence]:
    """Yield owner evidence: who may become a role is a candidate to answer for it."""
    for assignment, role in assigned_roles(facts):
        via = f" through group {assignment.group}" if assignment.group else ""
        yield OwnerEvidence(
            subject=role,
            person=assignment.person,
            kind=EvidenceKind.ASSIGNMENT,
            reference=f"permission set {assignment.name}{via}",
            act="",
            standing=True,
            seen=assignment.seen,
        )

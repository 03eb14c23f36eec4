"""Owner evidence from role assignments of IAM Identity Center."""

from collections.abc import Iterator

from answerable.model.person import EvidenceKind, OwnerEvidence
from answerable.model.role_assignment import assigned_roles
from answerable.model.sighting import Facts


def assignment_evidence(facts: Facts) -> Iterator[OwnerEvidence]:
    """Yield owner evidence: a person who may assume a role may be its owner."""
    for assignment, role in assigned_roles(facts.identities, facts.assignments):
        if role is None:
            continue
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

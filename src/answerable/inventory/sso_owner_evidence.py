"""List owner evidence from role assignments in IAM Identity Center (AWS SSO)."""

from collections.abc import Iterator

from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.role_assignment import match_permission_set_roles
from answerable.model.sighting import SightedFacts


def list_sso_assignment_evidence(facts: SightedFacts) -> Iterator[OwnerEvidence]:
    """Yield owner evidence: a person who may assume a role may be its owner."""
    for assignment, role in match_permission_set_roles(
        facts.identities, facts.assignments
    ):
        if role is None:
            continue
        via = f" through group {assignment.group}" if assignment.group else ""
        yield OwnerEvidence(
            subject=role,
            person=assignment.person,
            kind=OwnerEvidenceKind.ASSIGNMENT,
            reference=f"permission set {assignment.name}{via}",
            act="",
            standing=True,
            seen=assignment.seen,
        )

"""Assignments: which person may become which role through single sign-on."""

from dataclasses import dataclass

from answerable.model.ids import IdentityId, PersonId
from answerable.model.written import Seen


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A person may assume the role of a permission set in one account.

    Source: IAM Identity Center User Guide, "Assign user access to AWS accounts".

    Attributes:
        permission_set: ARN of the permission set.
        name: Its name, which the role's name holds.
        account: Number of the account.
        person: Who may assume it.
        group: The group that was assigned; empty where the person was.
        seen: Provenance.
    """

    permission_set: IdentityId
    name: str
    account: str
    person: PersonId
    group: str
    seen: Seen

"""Type of IAM user groups, whose policies apply to their members."""

from dataclasses import dataclass

from answerable.model.ids import IdentityId, ResourceId
from answerable.model.provenance import FactProvenance


@dataclass(frozen=True, slots=True)
class UserGroup:
    """IAM user group, with or without policies and members.

    Source: AWS IAM User Guide, "IAM user groups".

    Attributes:
        id: ARN.
        account: Account that holds it.
        members: ARNs of its users, sorted.
    """

    id: ResourceId
    account: str
    members: tuple[IdentityId, ...]
    seen: FactProvenance

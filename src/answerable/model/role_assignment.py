"""Type of role assignments: persons who may assume an AWS role through SSO.

Identity Center makes one role for each permission set in each account it is assigned
in, `AWSReservedSSO_NAME_HASH` under the path `/aws-reserved/`, where nothing else can
make one. Source: IAM Identity Center User Guide, "Referencing permission sets in
resource policies".
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, PersonId
from answerable.model.provenance import FactProvenance


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """Assignment of a permission set's role in one account to a person.

    Source: IAM Identity Center User Guide, "Assign user access to AWS accounts".

    Attributes:
        permission_set: ARN of the permission set.
        name: Its name, which the role's name holds.
        account: Number of the account.
        person: Person who may assume the role.
        group: Assigned group; empty for a direct assignment.
    """

    permission_set: IdentityId
    name: str
    account: str
    person: PersonId
    group: str
    seen: FactProvenance


PERMISSION_SET = "aws-permission-set"
SSO_GROUP = "aws-sso-group"
_ROLE_NAME = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")
_ROLE_PATH = ":role/aws-reserved/sso.amazonaws.com/"


def match_permission_set_roles(
    identities: Iterable[Identity], assignments: Iterable[RoleAssignment]
) -> Iterator[tuple[RoleAssignment, IdentityId | None]]:
    """Match each SSO assignment to its `AWSReservedSSO_*` role.

    The role is None where the roles of the account were not collected.
    """
    roles: Mapping[tuple[str, str], list[IdentityId]] = defaultdict(list)
    for identity in identities:
        named = _ROLE_NAME.fullmatch(identity.name)
        if named is not None and _ROLE_PATH in identity.id:
            roles[identity.account, named[1]].append(identity.id)
    for assignment in assignments:
        found = roles.get((assignment.account, assignment.name), [])
        for role in found:
            yield assignment, role
        if not found:
            yield assignment, None

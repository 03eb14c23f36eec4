"""Types of the non-human identities that agents act through, and their accounts."""

from dataclasses import dataclass

from answerable.model.ids import IdentityId
from answerable.model.provenance import FactProvenance


@dataclass(frozen=True, slots=True)
class Identity:
    """Non-human identity in the format of its platform.

    Attributes:
        id: ARN, or the system's own id.
        kind: `aws-role`, `aws-user`, `aws-service-role`, `aws-root` ...
        name: Short name.
        account: Account that holds it, empty where none.
        unique_id: The system's never-reused id (`AROA...`), may be empty.
        tags: Sorted pairs.
        created_at: UTC nanoseconds, 0 where not collected.
        last_used_at: UTC nanoseconds, 0 where not collected.
    """

    id: IdentityId
    kind: str
    name: str
    account: str
    unique_id: str
    tags: tuple[tuple[str, str], ...]
    created_at: int
    last_used_at: int
    seen: FactProvenance


@dataclass(frozen=True, slots=True)
class Account:
    """Account and its place in the organisation tree.

    Attributes:
        id: Account number.
        name: Display name, may be empty.
        organization: Organisation id (`o-...`), empty where not collected.
        parents: Ids from the root to the unit that holds the account
            (`r-...`, `ou-...`); empty where not collected.
        management: True for the organisation's management account.
        state: `active`, `suspended`, `closed` ... as the platform has it; empty where
            not collected.
        administers: Services whose administration was handed to this account, e.g.
            `sso.amazonaws.com`.
    """

    id: str
    name: str
    organization: str
    parents: tuple[str, ...]
    management: bool
    seen: FactProvenance
    state: str = ""
    administers: tuple[str, ...] = ()

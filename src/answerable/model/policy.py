"""Types of parsed AWS policies, in the terms of the policy grammar."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import PolicyId
from answerable.model.provenance import FactProvenance


class PolicyEffect(StrEnum):
    """Effect of a statement."""

    ALLOW = "allow"
    DENY = "deny"


class PolicyLayer(StrEnum):
    """Layer of a policy in the evaluation of a request."""

    IDENTITY = "identity"
    BOUNDARY = "boundary"
    TRUST = "trust"
    RESOURCE = "resource"
    SCP = "scp"
    RCP = "rcp"
    SESSION = "session"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True)
class ConditionClause:
    """Condition of a statement: one operator and key. All conditions must hold.

    Attributes:
        operator: As written, e.g. `ForAnyValue:StringLikeIfExists`.
        key: As written, e.g. `aws:PrincipalTag/team`.
        values: Any one of them satisfies a positive operator.
    """

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """Statement of a policy.

    Exactly one of each pair (`actions`, `not_actions`), (`resources`,
    `not_resources`), (`principals`, `not_principals`) is filled where the policy kind
    supports it; else both are empty.

    Attributes:
        sid: Statement id, or its zero-based position as text.
        effect: Allow or deny.
        actions: Patterns, as written.
        not_actions: Patterns, as written.
        resources: Patterns, as written.
        not_resources: Patterns, as written.
        principals: Pairs (type, value): `("AWS", "*")`, `("Service", "ec2...")`,
            `("Federated", "arn:...")`.
        not_principals: Pairs likewise.
        conditions: All must hold.
    """

    sid: str
    effect: PolicyEffect
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[tuple[str, str], ...]
    not_principals: tuple[tuple[str, str], ...]
    conditions: tuple[ConditionClause, ...]


@dataclass(frozen=True, slots=True)
class UnreadStatement:
    """Unreadable statement; every answer that it might change is only-if."""

    sid: str
    why: str


@dataclass(frozen=True, slots=True)
class Policy:
    """Policy document.

    Attributes:
        id: ARN of a managed policy; `OWNER-ARN#inline/NAME`, `ROLE-ARN#trust`,
            `RESOURCE-ARN#policy`, `KEY-ARN#grants` otherwise. A resource that was
            asked and has no policy holds one without statements.
        name: Short name.
        statements: Readable statements.
        unread: Unreadable statements.
    """

    id: PolicyId
    name: str
    statements: tuple[Statement, ...]
    unread: tuple[UnreadStatement, ...]
    seen: FactProvenance


@dataclass(frozen=True, slots=True)
class PolicyAttachment:
    """Attachment of a policy to a target at a layer.

    Attributes:
        policy: The policy; it may be one that was not collected.
        target: Identity ARN, resource ARN, account number or organisation unit id.
        via: Group ARN for a policy that reaches a user through a group, else empty.
    """

    policy: PolicyId
    target: str
    layer: PolicyLayer
    via: str
    seen: FactProvenance

"""Policies as written, parsed once. Words are those of the AWS policy grammar."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import PolicyId
from answerable.model.written import Seen


class Effect(StrEnum):
    """What a statement does when it applies."""

    ALLOW = "allow"
    DENY = "deny"


class Layer(StrEnum):
    """The place of a policy in the evaluation of a request."""

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
    """One line of a Condition block: all keys of a statement must hold.

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
    """One statement of a policy.

    Exactly one of each pair (`actions`, `not_actions`), (`resources`,
    `not_resources`), (`principals`, `not_principals`) is filled where the policy kind
    has it; both are empty where it has not.

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
    effect: Effect
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[tuple[str, str], ...]
    not_principals: tuple[tuple[str, str], ...]
    conditions: tuple[ConditionClause, ...]


@dataclass(frozen=True, slots=True)
class UnreadStatement:
    """A statement that could not be read; whatever it might change is only-if."""

    sid: str
    why: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document.

    Attributes:
        id: ARN of a managed policy; `OWNER-ARN#inline/NAME`, `ROLE-ARN#trust`,
            `RESOURCE-ARN#policy`, `KEY-ARN#grants` otherwise. A resource that was
            asked and has no policy holds one without statements.
        name: Short name.
        statements: What could be read.
        unread: What could not.
        seen: Provenance.
    """

    id: PolicyId
    name: str
    statements: tuple[Statement, ...]
    unread: tuple[UnreadStatement, ...]
    seen: Seen


@dataclass(frozen=True, slots=True)
class Attachment:
    """A policy applies to a target at a layer.

    Attributes:
        policy: The policy; it may be one that was not collected.
        target: Identity ARN, resource ARN, account number or organisation unit id.
        layer: Where it stands in evaluation.
        via: Group ARN for a policy that reaches a user through a group, else empty.
        seen: Provenance.
    """

    policy: PolicyId
    target: str
    layer: Layer
    via: str
    seen: Seen

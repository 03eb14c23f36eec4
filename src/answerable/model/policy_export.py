"""Types of exported policies: target, documents, and clauses that they lack."""

from dataclasses import dataclass
from enum import StrEnum


class ExportTarget(StrEnum):
    """Policy language and place of an exported policy."""

    AWS_SESSION_POLICY = "aws-session-policy"
    AWS_POLICY = "aws-policy"
    AWS_BOUNDARY = "aws-boundary"
    AWS_PERMISSION_SET = "aws-permission-set"
    GCP = "gcp"
    AZURE = "azure"
    K8S_RBAC = "k8s-rbac"
    CEDAR = "cedar"
    MCP_ALLOWLIST = "mcp-allowlist"


class ClauseReason(StrEnum):
    """Reason why a clause of a profile is not in an exported policy."""

    NOT_EXPRESSIBLE = "not-expressible"  # the target has no words for it
    NEEDS_SIGNATURE = "needs-signature"  # AssumeRole, PassRole, a write of IAM
    WOULD_WIDEN = "would-widen"  # the nearest words of the target allow more
    RESOURCE_NOT_RECORDED = "resource-not-recorded"  # no log names the resource
    NO_ACTION = "no-action"  # no permission of the target's platform


@dataclass(frozen=True, slots=True, order=True)
class OmittedClause:
    """Clause that an exported policy does not contain.

    Attributes:
        layer: Layer of the profile, L1 to L5.
        action: Action or tool; empty for the whole profile.
        text: The clause, e.g. a resource pattern.
    """

    reason: ClauseReason
    layer: str
    action: str
    text: str


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """One document of an exported policy.

    Attributes:
        name: Short name, unique in the export.
        text: Content, the same for the same profile.
        size: Characters that count against the limit of the target.
        limit: The limit; 0 for none.
    """

    name: str
    text: str
    size: int
    limit: int


@dataclass(frozen=True, slots=True)
class ExportedPolicy:
    """Policy compiled for one target.

    Attributes:
        documents: Empty if it was refused.
        omitted: Clauses that the documents do not contain, sorted.
        refusals: Reasons why there is no document, e.g. its size.
    """

    target: ExportTarget
    documents: tuple[PolicyDocument, ...]
    omitted: tuple[OmittedClause, ...] = ()
    refusals: tuple[str, ...] = ()

"""Define the request and the result of a policy evaluation.

Source of the terms: AWS IAM User Guide, "Policy evaluation logic".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer, RcpDenies
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.resources import S3AccessPoint
from answerable.reach.aws.compiled.statements import PolicyGap, PolicyStatement
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.patterns.arn_matching import ArnParts
from answerable.reach.condition_formula import TRUE, Formula, conjoin
from answerable.reach.platform import DeterminingStatement


class AwsRequest(NamedTuple):
    """Request of one action on one resource or pattern.

    Attributes:
        action: `service:action` in lower case.
        resource: ARN or `*`.
        parts: The resource, split.
        known: Condition keys known for the call and its resource.
        wild: True if the resource is a pattern: the question is about all of it.
        owner: The resource's account, empty where not known.
        rcps: RCPs that bind the call; those of every account for a pattern without
            an account.
        endpoint: Policy of the VPC endpoint it goes through, if one is stated.
        stated: Keys among `known` that the question or the rule states.
        holder: ARN of the resource whose policy applies.
        access_point: Access point it comes through, if any.
    """

    action: str
    resource: str
    parts: ArnParts
    known: ContextKeys
    wild: bool = False
    owner: str = ""
    rcps: tuple[RcpDenies, ...] = ()
    endpoint: LimitingLayer | None = None
    stated: ContextKeys = NO_KEYS
    holder: str = ""
    access_point: S3AccessPoint | None = None

    def collect_keys_for(self, principal: CompiledPrincipal) -> ContextKeys:
        """Return all condition keys known for a principal's request."""
        return self.known.merge_over(principal.collect_known_condition_keys(self.parts))


DeterminingStatements = tuple[DeterminingStatement, ...]


class Evaluation:
    """Result of an evaluation; the determining statements are computed on demand.

    Attributes:
        formula: `TRUE`, `FALSE` or the open conditions.
        gaps: Policies and statements not read that could change it.
    """

    __slots__ = ("_said", "formula", "gaps")

    def __init__(
        self,
        formula: Formula,
        determining: DeterminingStatements | Callable[[], DeterminingStatements],
        gaps: tuple[PolicyGap, ...] = (),
    ) -> None:
        self.formula = formula
        self.gaps = gaps
        self._said = determining

    @property
    def determining(self) -> DeterminingStatements:
        """Policy statements that determined the verdict."""
        said = self._said
        if not isinstance(said, tuple):
            said = self._said = said()
        return said

    def with_further_condition(self, formula: Formula) -> "Evaluation":
        """Return the result under one more condition."""
        return Evaluation(conjoin(self.formula, formula), self._said, self.gaps)


@dataclass(slots=True)
class ResourcePolicyResult:
    """Result of a resource policy for one principal.

    Attributes:
        escaping: Allowed for the user or session itself: the implicit deny of a
            boundary does not limit it.
        direct: Allowed for the principal by name, or for everyone.
        account: Delegated to the principal's account.
        denied: Denied.
        same_account: Whether principal and resource share an account.
        determining: Statements that apply.
        gaps: Statements that were not read.
        denying: Statements that deny unconditionally.
        required: Whether the policy must allow, even if identity policies do.
        layer: Layer of the policy.
        also: Further condition that must hold.
    """

    escaping: Formula
    direct: Formula
    account: Formula
    denied: Formula
    same_account: bool
    determining: tuple[DeterminingStatement, ...]
    gaps: tuple[PolicyGap, ...] = ()
    denying: tuple[DeterminingStatement, ...] = ()
    policy: str = ""
    required: bool = True
    layer: PolicyLayer = PolicyLayer.TRUST
    also: Formula = TRUE


AppliedStatements = list[tuple[PolicyStatement, Formula]]
DENY_KEY = "answerable:deny"
IMPLICIT_DENY = "implicit-deny"


class LayerResult(NamedTuple):
    """Result of one limiting layer.

    Attributes:
        layer: Kind of policy.
        target: Name of the layer in an implicit deny.
        applied: Allows that apply.
        gaps: Statements that were not read.
        formula: Condition under which it allows the request.
    """

    layer: PolicyLayer
    target: str
    applied: AppliedStatements
    gaps: tuple[PolicyGap, ...]
    formula: Formula


class EvaluationParts(NamedTuple):
    """Parts of the evaluation of one request.

    Attributes:
        formula: Condition under which the request is allowed.
        allowed: Condition under which identity policies allow it.
        allows: Allows of identity policies.
        bars: Limiting layers.
        denies: Explicit denies of every layer but the resource policy.
        gaps: Policies and statements not read.
    """

    formula: Formula
    allowed: Formula
    allows: AppliedStatements
    bars: list[LayerResult]
    denies: AppliedStatements
    gaps: tuple[PolicyGap, ...]


def describe_statement(statement: PolicyStatement) -> DeterminingStatement:
    """Convert a statement to an entry of the output document."""
    effect = statement.clause.effect.value
    return DeterminingStatement(
        statement.layer.value, statement.policy, statement.sid, effect
    )


def describe_gap(gap: PolicyGap) -> DeterminingStatement:
    """Convert an unreadable policy or statement to an entry of the output document."""
    return DeterminingStatement(
        gap.layer.value, gap.policy, gap.sid, gap.key.split(":")[1]
    )

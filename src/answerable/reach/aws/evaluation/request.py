"""Request and result of an evaluation.

Source of the terms: AWS IAM User Guide, "Policy evaluation logic".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from answerable.model.policy import Layer
from answerable.reach.aws.compiled.organization_policies import Fence, Limit
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.resources import Door
from answerable.reach.aws.compiled.statements import Gap, Grant
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.aws.patterns.arns import Parts
from answerable.reach.formula import TRUE, Formula, both


@dataclass(frozen=True, slots=True, order=True)
class Determining:
    """Determining statement, in the terms of the document."""

    layer: str
    policy: str
    statement: str
    effect: str


class Request(NamedTuple):
    """Request of one action on one resource or pattern.

    Attributes:
        action: `service:action` in lower case.
        resource: ARN or `*`.
        parts: The resource, split.
        known: Condition keys known for the call and its resource.
        wild: True if the resource is a pattern: the question is about all of it.
        owner: The resource's account, empty where not known.
        fences: RCPs that bind the call; those of every account for a pattern without
            an account.
        endpoint: Policy of the VPC endpoint it goes through, if one is stated.
        stated: Keys among `known` that the question or the rule states.
        holder: ARN of the resource whose policy applies.
        door: Access point it comes through, if any.
    """

    action: str
    resource: str
    parts: Parts
    known: Known
    wild: bool = False
    owner: str = ""
    fences: tuple[Fence, ...] = ()
    endpoint: Limit | None = None
    stated: Known = NOTHING
    holder: str = ""
    door: Door | None = None

    def known_to(self, principal: Principal) -> Known:
        """Return all condition keys known when a principal makes the request."""
        return self.known.over(principal.knows(self.parts))


Said = tuple[Determining, ...]


class Answer:
    """Result of an evaluation; the determining statements are computed on demand.

    Attributes:
        formula: `TRUE`, `FALSE` or the open conditions.
        gaps: Policies and statements not read that could change it.
    """

    __slots__ = ("_said", "formula", "gaps")

    def __init__(
        self,
        formula: Formula,
        determining: Said | Callable[[], Said],
        gaps: tuple[Gap, ...] = (),
    ) -> None:
        self.formula = formula
        self.gaps = gaps
        self._said = determining

    @property
    def determining(self) -> Said:
        """Statements that determined the result."""
        said = self._said
        if not isinstance(said, tuple):
            said = self._said = said()
        return said

    def under(self, formula: Formula) -> "Answer":
        """Return the result under one more condition."""
        return Answer(both(self.formula, formula), self._said, self.gaps)


@dataclass(slots=True)
class Side:
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
        required: Whether the policy must allow, whatever identity policies allow.
        layer: Layer of the policy.
        also: Further condition that must hold.
    """

    escaping: Formula
    direct: Formula
    account: Formula
    denied: Formula
    same_account: bool
    determining: tuple[Determining, ...]
    gaps: tuple[Gap, ...] = ()
    denying: tuple[Determining, ...] = ()
    policy: str = ""
    required: bool = True
    layer: Layer = Layer.TRUST
    also: Formula = TRUE


Applied = list[tuple[Grant, Formula]]
DENY = "answerable:deny"
IMPLICIT = "implicit-deny"


class Barred(NamedTuple):
    """Result of one limiting layer.

    Attributes:
        layer: Kind of policy.
        target: Name of the layer in an implicit deny.
        applied: Allows that apply.
        gaps: Statements that were not read.
        formula: Condition under which it allows the request.
    """

    layer: Layer
    target: str
    applied: Applied
    gaps: tuple[Gap, ...]
    formula: Formula


class Weighed(NamedTuple):
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
    allows: Applied
    bars: list[Barred]
    denies: Applied
    gaps: tuple[Gap, ...]


def name(grant: Grant) -> Determining:
    """Return a statement in the terms of the document."""
    effect = grant.clause.effect.value
    return Determining(grant.layer.value, grant.policy, grant.sid, effect)


def unread_name(gap: Gap) -> Determining:
    """Return a gap in the terms of the document."""
    return Determining(gap.layer.value, gap.policy, gap.sid, gap.key.split(":")[1])

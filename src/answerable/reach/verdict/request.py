"""A request, and what an answer to it is made of.

Source of the words: AWS IAM User Guide, "Policy evaluation logic".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from answerable.model.policy import Layer
from answerable.reach.estate.clauses import Gap, Grant
from answerable.reach.estate.control import Fence, Limit
from answerable.reach.estate.places import Door
from answerable.reach.estate.principals import Principal
from answerable.reach.patterns.resources import Parts
from answerable.reach.verdict.context import NOTHING, Known
from answerable.reach.verdict.formula import TRUE, Formula, both


@dataclass(frozen=True, slots=True, order=True)
class Determining:
    """A statement that decided; the words of the document."""

    layer: str
    policy: str
    statement: str
    effect: str


class Request(NamedTuple):
    """One call.

    Attributes:
        action: `service:action` in lower case.
        resource: ARN or `*`.
        parts: The resource, split.
        known: Condition keys known of the call and of its resource.
        wild: True when the resource is a pattern: the question is about all of it.
        owner: The resource's account, empty where not known.
        fences: RCPs that bind the call; of a pattern without an owner those of every
            account.
        endpoint: The policy of the VPC endpoint it goes through, if one is stated.
        stated: The keys among `known` that the question or the rule states.
        holder: ARN of what holds the policy that speaks of the resource.
        door: The access point it comes through, if it does.
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
        """Return all condition keys that are known when a principal makes it."""
        return self.known.over(principal.knows(self.parts))


Said = tuple[Determining, ...]


class Answer:
    """When a request is allowed, and by what; the reason is worked out when asked for.

    Attributes:
        formula: `TRUE`, `FALSE` or the open conditions.
        gaps: What was not read and could change it.
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
        """The statements that decided."""
        said = self._said
        if not isinstance(said, tuple):
            said = self._said = said()
        return said

    def under(self, formula: Formula) -> "Answer":
        """Return the answer under one more condition."""
        return Answer(both(self.formula, formula), self._said, self.gaps)


@dataclass(slots=True)
class Side:
    """What a resource's own policy says to a principal.

    Attributes:
        escaping: It names the user or session itself: a boundary's implicit deny does
            not limit it.
        direct: It names the principal (or everyone).
        account: It leaves it to the principal's account.
        denied: It denies.
        same_account: Whether principal and resource share an account.
        determining: Its statements.
        gaps: What was not read of it.
        denying: Those of them that deny for sure.
        policy: Its id.
        required: Whether the identity's own policies cannot do without it.
        layer: Where it stands.
        also: What must hold besides.
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
    """What one limiting layer lets through.

    Attributes:
        layer: Which.
        target: What names it in an implicit deny.
        applied: Its allows.
        gaps: What was not read of it.
        formula: When it lets the request through.
    """

    layer: Layer
    target: str
    applied: Applied
    gaps: tuple[Gap, ...]
    formula: Formula


class Weighed(NamedTuple):
    """All that bears on one request.

    Attributes:
        formula: When it is allowed.
        allowed: When the identity's own policies allow.
        allows: Of the identity's policies.
        bars: The layers that limit it.
        denies: Explicit denies of every layer but the resource's own.
        gaps: What was not read.
    """

    formula: Formula
    allowed: Formula
    allows: Applied
    bars: list[Barred]
    denies: Applied
    gaps: tuple[Gap, ...]


def name(grant: Grant) -> Determining:
    """Name a grant in the document's words."""
    effect = grant.clause.effect.value
    return Determining(grant.layer.value, grant.policy, grant.sid, effect)


def unread_name(gap: Gap) -> Determining:
    """Name what was not read in the document's words."""
    return Determining(gap.layer.value, gap.policy, gap.sid, gap.key.split(":")[1])

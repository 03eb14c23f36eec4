"""One request of one principal, in three values.

Source: AWS IAM User Guide, "Policy evaluation logic". Order: explicit denies of every
layer, then what the identity's policies allow, limited by its boundary; a role's trust
policy joins as the resource's side.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from answerable.model.policy import Effect, Layer
from answerable.reach.clauses import (
    Gap,
    Grant,
    applies,
    applies_to_all,
    applies_to_some,
    takes_all,
)
from answerable.reach.context import NOTHING, Known
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, either, negation
from answerable.reach.globs import inward
from answerable.reach.principals import Principal
from answerable.reach.resources import Parts, pattern_parts, text_parts


@dataclass(frozen=True, slots=True, order=True)
class Determining:
    """A statement that decided; the words of the document."""

    layer: str
    policy: str
    statement: str
    effect: str


@dataclass(frozen=True, slots=True)
class Request:
    """One call.

    Attributes:
        action: `service:action` in lower case.
        resource: ARN or `*`.
        parts: The resource, split.
        known: Condition keys known of the call and of its resource.
        wild: True when the resource is a pattern: the question is about all of it.
    """

    action: str
    resource: str
    parts: Parts
    known: Known
    wild: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """When a request is allowed, and by what.

    Attributes:
        formula: `TRUE`, `FALSE` or the open conditions.
        determining: The statements that decided.
        gaps: What was not read and could change it.
    """

    formula: Formula
    determining: tuple[Determining, ...]
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
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
        policy: Its id.
    """

    escaping: Formula
    direct: Formula
    account: Formula
    denied: Formula
    same_account: bool
    determining: tuple[Determining, ...]
    gaps: tuple[Gap, ...] = ()
    policy: str = ""


Applied = list[tuple[Grant, Formula]]
DENY = "answerable:deny"


def request(
    action: str, resource: str, known: Known = NOTHING, *, wild: bool = False
) -> Request:
    """Make a request; the action may be in any case."""
    parts = pattern_parts(inward(resource)) if wild else text_parts(resource)
    return Request(action.lower(), resource, parts, known, wild)


def surely(principal: Principal, action: str) -> Answer | None:
    """Answer for every resource at once, by the principal's own side.

    Args:
        principal: Who.
        action: In lower case.

    Returns:
        An answer where the resource cannot change it, else None: sure, when a statement
        without conditions allows the action on everything and nothing limits it;
        never, when nothing allows it, or one denies it on everything.
    """
    found = principal.matching(action)
    denies = found.denies + found.bound_denies
    if any(g.clause.static and takes_all(g.clause) for g in denies):
        return Answer(FALSE, tuple(name(g) for g in denies))
    if principal.gaps:
        return None
    bounded = principal.boundary is not None
    if not found.allows or (bounded and not found.bounds):
        return Answer(FALSE, ())
    if denies or bounded:
        return None
    wide = [name(g) for g in found.allows if g.clause.static and takes_all(g.clause)]
    return Answer(TRUE, tuple(dict.fromkeys(wide))) if wide else None


def decide(principal: Principal, call: Request, side: Side | None = None) -> Answer:
    """Evaluate a request, with the resource's side where it has one."""
    known = call.known.over(principal.known)
    found = principal.matching(call.action)
    allows = applied(found.allows, call, known)
    bounds = applied(found.bounds, call, known)
    denies = denying(found.denies, found.bound_denies, call, known)
    identity_gaps = principal.gaps_at(Layer.IDENTITY)
    boundary_gaps = principal.gaps_at(Layer.BOUNDARY)
    gaps = identity_gaps + boundary_gaps + (side.gaps if side else ())
    allowed = either(*(f for _, f in allows), *(g.may("Allows") for g in identity_gaps))
    limit = bounded(principal, bounds, boundary_gaps)
    denied = either(*(f for _, f in denies), *(g.may("Denies") for g in gaps))
    if side:
        denied = either(denied, side.denied)
    formula = both(combined(allowed, limit, side), negation(denied))
    return Answer(
        formula,
        _determining(principal, formula, allows, bounds, denies, side),
        gaps,
    )


def applied(grants: Iterable[Grant], call: Request, known: Known) -> Applied:
    """Pair each grant with when it applies; those that never do are left out."""
    held = applies_to_all if call.wild else applies
    pairs = ((grant, held(grant.clause, call.parts, known)) for grant in grants)
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def denying(
    denies: Iterable[Grant], bound_denies: Iterable[Grant], call: Request, known: Known
) -> Applied:
    """Collect the explicit denies of every layer."""
    grants = (*denies, *bound_denies)
    if not call.wild:
        return applied(grants, call, known)
    pairs = ((grant, _denying_some(grant, call, known)) for grant in grants)
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def _denying_some(grant: Grant, call: Request, known: Known) -> Formula:
    """Leave open what a deny on a part of the pattern does."""
    whole = applies_to_all(grant.clause, call.parts, known)
    part = applies_to_some(grant.clause, call.parts, known)
    by = name(grant)
    matched = atom(DENY, "Matches", (f"{by.policy}#{by.statement}",))
    return either(whole, both(part, matched))


def bounded(principal: Principal, bounds: Applied, gaps: tuple[Gap, ...]) -> Formula:
    """Say what the boundary lets through; an empty boundary lets nothing through."""
    if principal.boundary is None:
        return TRUE
    return either(*(f for _, f in bounds), *(g.may("Allows") for g in gaps))


def combined(allowed: Formula, limit: Formula, side: Side | None) -> Formula:
    """Join the identity's side with the resource's.

    In one account either side suffices; across accounts both must allow. A role's
    trust that names the account only leaves the rest to the identity's policies.
    """
    if side is None:
        return both(allowed, limit)
    if side.same_account:
        named = both(either(side.direct, both(side.account, allowed)), limit)
        return either(side.escaping, named)
    return both(allowed, limit, either(side.escaping, side.direct, side.account))


def _determining(
    principal: Principal,
    formula: Formula,
    allows: Applied,
    bounds: Applied,
    denies: Applied,
    side: Side | None,
) -> tuple[Determining, ...]:
    own = principal.gaps_at(Layer.IDENTITY) + principal.gaps_at(Layer.BOUNDARY)
    unread = [_gap(gap) for gap in own]
    theirs = list(side.determining) if side else []
    denied = [name(grant) for grant, _ in denies]
    if formula != FALSE:
        named = [name(g) for g in _deciding(allows) + _deciding(bounds)]
        return tuple(dict.fromkeys(named + theirs + denied + unread))
    sure = [name(grant) for grant, f in denies if f == TRUE]
    sure += [d for d in theirs if d.effect == Effect.DENY]
    if sure:
        return tuple(dict.fromkeys(sure))
    missing = list(denied)
    if principal.boundary is not None and not bounds:
        boundary = principal.boundary_id
        missing.append(Determining("boundary", boundary, "", "implicit-deny"))
    if side and not theirs:
        missing.append(Determining("trust", side.policy, "", "implicit-deny"))
    return tuple(missing) or tuple(theirs)


def _deciding(pairs: Applied) -> list[Grant]:
    sure = [grant for grant, formula in pairs if formula == TRUE]
    return sure or [grant for grant, _ in pairs]


def name(grant: Grant) -> Determining:
    """Name a grant in the document's words."""
    effect = grant.clause.effect.value
    return Determining(grant.layer.value, grant.policy, grant.sid, effect)


def _gap(gap: Gap) -> Determining:
    return Determining(gap.layer.value, gap.policy, gap.sid, gap.key.split(":")[1])

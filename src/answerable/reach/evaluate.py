"""One request of one principal, in three values.

Source: AWS IAM User Guide, "Policy evaluation logic". Order: explicit denies of every
layer; then what the identity's policies or the resource's own allow; limited by
boundary and session policy, by every SCP level and by the endpoint's policy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from answerable.model.policy import Layer
from answerable.reach.callers import names
from answerable.reach.clauses import (
    Gap,
    Grant,
    applies,
    applies_to_all,
    applies_to_some,
)
from answerable.reach.context import NOTHING, Known
from answerable.reach.control import Fence, Limit, is_everything
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, either, negation
from answerable.reach.globs import inward
from answerable.reach.places import Door
from answerable.reach.principals import Matching, Principal
from answerable.reach.resources import Parts, pattern_parts, text_parts


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
        allows: Of the identity's policies.
        bars: The layers that limit it.
        denies: Explicit denies of every layer but the resource's own.
        gaps: What was not read.
    """

    formula: Formula
    allows: Applied
    bars: list[Barred]
    denies: Applied
    gaps: tuple[Gap, ...]


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
    denies = found.denies + found.bound_denies + found.limit_denies
    if any(g.clause.wide for g in denies):
        return Answer(FALSE, tuple(name(g) for g in denies))
    if principal.gaps:
        return None
    if not found.allows or not all(allows for allows in _limiting(principal, found)):
        return Answer(FALSE, ())
    if denies or principal.boundary is not None or found.session:
        return None
    if not all(any(g.clause.wide for g in allows) for _, allows in found.levels):
        return None
    wide = [name(g) for g in found.allows if g.clause.wide]
    return Answer(TRUE, tuple(dict.fromkeys(wide))) if wide else None


def _limiting(principal: Principal, found: Matching) -> list[tuple[Grant, ...]]:
    limiting = [allows for _, allows in found.levels]
    if principal.boundary is not None:
        limiting.append(found.bounds)
    if found.session:
        limiting.append(found.session[1])
    return limiting


def decided(principal: Principal, call: Request, side: Side | None = None) -> Formula:
    """Say when a request is allowed, without saying by what."""
    known = call.known_to(principal)
    return weigh(principal, call, known, side, whole=False).formula


def decide(principal: Principal, call: Request, side: Side | None = None) -> Answer:
    """Evaluate a request, with the resource's side where it has one."""
    return decide_knowing(principal, call, call.known_to(principal), side)


def decide_knowing(
    principal: Principal, call: Request, known: Known, side: Side | None
) -> Answer:
    """Evaluate a request of which everything known is collected already."""
    weighed = weigh(principal, call, known, side, whole=False)

    def because() -> Said:
        never = weighed.formula == FALSE
        every = weigh(principal, call, known, side, whole=True) if never else weighed
        return _determining(principal, every, side)

    return Answer(weighed.formula, because, weighed.gaps)


def identity_allows(principal: Principal, call: Request, known: Known) -> Formula:
    """Say when the identity's own policies allow a request."""
    found = principal.matching(call.action)
    if not found.allows and not principal.gaps:
        return FALSE
    allows = applied(found.allows, call, known)
    return either(*(f for _, f in allows), *_may_allow(principal))


def weigh(
    principal: Principal,
    call: Request,
    known: Known,
    side: Side | None,
    *,
    whole: bool,
) -> Weighed:
    """Collect what bears on a request, and judge it.

    Args:
        principal: Who.
        call: The request.
        known: All that is known of it.
        side: What the resource's own policy says.
        whole: Collect all of it, also where nothing allows the request.
    """
    found = principal.matching(call.action)
    allows = applied(found.allows, call, known)
    allowed = either(*(f for _, f in allows), *_may_allow(principal))
    if not whole and combined(allowed, TRUE, side) == FALSE:
        return Weighed(FALSE, allows, [], [], _gaps(principal, call, side))
    soft = _boundary_and_session(principal, found, call, known)
    hard = [_barred(level, applied(g, call, known)) for level, g in found.levels]
    denies = denying(found.denies + found.limit_denies, found.bound_denies, call, known)
    gaps = _gaps(principal, call, side)
    if call.fences and not principal.linked:
        denies += fenced(call, known)
    if call.endpoint:
        bar, more = _endpoint(call.endpoint, principal, call, known)
        hard.append(bar)
        denies += more
    limit = both(*(bar.formula for bar in soft))
    formula = combined(allowed, limit, side)
    if hard:
        formula = both(formula, *(bar.formula for bar in hard))
    if side:
        formula = both(formula, side.also)
    if denies or gaps or (side and side.denied != FALSE):
        denied = either(*(f for _, f in denies), *(g.may("Denies") for g in gaps))
        if side:
            denied = either(denied, side.denied)
        formula = both(formula, negation(denied))
    return Weighed(formula, allows, soft + hard, denies, gaps)


def _gaps(principal: Principal, call: Request, side: Side | None) -> tuple[Gap, ...]:
    gaps = principal.gaps
    if call.fences and not principal.linked:
        gaps += tuple(gap for fence in call.fences for gap in fence.gaps)
    if call.endpoint:
        gaps += call.endpoint.gaps
    return gaps + side.gaps if side else gaps


def _may_allow(principal: Principal) -> list[Formula]:
    if not principal.gaps:
        return []
    return [gap.may("Allows") for gap in principal.gaps_at(Layer.IDENTITY)]


def _boundary_and_session(
    principal: Principal, found: Matching, call: Request, known: Known
) -> list[Barred]:
    bars = []
    if principal.boundary is not None:
        bounds = applied(found.bounds, call, known)
        gaps = principal.gaps_at(Layer.BOUNDARY)
        formula = bounded(principal, bounds, gaps)
        target = principal.boundary_id
        bars.append(Barred(Layer.BOUNDARY, target, bounds, gaps, formula))
    if found.session:
        limit, allows = found.session
        bars.append(_barred(limit, applied(allows, call, known)))
    return bars


def _barred(limit: Limit, pairs: Applied) -> Barred:
    may = (gap.may("Allows") for gap in limit.gaps)
    formula = either(*(f for _, f in pairs), *may)
    return Barred(limit.layer, limit.target, pairs, limit.gaps, formula)


def _endpoint(
    endpoint: Limit, principal: Principal, call: Request, known: Known
) -> tuple[Barred, Applied]:
    """Judge an endpoint's policy; its statements name whom they speak of."""
    spoken = endpoint.speaking(call.action)

    def named(pairs: Applied) -> Applied:
        found = []
        for grant, formula in pairs:
            when = either(*(f for _, f in names(grant.clause, principal)))
            held = both(formula, when)
            if held != FALSE:
                found.append((grant, held))
        return found

    allows = named(applied(spoken.allows, call, known))
    return _barred(endpoint, allows), named(denying(spoken.denies, (), call, known))


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
    return either(whole, denying_part(grant, call, known))


def denying_part(grant: Grant, call: Request, known: Known) -> Formula:
    """Say what a deny does that may speak of a part of the pattern."""
    part = applies_to_some(grant.clause, call.parts, known)
    if part == FALSE:
        return FALSE
    by = name(grant)
    return both(part, atom(DENY, "Matches", (f"{by.policy}#{by.statement}",)))


def fenced(call: Request, known: Known) -> Applied:
    """Collect the denies of resource control policies."""
    grants = tuple(
        dict.fromkeys(g for fence in call.fences for g in fence.speaking(call.action))
    )
    if call.owner or not call.wild:
        return denying(grants, (), call, known)
    pairs = ((grant, denying_part(grant, call, known)) for grant in grants)
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def bounded(principal: Principal, bounds: Applied, gaps: tuple[Gap, ...]) -> Formula:
    """Say what the boundary lets through; an empty boundary lets nothing through."""
    if principal.boundary is None:
        return TRUE
    return either(*(f for _, f in bounds), *(g.may("Allows") for g in gaps))


def combined(allowed: Formula, limit: Formula, side: Side | None) -> Formula:
    """Join the identity's side with the resource's.

    In one account either side suffices, but where the resource's is required: a policy
    that names the account only leaves the rest to the identity's policies. Across
    accounts both must allow.

    Args:
        allowed: What the identity's policies allow.
        limit: What boundary and session policy let through.
        side: What the resource's own policy says.
    """
    if side is None:
        return both(allowed, limit)
    if not side.same_account:
        return both(allowed, limit, either(side.escaping, side.direct, side.account))
    own = both(side.account, allowed) if side.required else allowed
    named = both(either(side.direct, own), limit)
    return either(side.escaping, named)


def _determining(
    principal: Principal, weighed: Weighed, side: Side | None
) -> tuple[Determining, ...]:
    theirs = list(side.determining) if side else []
    denied = [name(grant) for grant, _ in weighed.denies]
    if weighed.formula != FALSE:
        named = [name(g) for g in _deciding(weighed.allows)]
        for bar in weighed.bars:
            named += [name(g) for g in _deciding(bar.applied) if not _tells_nothing(g)]
        unread = [unread_name(gap) for gap in principal.gaps]
        return tuple(dict.fromkeys(named + theirs + denied + unread))
    sure = [name(grant) for grant, f in weighed.denies if f == TRUE]
    sure += side.denying if side else ()
    if sure:
        return tuple(dict.fromkeys(sure))
    missing = denied + [
        Determining(bar.layer.value, bar.target, "", IMPLICIT)
        for bar in weighed.bars
        if bar.formula == FALSE
    ]
    if side and _is_missed(side):
        missing.append(Determining(side.layer.value, side.policy, "", IMPLICIT))
    return tuple(dict.fromkeys(missing)) or tuple(theirs)


IMPLICIT = "implicit-deny"


def _is_missed(side: Side) -> bool:
    """Tell whether the resource's own policy had to allow and does not."""
    needed = side.required or not side.same_account
    return needed and not (side.escaping or side.direct or side.account)


def _tells_nothing(grant: Grant) -> bool:
    return grant.layer is Layer.SCP and is_everything(grant)


def _deciding(pairs: Applied) -> list[Grant]:
    sure = [grant for grant, formula in pairs if formula == TRUE]
    return sure or [grant for grant, _ in pairs]


def name(grant: Grant) -> Determining:
    """Name a grant in the document's words."""
    effect = grant.clause.effect.value
    return Determining(grant.layer.value, grant.policy, grant.sid, effect)


def unread_name(gap: Gap) -> Determining:
    """Name what was not read in the document's words."""
    return Determining(gap.layer.value, gap.policy, gap.sid, gap.key.split(":")[1])

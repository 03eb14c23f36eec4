"""Allows, limits and denies of a principal, as spans that narrow rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from answerable.model.policy import Layer
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_matching import Names, names
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Clause, Gap, Grant
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.patterns.action_resource_matrix import possible_pattern
from answerable.reach.aws.patterns.globs import STAR
from answerable.reach.aws.patterns.terms import ACTIONS, Term, disjoint
from answerable.reach.aws.permission_rows.row_types import Row
from answerable.reach.aws.permission_rows.spans import (
    Limiting,
    Span,
    denied,
    limited,
    limiting,
    spans_of,
)
from answerable.reach.formula import FALSE, both, negation


@dataclass(frozen=True, slots=True)
class Standing:
    """Allows, limits and denies of a principal.

    Attributes:
        allows: Allows of its identity policies.
        escapable: Its boundary and session policy: they do not limit a grant that names
            its user or session itself.
        limits: SCP levels and the endpoint policy.
        denies: Explicit denies of all of them.
        gaps: Policies and statements not read.
    """

    allows: tuple[Span, ...]
    escapable: tuple[Limiting, ...]
    limits: tuple[Limiting, ...]
    denies: tuple[Span, ...]
    gaps: tuple[Gap, ...]
    _of_service: dict[str, "Standing"] = field(default_factory=dict)
    _over: dict[tuple[bool, bool], tuple[Limiting, ...]] = field(default_factory=dict)

    def over_granted(self, *, near: bool, escaping: bool) -> tuple[Limiting, ...]:
        """List the limits on a grant of a resource policy.

        Args:
            near: Whether the resource is of the principal's own account.
            escaping: Whether the policy names the user or session itself.
        """
        found = self._over.get((near, escaping))
        if found is None:
            found = self.limits
            if not (near and escaping):
                found = (*self.escapable, *found)
            if not near:
                unread = [gap for gap in self.gaps if gap.layer is Layer.IDENTITY]
                found = (limiting(self.allows, unread), *found)
            self._over[near, escaping] = found
        return found

    def speaking_of(self, service: str) -> "Standing":
        """Return a copy without spans on other services."""
        found = self._of_service.get(service)
        if found is None:
            found = self._of_service[service] = Standing(
                allows=_speaking(self.allows, service),
                escapable=tuple(_cut(limit, service) for limit in self.escapable),
                limits=tuple(_cut(limit, service) for limit in self.limits),
                denies=_speaking(self.denies, service),
                gaps=self.gaps,
            )
        return found


def _speaking(spans: Iterable[Span], service: str) -> tuple[Span, ...]:
    of_service = Term(f"{service}:{STAR}")
    return tuple(s for s in spans if not disjoint(ACTIONS, s.actions, of_service))


def _cut(limit: Limiting, service: str) -> Limiting:
    return replace(limit, spans=_speaking(limit.spans, service))


def standing_of(
    estate: Estate, principal: Principal, known: Known, action: str = ""
) -> Standing:
    """Collect the allows, limits and denies of a principal.

    Args:
        estate: The compiled accounts.
        principal: The principal.
        known: Condition keys known for every call that it makes.
        action: Action in lower case; statements on others are left out.
    """

    def taking(grants: Iterable[Grant]) -> Iterable[Grant]:
        if not action:
            return grants
        return [grant for grant in grants if grant.clause.takes_action(action)]

    def namer(clause: Clause) -> Names:
        return names(clause, principal)

    mine = list(spans_of(taking(principal.grants), known))
    every = mine
    escapable, limits = [], []
    gaps = principal.gaps
    if principal.boundary is not None:
        spans = list(spans_of(taking(principal.boundary), known))
        escapable.append(limiting(spans, principal.gaps_at(Layer.BOUNDARY)))
        every = every + spans
    if principal.session:
        spans = list(spans_of(taking(principal.session.grants), known))
        escapable.append(limiting(spans, principal.session.gaps))
        every = every + spans
    for level in principal.levels:
        spans = list(spans_of(taking(level.grants), known))
        limits.append(limiting(spans, level.gaps))
        every = every + spans
    if estate.endpoint:
        spans = list(spans_of(taking(estate.endpoint.grants), known, namer))
        limits.append(limiting(spans, estate.endpoint.gaps))
        gaps += estate.endpoint.gaps
        every = every + spans
    return Standing(
        allows=tuple(span for span in mine if not span.denies),
        escapable=tuple(escapable),
        limits=tuple(limits),
        denies=tuple(span for span in every if span.denies),
        gaps=gaps,
    )


def narrowed(
    estate: Estate,
    row: Row,
    limits: Iterable[Limiting],
    denies: Iterable[Span],
    gaps: tuple[Gap, ...],
) -> Iterator[Row]:
    """Narrow a row to the parts that every limit allows and no statement denies."""
    left = [row]
    for limit in limits:
        left = [inside for one in left for inside in limited(one, limit)]
    for deny in denies:
        left = [kept for one in left for kept in denied(one, deny)]
    for one in left:
        if one.formula != FALSE and possible_pattern(
            estate.catalogue, one.actions.pattern, one.resources.pattern
        ):
            unread = (negation(gap.may("Denies")) for gap in gaps)
            yield one._replace(formula=both(one.formula, *unread), gaps=gaps)

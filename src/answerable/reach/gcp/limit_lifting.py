"""Access of a principal after it has taken away limits that it may change."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from answerable.reach.condition_formula import Verdict, conjoin_hops
from answerable.reach.gcp.access_evaluation import AccessGap
from answerable.reach.gcp.answer_building import GoogleAccess
from answerable.reach.gcp.limit_changes import Call, LimitChange, list_limit_changes
from answerable.reach.gcp.step_rules import CONTAINER_POLICY, ROLE_UPDATE
from answerable.reach.platform import PathHop

if TYPE_CHECKING:
    from answerable.reach.gcp.estate_access import EstateAccess

# Permissions that lead to no other principal.
_OWN_POLICY = (ROLE_UPDATE, *CONTAINER_POLICY.values())
_RANKS = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN, Verdict.NEVER)
# With more changes than this, only all of them together are tried.
_MOST_SINGLE_CHANGES = 32
_MOST_ROUNDS = 16


@dataclass(frozen=True, slots=True)
class LiftedLimits:
    """Estate without some limits, and how a principal takes them away.

    Attributes:
        gaps: Missing data without which it cannot.
    """

    access: "EstateAccess"
    hops: tuple[PathHop, ...] = ()
    gaps: tuple[AccessGap, ...] = ()

    def find_access(
        self, principal: str, permission: str, resource: str
    ) -> GoogleAccess:
        """Find the access of the principal once the limits are away."""
        found = self.access.find_present_access(principal, permission, resource)
        if found.verdict is Verdict.NEVER:
            return found
        gaps = tuple(dict.fromkeys((*self.gaps, *found.gaps)))
        return replace(found, hops=(*self.hops, *found.hops), gaps=gaps)


def rank_access(found: GoogleAccess) -> int:
    """Rank an access by its verdict, the surest first."""
    return _RANKS.index(found.verdict)


def list_lifted_limits(
    access: "EstateAccess", principal: str
) -> Iterator[LiftedLimits]:
    """Yield the estates without the limits that a principal may change.

    The first lack one limit each. The last but one lacks all that it may change, also
    those that it may change only after others, and the last those whose change is not
    known to be refused.
    """
    start = LiftedLimits(access)
    changes = list(_list_changes(start, principal, with_gaps=False))
    if 1 < len(changes) <= _MOST_SINGLE_CHANGES:
        for change, control in changes:
            yield _lift_limits(start, [(change, control)])
    for with_gaps in (False, True):
        lifted = start
        for _ in range(_MOST_ROUNDS):
            found = list(_list_changes(lifted, principal, with_gaps=with_gaps))
            if not found:
                break
            lifted = _lift_limits(lifted, found)
        if lifted is not start:
            yield lifted
            start = lifted


def _list_changes(
    lifted: LiftedLimits, principal: str, *, with_gaps: bool
) -> Iterator[tuple[LimitChange, GoogleAccess]]:
    """Yield the limits that a principal may change, with its path."""
    last = Verdict.NOT_KNOWN if with_gaps else Verdict.ONLY_IF
    known: dict[tuple[Call, ...], GoogleAccess] = {}
    for change in list_limit_changes(lifted.access, principal):
        for way in change.ways:
            if way not in known:
                known[way] = _find_control(lifted.access, principal, way)
        control = min((known[way] for way in change.ways), key=rank_access)
        if rank_access(control) <= _RANKS.index(last):
            hops = (*control.hops[:-1], replace(control.hops[-1], to=change.name))
            yield change, replace(control, hops=hops)


def _find_control(
    access: "EstateAccess", principal: str, way: tuple[Call, ...]
) -> GoogleAccess:
    """Find the access to all calls of a way, with the change as the last step."""
    first, *others = (access.find_present_access(principal, *call) for call in way)
    found = _add_change(first, (principal, way[0][0]))
    for other in others:
        if other.verdict is Verdict.NEVER:
            return other
        last = found.hops[-1]
        statements = tuple(dict.fromkeys((*last.determining, *other.statements)))
        formula = conjoin_hops(last.formula, other.formula)
        hops = dict.fromkeys((*found.hops[:-1], *other.hops))
        found = replace(
            found,
            formula=conjoin_hops(found.formula, other.formula),
            hops=(*hops, replace(last, formula=formula, determining=statements)),
            gaps=tuple(dict.fromkeys((*found.gaps, *other.gaps))),
        )
    return found


def _add_change(control: GoogleAccess, change: tuple[str, str]) -> GoogleAccess:
    """Add the change as the last step of the path to its permission."""
    principal, via = change
    for hop in control.hops:
        principal = hop.origin if hop.via in _OWN_POLICY else hop.to
    hop = PathHop(principal, via, "", control.formula, control.statements)
    return replace(control, hops=(*control.hops, hop))


def _lift_limits(
    lifted: LiftedLimits, changes: list[tuple[LimitChange, GoogleAccess]]
) -> LiftedLimits:
    """Take some limits away."""
    access = lifted.access.without_limits([change for change, _ in changes])
    hops = dict.fromkeys(hop for _, control in changes for hop in control.hops)
    gaps = dict.fromkeys(gap for _, control in changes for gap in control.gaps)
    return LiftedLimits(access, (*lifted.hops, *hops), (*lifted.gaps, *gaps))

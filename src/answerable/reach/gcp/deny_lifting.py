"""Deny policies that a principal may change, and its access once it has.

The holder of a permission below on the organization, folder or project that a deny policy
is attached to may take its rules away, unless a rule denies that, too.
Source: https://docs.cloud.google.com/iam/docs/deny-access, "Required permissions".
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from answerable.reach.condition_formula import Verdict
from answerable.reach.gcp.access_evaluation import AccessGap
from answerable.reach.gcp.answer_building import GoogleAccess
from answerable.reach.gcp.catalogue import GoogleDenyPolicy
from answerable.reach.gcp.step_rules import CONTAINER_POLICY, DENY_CHANGES, ROLE_UPDATE
from answerable.reach.platform import PathHop

if TYPE_CHECKING:
    from answerable.reach.gcp.estate_access import EstateAccess

# Permissions that lead to no other principal.
_OWN_POLICY = (ROLE_UPDATE, *CONTAINER_POLICY.values())
_RANKS = (Verdict.ALWAYS, Verdict.ONLY_IF, Verdict.NOT_KNOWN, Verdict.NEVER)


@dataclass(frozen=True, slots=True)
class LiftedDenials:
    """Estate without some deny policies, and how a principal takes them away.

    Attributes:
        gaps: Missing data without which it cannot.
    """

    access: "EstateAccess"
    hops: tuple[PathHop, ...] = ()
    gaps: tuple[AccessGap, ...] = ()

    def find_access(
        self, principal: str, permission: str, resource: str
    ) -> GoogleAccess:
        """Find the access of the principal once the policies are away."""
        found = self.access.find_present_access(principal, permission, resource)
        if found.verdict is Verdict.NEVER:
            return found
        gaps = tuple(dict.fromkeys((*self.gaps, *found.gaps)))
        return replace(found, hops=(*self.hops, *found.hops), gaps=gaps)


def rank_access(found: GoogleAccess) -> int:
    """Rank an access by its verdict, the surest first."""
    return _RANKS.index(found.verdict)


def list_lifted_denials(
    access: "EstateAccess", principal: str
) -> Iterator[LiftedDenials]:
    """Yield the estates without the deny policies that a principal may change.

    The first lack one policy each. The last but one lacks all that it may change, also
    those that it may change only after others, and the last those whose change is not
    known to be refused.
    """
    start = LiftedDenials(access)
    changes = list(_list_changes(start, principal, with_gaps=False))
    if len(changes) > 1:
        for policy, control in changes:
            yield _lift_policies(start, [(policy, control)])
    for with_gaps in (False, True):
        lifted = start
        while found := list(_list_changes(lifted, principal, with_gaps=with_gaps)):
            lifted = _lift_policies(lifted, found)
        if lifted is not start:
            yield lifted
            start = lifted


def _list_changes(
    lifted: LiftedDenials, principal: str, *, with_gaps: bool
) -> Iterator[tuple[GoogleDenyPolicy, GoogleAccess]]:
    """Yield the deny policies that a principal may change, with its path."""
    last = Verdict.NOT_KNOWN if with_gaps else Verdict.ONLY_IF
    for place, policies in lifted.access.index.deny_policies.items():
        if not policies:
            continue
        controls = [
            _add_change(
                lifted.access.find_present_access(principal, via, place),
                (principal, via),
            )
            for via in DENY_CHANGES
        ]
        control = min(controls, key=rank_access)
        if rank_access(control) <= _RANKS.index(last):
            for policy in policies:
                hops = (
                    *control.hops[:-1],
                    replace(control.hops[-1], to=policy.name),
                )
                yield policy, replace(control, hops=hops)


def _add_change(control: GoogleAccess, change: tuple[str, str]) -> GoogleAccess:
    """Add the change as the last step of the path to its permission."""
    principal, via = change
    for hop in control.hops:
        principal = hop.origin if hop.via in _OWN_POLICY else hop.to
    hop = PathHop(principal, via, "", control.formula, control.statements)
    return replace(control, hops=(*control.hops, hop))


def _lift_policies(
    lifted: LiftedDenials, changes: list[tuple[GoogleDenyPolicy, GoogleAccess]]
) -> LiftedDenials:
    """Take some deny policies away."""
    access = lifted.access.without_policies([policy for policy, _ in changes])
    hops = dict.fromkeys(hop for _, control in changes for hop in control.hops)
    gaps = dict.fromkeys(gap for _, control in changes for gap in control.gaps)
    return LiftedDenials(access, (*lifted.hops, *hops), (*lifted.gaps, *gaps))

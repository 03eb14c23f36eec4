"""Decide which principals are administrators: `*` on `*` after denies and boundary.

The test is strict: a principal with a deny that could apply to anything, or a
boundary that leaves anything out, is no administrator.
"""

from collections.abc import Iterable

from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    PolicyStatement,
)
from answerable.reach.aws.patterns.action_resource_matrix import (
    does_pattern_match_every_action,
)
from answerable.reach.aws.patterns.glob_matching import matches_glob


def is_administrator(principal: CompiledPrincipal) -> bool:
    """Return whether a principal may do `*` on `*` without any condition."""
    if principal.gaps:
        return False  # something unread could deny
    if principal.session and not principal.session.allows_everything:
        return False
    if not all(level.allows_everything for level in principal.levels):
        return False
    grants = [*principal.grants, *(principal.boundary or ())]
    if any(grant.clause.effect is PolicyEffect.DENY for grant in grants):
        return False
    if not allow_every_action_and_resource(principal.grants):
        return False
    return principal.boundary is None or allow_every_action_and_resource(
        principal.boundary
    )


def allow_every_action_and_resource(grants: Iterable[PolicyStatement]) -> bool:
    """Return whether the unconditional allows cover each action on each resource."""
    clauses = [grant.clause for grant in select_allows_on_every_resource(grants)]
    if any(map(_has_pattern_of_every_action, clauses)):
        return True
    excluding = [clause for clause in clauses if clause.not_actions]
    if not excluding:
        return False
    patterns = [pattern for clause in clauses for pattern in clause.actions]
    # Everything but some actions, and those allowed elsewhere.
    return any(
        all(any(matches_glob(p, left) for p in patterns) for left in clause.not_actions)
        for clause in excluding
    )


def _has_pattern_of_every_action(clause: CompiledStatement) -> bool:
    """Return whether a pattern of a statement matches every action."""
    patterns = clause.action_set.wild.get("", ()) if clause.actions else ()
    return any(map(does_pattern_match_every_action, patterns))


def select_allows_on_every_resource(
    grants: Iterable[PolicyStatement],
) -> list[PolicyStatement]:
    """Select the unconditional allows on every resource."""
    return [
        grant
        for grant in grants
        if grant.clause.wide and grant.clause.effect is PolicyEffect.ALLOW
    ]

"""Evaluation of all resources of a pattern, for many principals.

The results are those of `evaluate_action`. Denies of resource policies are evaluated
once per class of principals with equal results.
"""

from collections.abc import Iterator

from answerable.model.policy import Effect
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_matching import names
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Grant
from answerable.reach.aws.evaluation.pattern_requests import (
    denies_in,
    overlapping,
    side_with,
)
from answerable.reach.aws.evaluation.policy_layers import (
    decide_knowing,
    identity_allows,
)
from answerable.reach.aws.evaluation.request import Answer, Request, Side
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.single_request import abroad, ask
from answerable.reach.aws.permission_rows.policy_cache import Member, PolicyCache
from answerable.reach.formula import FALSE, Formula

_Deny = tuple[Grant, Formula]


class WholePattern:
    """Evaluator of an action on all resources of a pattern, for any principal."""

    def __init__(self, estate: Estate, action: str, resource: str) -> None:
        """Select the resource policies that may deny part of the pattern."""
        self._estate, self._asked = estate, (action, resource)
        call = estate.asked(action, resource)
        self._call = call if call and call.wild and call.door is None else None
        owners = list(overlapping(estate, call)) if call else []
        self._gaps = tuple(gap for own in owners for gap in own.gaps)
        self._denies = PolicyCache(self._members(owners), self._denied_by)
        # Keeps the denies of each result alive, since they are keyed by identity.
        self._sides: dict[tuple[int, bool], tuple[object, Side]] = {}

    def answer(self, principal: Principal) -> Answer:
        """Evaluate a principal on all of the pattern."""
        call = self._call
        if (
            call is None
            or abroad(self._estate, principal.identity.account, *self._asked)
            or principal.is_free(call.action) is not None
        ):
            return ask(self._estate, principal, *self._asked)
        known = call.known_to(principal)
        near = not call.owner or call.owner == principal.identity.account
        if not near and identity_allows(principal, call, known) == FALSE:
            return ask(self._estate, principal, *self._asked)
        return decide_knowing(
            principal, call, known, self._side(principal, call, near=near)
        )

    def _side(self, principal: Principal, call: Request, *, near: bool) -> Side:
        denies = self._denies.evaluated(principal)
        key = id(denies), near
        found = self._sides.get(key)
        if found is None:
            side = side_with(self._estate, call, denies, self._gaps, near=near)
            found = self._sides[key] = denies, side
        return found[1]

    def _members(self, owners: list[ResourcePolicy]) -> Iterator[Member]:
        action = self._call.action if self._call else ""
        for own in owners:
            clauses = tuple(
                grant.clause
                for grant in own.speaking(action)
                if grant.clause.effect is Effect.DENY
            )
            if clauses:
                yield Member(own, clauses)

    def _denied_by(self, own: ResourcePolicy, principal: Principal) -> Iterator[_Deny]:
        call = self._call
        if call is not None:
            known = call.known_to(principal)
            yield from denies_in(
                own, call, known, lambda clause: names(clause, principal, known)
            )

"""Permission rows of many principals for one action on a resource pattern.

The rows are those of `list_principal_rows`. Statements on other actions are dropped
first, and resource policies are evaluated once per class of principals with equal
results.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import NamedTuple

from answerable.model.policy import Effect, Layer
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.resource_policies import Denier, ResourcePolicy
from answerable.reach.aws.patterns.arns import overlaps_parts
from answerable.reach.aws.patterns.terms import RESOURCES, disjoint
from answerable.reach.aws.permission_rows.policy_cache import Member, PolicyCache
from answerable.reach.aws.permission_rows.principal_rows import (
    own_rows,
    told_by,
    unread_rows,
)
from answerable.reach.aws.permission_rows.principal_spans import (
    Standing,
    narrowed,
    standing_of,
)
from answerable.reach.aws.permission_rows.resource_denials import Takings, opened
from answerable.reach.aws.permission_rows.resource_grants import (
    Asker,
    asked_of,
    namer_of,
    rows_on,
    ways_in,
)
from answerable.reach.aws.permission_rows.row_types import Filter, Row, Speaks
from answerable.reach.formula import TRUE

_Deniers = Mapping[str, tuple[Denier, ...]]


class _Granted(NamedTuple):
    """Row that a resource policy grants, before the principal's own limits.

    Attributes:
        number: Identifies it.
        near: Whether the resource is of the principal's account.
        escaping: Whether the policy names the user or session itself.
    """

    number: int
    near: bool
    escaping: bool
    row: Row


class CallRows:
    """Lister of permission rows for one action on a resource pattern."""

    def __init__(self, estate: Estate, wanted: Filter) -> None:
        """Select the resource policies on the call.

        Args:
            estate: The compiled accounts.
            wanted: One action, and a resource pattern.
        """
        self._estate, self._wanted = estate, wanted
        self._action = wanted.actions.pattern
        self._service = self._action.partition(":")[0]
        self._numbers = count()
        self._grants = PolicyCache(self._granting(), self._granted_by)
        self._deniers: dict[str, _Deniers] = {}
        self._opened: dict[tuple[object, ...], bool] = {}
        self._meets: dict[tuple[int, Clause], bool] = {}

    def may_grant(self, principal: Principal) -> bool:
        """Tell whether resource policies alone may grant part of the pattern.

        Across accounts an identity policy must allow too.
        """
        return any(granted.near for granted in self._grants.evaluated(principal))

    def rows_of(self, principal: Principal) -> Iterator[Row]:
        """List the rows of a principal, paths aside."""
        estate, wanted = self._estate, self._wanted
        known = estate.given.over(principal.known)
        standing = standing_of(estate, principal, known, self._action)
        found = list(own_rows(estate, standing, wanted))
        if found:
            account = principal.identity.account
            takings = Takings(estate, principal, known, self._deniers_in(account))
            found = [self._left(takings, row) for row in found]
        found += unread_rows(principal, wanted)
        listed = dict.fromkeys(found)
        yield from listed
        is_told = told_by([row for row in found if row.formula == TRUE])
        for row in self._granted(principal, standing, is_told):
            if row not in listed and not is_told(row.actions, row.resources):
                listed[row] = None
                yield row

    def _granted(
        self, principal: Principal, standing: Standing, is_told: Speaks
    ) -> Iterator[Row]:
        if is_told(self._wanted.actions, self._wanted.resources):
            return
        unread = principal.gaps_at(Layer.IDENTITY)
        for granted in self._grants.evaluated(principal):
            if not (granted.near or unread or self._is_allowed(granted, standing)):
                continue
            row = granted.row
            limits = standing.over_granted(near=granted.near, escaping=granted.escaping)
            if is_told(row.actions, row.resources):
                continue
            gaps = standing.gaps + row.gaps
            yield from narrowed(self._estate, row, limits, standing.denies, gaps)

    def _is_allowed(self, granted: _Granted, standing: Standing) -> bool:
        """Tell whether the principal's own statements may allow part of a row."""
        for span in standing.allows:
            clause = span.grant.clause
            key = granted.number, clause
            meets = self._meets.get(key) if clause.parts else None
            if meets is None:
                on = [span.resources]
                if clause.parts:
                    on = [
                        s.resources for s in standing.allows if s.grant.clause is clause
                    ]
                meets = any(
                    not disjoint(RESOURCES, one, granted.row.resources) for one in on
                )
                if clause.parts:
                    self._meets[key] = meets
            if meets:
                return True
        return False

    def _left(self, takings: Takings, row: Row) -> Row:
        """Leave a row open where resource policies may deny part of it."""
        principal = takings.principal
        key = (
            principal.identity.account,
            principal.linked,
            takings.bearing(self._service),
            row.resources,
        )
        is_open = self._opened.get(key)
        if is_open is None:
            left = takings.left(row._replace(formula=TRUE))
            is_open = self._opened[key] = any(one.formula != TRUE for one in left)
        return opened(row) if is_open else row

    def _deniers_in(self, account: str) -> _Deniers:
        """Select an account's resource policies that may deny part of the pattern."""
        found = self._deniers.get(account)
        if found is None:
            kept = []
            for grant, owners in self._estate.deniers.get(self._service, ()):
                if grant and not grant.clause.takes_action(self._action):
                    continue
                some = tuple(own for own in owners if self._is_owned(own, account))
                kept += [(grant, some)] if some else []
            found = {self._service: tuple(kept)} if kept else {}
            self._deniers[account] = found
        return found

    def _is_owned(self, own: ResourcePolicy, account: str) -> bool:
        pattern = self._wanted.resources.pattern
        return own.account in ("", account) and any(
            overlaps_parts(parts, pattern) for parts in own.spoken_of
        )

    def _granting(self) -> Iterator[Member]:
        """List the resource policies that may grant part of the pattern."""
        estate, wanted = self._estate, self._wanted
        for own in estate.holders.values():
            if own.service != self._service or not any(asked_of(own, wanted)):
                continue
            clauses = tuple(grant.clause for grant in own.speaking(self._action))
            if own.gaps or any(c.effect is Effect.ALLOW for c in clauses):
                fence = estate.fences.get(own.account)
                over = fence.speaking(self._action) if fence else ()
                yield Member(own, clauses, tuple(grant.clause for grant in over))

    def _granted_by(
        self, own: ResourcePolicy, principal: Principal
    ) -> Iterator[_Granted]:
        """List the rows that one policy grants by name, or to everyone."""
        estate, wanted = self._estate, self._wanted
        near = own.account in ("", principal.identity.account)
        ways = ways_in(own, principal, estate.given.over(principal.known))
        for on in asked_of(own, wanted) if ways else ():
            for way in ways:
                known = principal.knows(on.pattern)
                namer = namer_of(principal, way, estate.given)
                asker = Asker(namer, known, near, principal.linked)
                for row in rows_on(estate, own, on, wanted, asker):
                    number = next(self._numbers)
                    yield _Granted(number, near, way == "escaping", row)

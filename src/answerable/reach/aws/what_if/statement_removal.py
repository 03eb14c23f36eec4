"""Leave statements out of compiled accounts; each part is compared when it is read."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer, RcpDenies
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    are_unconditional_allows,
)
from answerable.reach.aws.compiled.statements import PolicyGap, PolicyStatement
from answerable.reach.aws.evaluation.resource_policies import (
    ResourcePolicy,
    build_resource_policy,
)
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.lazy_tables import LazyMapping

RemovedStatements = Collection[tuple[str, str]]  # policy and Sid of each
_Statements = tuple[PolicyStatement, ...]
_Key = TypeVar("_Key", bound=str)
_Part = TypeVar("_Part")


def remove_statements(
    accounts: CompiledAccounts, removed: RemovedStatements, layers: Collection[str]
) -> CompiledAccounts:
    """Return accounts as if their policies did not have some statements.

    Parts without such a statement stay the same objects.

    Args:
        layers: Layers at which the policies of the statements are attached.
    """
    removal = _StatementRemoval(removed)
    if PolicyLayer.RESOURCE in layers:
        accounts = replace(
            accounts,
            holders=_map_lazily(accounts.holders, removal.edit_resource_policy),
            _places={},
            _deniers=None,
            _granters=None,
            _denying=None,
        )
    return replace(
        accounts,
        principals=_map_lazily(accounts.principals, removal.edit_principal),
        trusts=_map_lazily(accounts.trusts, removal.edit_trust_policy),
        groups=_map_lazily(accounts.groups, removal.select_statements),
        scp_levels={
            account: removal.edit_levels(levels)
            for account, levels in accounts.scp_levels.items()
        },
        rcps={
            account: removal.edit_rcps(rcps) for account, rcps in accounts.rcps.items()
        },
        stored_holders=None,
        _holding=None,
    )


def _map_lazily(
    parts: Mapping[_Key, _Part], edit: Callable[[_Part], _Part]
) -> Mapping[_Key, _Part]:
    """Return a mapping whose parts are edited on first use."""
    rows: Mapping[str, _Part] = parts  # type: ignore[assignment]  # keys are ids
    return LazyMapping(rows, lambda _, part: edit(part))


class _StatementRemoval:
    """Parts of compiled accounts without some statements."""

    def __init__(self, removed: RemovedStatements) -> None:
        self._removed = removed
        self._levels: dict[int, LimitingLayer] = {}
        self._rcps: dict[int, RcpDenies] = {}

    def select_statements(self, statements: _Statements) -> _Statements:
        """Return the other statements; the same object if none is removed."""
        left = tuple(
            each for each in statements if (each.policy, each.sid) not in self._removed
        )
        return statements if len(left) == len(statements) else left

    def _select_gaps(self, gaps: tuple[PolicyGap, ...]) -> tuple[PolicyGap, ...]:
        """Return the other unread statements; the same object if none is removed."""
        left = tuple(
            each for each in gaps if (each.policy, each.sid) not in self._removed
        )
        return gaps if len(left) == len(gaps) else left

    def edit_principal(self, principal: CompiledPrincipal) -> CompiledPrincipal:
        """Return a principal without the statements, at its own layers and above."""
        bounds = principal.boundary
        grants = self.select_statements(principal.grants)
        boundary = None if bounds is None else self.select_statements(bounds)
        gaps = self._select_gaps(principal.gaps)
        levels = self.edit_levels(principal.levels)
        if (
            grants is principal.grants
            and boundary is bounds
            and gaps is principal.gaps
            and levels is principal.levels
        ):
            return principal
        return replace(
            principal,
            grants=grants,
            boundary=boundary,
            gaps=gaps,
            levels=levels,
            _by_action={},
            _by_service={},
        )

    def edit_levels(
        self, levels: tuple[LimitingLayer, ...]
    ) -> tuple[LimitingLayer, ...]:
        """Return SCP levels without the statements; accounts share equal levels."""
        edited = tuple(map(self._edit_level, levels))
        return levels if edited == levels else edited

    def _edit_level(self, level: LimitingLayer) -> LimitingLayer:
        found = self._levels.get(id(level))
        if found is None:
            grants = self.select_statements(level.grants)
            gaps = self._select_gaps(level.gaps)
            same = grants is level.grants and gaps is level.gaps
            found = (
                level
                if same
                else replace(level, grants=grants, gaps=gaps, _by_action={})
            )
            self._levels[id(level)] = found
        return found

    def edit_rcps(self, rcps: RcpDenies) -> RcpDenies:
        """Return the RCPs of an account without the statements."""
        found = self._rcps.get(id(rcps))
        if found is None:
            denies = self.select_statements(rcps.denies)
            gaps = self._select_gaps(rcps.gaps)
            same = denies is rcps.denies and gaps is rcps.gaps
            found = rcps if same else RcpDenies(rcps.account, denies, gaps)
            self._rcps[id(rcps)] = found
        return found

    def edit_trust_policy(self, trust: RoleTrust) -> RoleTrust:
        """Return a trust policy without the statements."""
        grants = self.select_statements(trust.grants)
        gaps = self._select_gaps(trust.gaps)
        rcps = self.edit_rcps(trust.rcps) if trust.rcps else trust.rcps
        if grants is trust.grants and gaps is trust.gaps and rcps is trust.rcps:
            return trust
        return replace(
            trust,
            grants=grants,
            gaps=gaps,
            plain=trust.collected and not gaps and are_unconditional_allows(grants),
            rcps=rcps,
            _by_action={},
        )

    def edit_resource_policy(self, policy: ResourcePolicy) -> ResourcePolicy:
        """Return a resource policy without the statements."""
        grants = self.select_statements(policy.grants)
        gaps = self._select_gaps(policy.gaps)
        if grants is policy.grants and gaps is policy.gaps:
            return policy
        return build_resource_policy(policy.resource, policy.account, grants, gaps)

"""Recompile those parts of compiled accounts whose policy statements were edited."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import PolicyLayer
from answerable.reach.aws.bulk.bitset import build_bitset, list_positions
from answerable.reach.aws.bulk.closure import GraphClosure
from answerable.reach.aws.bulk.policy_diff import PolicyDiff
from answerable.reach.aws.bulk.rcp_update import (
    RcpDeniesByAccount,
    recompile_account_rcps,
)
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    are_unconditional_allows,
)
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.compiled.trust_index import (
    list_trusted_identity_providers,
    list_trusted_principals,
    list_trusted_services,
    update_trusting_role_index,
)
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph

StatementsByPolicy = Mapping[PolicyId, list[PolicyStatement]]
ScpLevels = tuple[LimitingLayer, ...]


@dataclass(eq=False, slots=True)
class Recompilation:
    """Compiled accounts with the statements of edited policies replaced.

    Attributes:
        whole: Closure before the edit.
        edited: The new statements.
        limits: New SCP level by old SCP level, where it changed.
        trusts: Changed trust policies.
        graph: Graph after the edit.
        actors: Principals whose own policies changed, by number.
        lost: Whether the position of some new statements is not known.
    """

    whole: GraphClosure
    edited: PolicyDiff
    limits: dict[LimitingLayer, LimitingLayer] = field(default_factory=dict)
    trusts: dict[IdentityId, RoleTrust] = field(default_factory=dict)
    graph: IdentityGraph = field(init=False)
    actors: dict[int, CompiledPrincipal] = field(init=False)
    lost: bool = False
    _levels: dict[int, ScpLevels] = field(default_factory=dict)
    _own: set[IdentityId] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Replace the statements."""
        graph, targets = self.whole.graph, self.edited.targets
        controls = self._recompile_scp_levels()
        own = targets[PolicyLayer.IDENTITY] | targets[PolicyLayer.BOUNDARY]
        self._own = {
            one for one in map(IdentityId, own) if one in self._compiled_principals
        }
        self.trusts = {
            role: self._recompile_trust_policy(graph.accounts.trusts[role])
            for role in map(IdentityId, targets[PolicyLayer.TRUST])
            if role in graph.accounts.trusts
        }
        self.graph = graph.with_compiled_accounts(self._recompile_accounts(controls))
        # Other statements may depend on a tag now.
        self.graph.tagged = self.graph.tagged_policies = None
        old = self.whole.compiled_graph.index.actors
        self.actors = {
            n: new
            for n, new in self._list_changed_principals()
            if _have_policies_changed(old[n], new)
        }

    @property
    def _compiled_principals(self) -> Mapping[IdentityId, CompiledPrincipal]:
        """Compiled principals before the edit, by id."""
        return self.whole.graph.accounts.principals

    def _recompile_scp_levels(self) -> dict[str, ScpLevels]:
        """Return the SCP levels of each account, with edited statements replaced."""
        texts, targets = (
            self.edited.texts[PolicyLayer.SCP],
            self.edited.targets[PolicyLayer.SCP],
        )
        controls = dict(self.whole.graph.accounts.scp_levels)
        for account, levels in controls.items() if texts else ():
            for level in levels:
                if level.target in targets and level not in self.limits:
                    grants = _replace_edited_statements(level.grants, texts)
                    self.limits[level] = replace(level, grants=grants, _by_action={})
            if any(level in self.limits for level in levels):
                new = tuple(self.limits.get(level, level) for level in levels)
                self._levels[id(levels)] = controls[account] = new
        return controls

    def _recompile_accounts(
        self, scp_levels: Mapping[str, ScpLevels]
    ) -> CompiledAccounts:
        """Return the compiled accounts with all edited statements replaced."""
        accounts, texts = self.whole.graph.accounts, self.edited.texts
        principals = dict(accounts.principals)
        for one in principals if self._levels else self._own:
            principal = principals[one]
            if one in self._own or id(principal.levels) in self._levels:
                principals[one] = self._recompile_principal(principal)
        groups = dict(accounts.groups)
        for name in self.edited.groups & groups.keys():
            groups[name] = _replace_edited_statements(
                groups[name], texts[PolicyLayer.IDENTITY]
            )
        new = replace(
            accounts,
            principals=principals,
            _holding=None,
            groups=groups,
            scp_levels=scp_levels,
            written={**self.edited.written, **accounts.written},
        )
        if self.trusts:
            new = _replace_trust_policies(new, self.trusts)
        if texts[PolicyLayer.RCP]:
            fences = recompile_account_rcps(accounts, self.edited)
            self.lost |= fences is None
            if fences is not None:
                new = replace(
                    new, rcps=fences, trusts=_apply_rcps_to_trust_policies(new, fences)
                )
        if texts[PolicyLayer.RESOURCE]:
            holders = self._recompile_resource_policies(accounts.holders)
            new = replace(
                new, holders=holders, _deniers=None, _granters=None, _denying=None
            )
        return new

    def _recompile_resource_policies(
        self, resource_policies: Mapping[str, ResourcePolicy]
    ) -> Mapping[str, ResourcePolicy]:
        """Replace the statements of edited resource policies."""
        new, texts = dict(resource_policies), self.edited.texts[PolicyLayer.RESOURCE]
        for target in self.edited.targets[PolicyLayer.RESOURCE]:
            policies = self.edited.hung[PolicyLayer.RESOURCE, target]
            grants = [g for g in new[target].grants if g.policy not in policies]
            grants += (g for one in policies for g in texts[one])
            grants.sort(key=lambda grant: grant.policy)
            new[target] = replace(
                new[target], grants=tuple(grants), offers={}, _by_action={}
            )
        return new

    def _recompile_principal(self, principal: CompiledPrincipal) -> CompiledPrincipal:
        """Replace edited statements of a principal's policies and SCPs."""
        if principal.id in self._own:
            texts, bound = self.edited.texts, principal.boundary
            principal = replace(
                principal,
                grants=_replace_edited_statements(
                    principal.grants, texts[PolicyLayer.IDENTITY]
                ),
                boundary=bound
                if bound is None
                else self._replace_attached_statements(
                    bound, PolicyLayer.BOUNDARY, principal.id
                ),
                _by_action={},
                _by_service={},
            )
        return self._apply_scp_levels(principal)

    def _recompile_trust_policy(self, trust: RoleTrust) -> RoleTrust:
        """Replace the edited statements of a role's trust policy."""
        grants = self._replace_attached_statements(
            trust.grants, PolicyLayer.TRUST, trust.role
        )
        plain = trust.collected and not trust.gaps and are_unconditional_allows(grants)
        return replace(trust, grants=grants, plain=plain, _by_action={})

    def _replace_attached_statements(
        self, statements: tuple[PolicyStatement, ...], layer: PolicyLayer, target: str
    ) -> tuple[PolicyStatement, ...]:
        """Replace a target's statements by those of the edited policies."""
        texts, hung = self.edited.texts[layer], self.edited.hung[layer, target]
        if not statements:
            return tuple(grant for one in sorted(hung) for grant in texts[one])
        self.lost |= not hung <= {grant.policy for grant in statements}
        return _replace_edited_statements(statements, texts)

    def _apply_scp_levels(self, principal: CompiledPrincipal) -> CompiledPrincipal:
        """Return the principal under its recompiled SCP levels."""
        levels = self._levels.get(id(principal.levels))
        return principal if levels is None else principal.with_scp_levels(levels)

    def _list_changed_principals(self) -> Iterator[tuple[int, CompiledPrincipal]]:
        """Pair the principals whose policies changed with their new principals."""
        realm, groups = self.whole.compiled_graph, self.edited.groups - {""}
        index, size = realm.index, self.whole.size
        ids = build_bitset(
            (realm.numbers[IdentityNode(one)] for one in self._own), size
        )
        joined = range(realm.first_group_node, size if groups else 0)
        own = index.include_copies(ids) | build_bitset(
            (n for n in joined if realm.nodes[n].extra in groups), size
        )
        told = own
        for limit in self.limits:
            told |= index.limits.get(limit, 0)
        for number in list_positions(told):
            if own >> number & 1 or number < realm.plain:
                yield number, self.graph.get_principal(realm.nodes[number])
            else:
                yield number, self._apply_scp_levels(index.actors[number])


def _have_policies_changed(old: CompiledPrincipal, new: CompiledPrincipal) -> bool:
    """Return whether a principal's policies differ between two versions."""
    same = old.boundary == new.boundary and old.levels == new.levels
    return not same or old.grants != new.grants


def _replace_trust_policies(
    accounts: CompiledAccounts, trusts: Mapping[IdentityId, RoleTrust]
) -> CompiledAccounts:
    """Replace trust policies, and the indexes of the principals they name."""
    old, new = [accounts.trusts[role] for role in trusts], list(trusts.values())
    return replace(
        accounts,
        trusts={**accounts.trusts, **trusts},
        by_service=update_trusting_role_index(
            accounts.by_service, list_trusted_services(old), list_trusted_services(new)
        ),
        by_named=update_trusting_role_index(
            accounts.by_named,
            list_trusted_principals(old),
            list_trusted_principals(new),
        ),
        by_provider=update_trusting_role_index(
            accounts.by_provider,
            list_trusted_identity_providers(old),
            list_trusted_identity_providers(new),
        ),
        _open_roles=None,
    )


def _apply_rcps_to_trust_policies(
    accounts: CompiledAccounts, rcps: RcpDeniesByAccount
) -> dict[IdentityId, RoleTrust]:
    """Return all trust policies with the RCPs of their accounts."""
    return {
        role: trust
        if trust.rcps is (fence := rcps.get(trust.account))
        or accounts.principals[role].linked
        else replace(trust, rcps=fence)
        for role, trust in accounts.trusts.items()
    }


def _replace_edited_statements(
    statements: tuple[PolicyStatement, ...], new_statements: StatementsByPolicy
) -> tuple[PolicyStatement, ...]:
    """Replace the statements of edited policies, at their old position."""
    if not any(grant.policy in new_statements for grant in statements):
        return statements
    found: list[PolicyStatement] = []
    told: set[PolicyId] = set()
    for grant in statements:
        if grant.policy not in new_statements:
            found.append(grant)
        elif grant.policy not in told:
            told.add(grant.policy)
            found += new_statements[grant.policy]
    return tuple(found)

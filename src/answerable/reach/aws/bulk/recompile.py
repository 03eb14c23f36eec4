"""Recompilation of the parts of compiled accounts that hold edited statements."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import Layer
from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.aws.bulk.closure import Whole
from answerable.reach.aws.bulk.policy_diff import Edited
from answerable.reach.aws.bulk.rcp_update import Fences, fences_now
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.compile_parts import is_plain
from answerable.reach.aws.compiled.organization_policies import Limit
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Grant
from answerable.reach.aws.compiled.trust_index import (
    exchanged,
    named_of,
    providers_of,
    services_of,
)
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.trust import Trust
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.identity_graph import Graph

Texts = Mapping[PolicyId, list[Grant]]
Levels = tuple[Limit, ...]


@dataclass(eq=False, slots=True)
class Exchange:
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

    whole: Whole
    edited: Edited
    limits: dict[Limit, Limit] = field(default_factory=dict)
    trusts: dict[IdentityId, Trust] = field(default_factory=dict)
    graph: Graph = field(init=False)
    actors: dict[int, Principal] = field(init=False)
    lost: bool = False
    _levels: dict[int, Levels] = field(default_factory=dict)
    _own: set[IdentityId] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Replace the statements."""
        graph, targets = self.whole.graph, self.edited.targets
        controls = self._controls()
        own = targets[Layer.IDENTITY] | targets[Layer.BOUNDARY]
        self._own = {one for one in map(IdentityId, own) if one in self._principals}
        self.trusts = {
            role: self._trust(graph.estate.trusts[role])
            for role in map(IdentityId, targets[Layer.TRUST])
            if role in graph.estate.trusts
        }
        self.graph = graph.over(self._estate(controls))
        self.graph.tagged = None  # other statements may depend on a tag now
        old = self.whole.realm.index.actors
        self.actors = {n: new for n, new in self._told() if _differ(old[n], new)}

    @property
    def _principals(self) -> Mapping[IdentityId, Principal]:
        return self.whole.graph.estate.principals

    def _controls(self) -> dict[str, Levels]:
        """Replace statements in SCP levels; record the new level of each old one."""
        texts, targets = self.edited.texts[Layer.SCP], self.edited.targets[Layer.SCP]
        controls = dict(self.whole.graph.estate.controls)
        for account, levels in controls.items() if texts else ():
            for level in levels:
                if level.target in targets and level not in self.limits:
                    grants = _put(level.grants, texts)
                    self.limits[level] = replace(level, grants=grants, _by_action={})
            if any(level in self.limits for level in levels):
                new = tuple(self.limits.get(level, level) for level in levels)
                self._levels[id(levels)] = controls[account] = new
        return controls

    def _estate(self, controls: Mapping[str, Levels]) -> Estate:
        estate, texts = self.whole.graph.estate, self.edited.texts
        principals = dict(estate.principals)
        for one in principals if self._levels else self._own:
            principal = principals[one]
            if one in self._own or id(principal.levels) in self._levels:
                principals[one] = self._principal(principal)
        groups = dict(estate.groups)
        for name in self.edited.groups & groups.keys():
            groups[name] = _put(groups[name], texts[Layer.IDENTITY])
        new = replace(
            estate,
            principals=principals,
            _holding=None,
            groups=groups,
            controls=controls,
            written={**self.edited.written, **estate.written},
        )
        if self.trusts:
            new = _trusting(new, self.trusts)
        if texts[Layer.RCP]:
            fences = fences_now(estate, self.edited)
            self.lost |= fences is None
            if fences is not None:
                new = replace(new, fences=fences, trusts=_fenced(new, fences))
        if texts[Layer.RESOURCE]:
            holders = self._holders(estate.holders)
            new = replace(
                new, holders=holders, _deniers=None, _granters=None, _denying=None
            )
        return new

    def _holders(
        self, holders: Mapping[str, ResourcePolicy]
    ) -> Mapping[str, ResourcePolicy]:
        new, texts = dict(holders), self.edited.texts[Layer.RESOURCE]
        for target in self.edited.targets[Layer.RESOURCE]:
            policies = self.edited.hung[Layer.RESOURCE, target]
            grants = [g for g in new[target].grants if g.policy not in policies]
            grants += (g for one in policies for g in texts[one])
            grants.sort(key=lambda grant: grant.policy)
            new[target] = replace(
                new[target], grants=tuple(grants), offers={}, _by_action={}
            )
        return new

    def _principal(self, principal: Principal) -> Principal:
        if principal.id in self._own:
            texts, bound = self.edited.texts, principal.boundary
            principal = replace(
                principal,
                grants=_put(principal.grants, texts[Layer.IDENTITY]),
                boundary=bound
                if bound is None
                else self._laid(bound, Layer.BOUNDARY, principal.id),
                _by_action={},
                _by_service={},
            )
        return self._leveled(principal)

    def _trust(self, trust: Trust) -> Trust:
        grants = self._laid(trust.grants, Layer.TRUST, trust.role)
        plain = trust.collected and not trust.gaps and is_plain(grants)
        return replace(trust, grants=grants, plain=plain, _by_action={})

    def _laid(
        self, grants: tuple[Grant, ...], layer: Layer, target: str
    ) -> tuple[Grant, ...]:
        """Replace statements at a target that may have had none."""
        texts, hung = self.edited.texts[layer], self.edited.hung[layer, target]
        if not grants:
            return tuple(grant for one in sorted(hung) for grant in texts[one])
        self.lost |= not hung <= {grant.policy for grant in grants}
        return _put(grants, texts)

    def _leveled(self, principal: Principal) -> Principal:
        levels = self._levels.get(id(principal.levels))
        return principal if levels is None else principal.over(levels)

    def _told(self) -> Iterator[tuple[int, Principal]]:
        """Pair the actors whose policies changed with their new principals."""
        realm, groups = self.whole.realm, self.edited.groups - {""}
        index, size = realm.index, self.whole.size
        ids = gathered((realm.numbers[Node(one)] for one in self._own), size)
        joined = range(realm.joined, size if groups else 0)
        own = index.with_gains(ids) | gathered(
            (n for n in joined if realm.nodes[n].extra in groups), size
        )
        told = own
        for limit in self.limits:
            told |= index.limits.get(limit, 0)
        for number in positions(told):
            if own >> number & 1 or number < realm.plain:
                yield number, self.graph.principal(realm.nodes[number])
            else:
                yield number, self._leveled(index.actors[number])


def _differ(old: Principal, new: Principal) -> bool:
    """Tell whether the policies of a principal differ."""
    same = old.boundary == new.boundary and old.levels == new.levels
    return not same or old.grants != new.grants


def _trusting(estate: Estate, trusts: Mapping[IdentityId, Trust]) -> Estate:
    """Replace trust policies, and the indexes of the principals they name."""
    old, new = [estate.trusts[role] for role in trusts], list(trusts.values())
    return replace(
        estate,
        trusts={**estate.trusts, **trusts},
        by_service=exchanged(estate.by_service, services_of(old), services_of(new)),
        by_named=exchanged(estate.by_named, named_of(old), named_of(new)),
        by_provider=exchanged(estate.by_provider, providers_of(old), providers_of(new)),
        _open_roles=None,
    )


def _fenced(estate: Estate, fences: Fences) -> dict[IdentityId, Trust]:
    """Apply the current RCPs to trust policies."""
    return {
        role: trust
        if trust.fence is (fence := fences.get(trust.account))
        or estate.principals[role].linked
        else replace(trust, fence=fence)
        for role, trust in estate.trusts.items()
    }


def _put(grants: tuple[Grant, ...], texts: Texts) -> tuple[Grant, ...]:
    """Replace the statements of edited policies, in place."""
    if not any(grant.policy in texts for grant in grants):
        return grants
    found: list[Grant] = []
    told: set[PolicyId] = set()
    for grant in grants:
        if grant.policy not in texts:
            found.append(grant)
        elif grant.policy not in told:
            told.add(grant.policy)
            found += texts[grant.policy]
    return tuple(found)

"""After an edit: what did not change is kept.

Nobody's steps change by an edit that changes no statement about a step: of identity
policies, boundaries and control policies those that speak of none of the rules'
actions; of own policies those of resources that no rule asks anything of. Then only who
is told what is exchanged. After any other edit all is found again. Either way the
result equals a cold run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import Effect, Layer
from answerable.model.sighting import Facts
from answerable.reach.bits.edited import Edited, edited
from answerable.reach.bits.holders import Index, Noted
from answerable.reach.bits.whole import Whole, whole_of
from answerable.reach.estate.clauses import Grant
from answerable.reach.estate.control import Fence, Limit
from answerable.reach.estate.estate import Estate, compile_estate
from answerable.reach.estate.principals import Principal
from answerable.reach.paths.admin import is_admin
from answerable.reach.paths.graph import Graph
from answerable.reach.verdict.sides import ResourcePolicy
from answerable.reach.verdict.trust import Trust

Texts = Mapping[PolicyId, list[Grant]]
Levels = tuple[Limit, ...]


def updated(whole: Whole, before: Facts, after: Facts) -> Whole:
    """Return what a cold run over changed facts would.

    Args:
        whole: What was found from `before`.
        before: The facts then.
        after: The facts now.
    """
    estate = whole.graph.estate
    changed = edited(before, after)
    if changed is None:
        return _cold(estate, after)
    return _Exchange(whole, changed).made() or _cold(estate, after)


def _cold(estate: Estate, facts: Facts) -> Whole:
    fresh = compile_estate(
        facts,
        estate.catalogue,
        given=estate.given,
        tags_collected=estate.tags_collected,
    )
    graph = Graph(replace(fresh, session=estate.session, endpoint=estate.endpoint))
    return whole_of(graph)


@dataclass(eq=False, slots=True)
class _Exchange:
    """Statements put in the place of others.

    Attributes:
        whole: What they are exchanged in.
        edited: The new ones.
    """

    whole: Whole
    edited: Edited
    _limits: dict[Limit, Limit] = field(default_factory=dict)
    _levels: dict[int, Levels] = field(default_factory=dict)
    _own: set[str] = field(default_factory=set)
    _turning: bool = False

    def made(self) -> Whole | None:
        """Exchange; None where somebody came to be an admin, or no more is."""
        whole, realm = self.whole, self.whole.realm
        controls = self._controls()
        for layer in (Layer.IDENTITY, Layer.BOUNDARY):
            self._own |= self.edited.targets[layer]
        graph = Graph(self._estate(controls))
        actors = dict(self._actors(graph))
        old = realm.index.actors
        if any(self._turned(old[number], new) for number, new in actors.items()):
            return None
        index = _reindexed(realm.index, actors, self._limits)
        naming = realm.naming.over(index)
        new = replace(realm, graph=graph, index=index, naming=naming)
        return whole.moved(graph, new)

    def _controls(self) -> dict[str, Levels]:
        """Exchange in SCP levels, and note which took the place of which."""
        texts, targets = self.edited.texts[Layer.SCP], self.edited.targets[Layer.SCP]
        controls = dict(self.whole.graph.estate.controls)
        for account, levels in controls.items() if texts else ():
            for level in levels:
                if level.target in targets and level not in self._limits:
                    grants = _put(level.grants, texts)
                    self._limits[level] = replace(level, grants=grants, _by_action={})
            if any(level in self._limits for level in levels):
                new = tuple(self._limits.get(level, level) for level in levels)
                self._levels[id(levels)] = controls[account] = new
        self._turning = any(a.is_open != b.is_open for a, b in self._limits.items())
        return controls

    def _estate(self, controls: Mapping[str, Levels]) -> Estate:
        estate, texts = self.whole.graph.estate, self.edited.texts
        principals = dict(estate.principals)
        for one, principal in principals.items() if self._own or self._levels else ():
            if one in self._own or id(principal.levels) in self._levels:
                principals[one] = self._principal(principal)
        groups = dict(estate.groups)
        for name in self.edited.groups & groups.keys():
            groups[name] = _put(groups[name], texts[Layer.IDENTITY])
        new = replace(
            estate,
            principals=principals,
            groups=groups,
            controls=controls,
            written={**self.edited.written, **estate.written},
        )
        if texts[Layer.RCP]:
            fences = _fences(estate.fences, texts[Layer.RCP])
            new = replace(new, fences=fences, trusts=_fenced(estate, fences))
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
        for target, policies in self.edited.hung.items():
            grants = [g for g in new[target].grants if g.policy not in policies]
            grants += (g for one in policies for g in texts[one])
            grants.sort(key=lambda grant: grant.policy)
            new[target] = replace(new[target], grants=tuple(grants), _by_action={})
        return new

    def _principal(self, principal: Principal) -> Principal:
        if principal.id in self._own:
            texts, bound = self.edited.texts, principal.boundary
            principal = replace(
                principal,
                grants=_put(principal.grants, texts[Layer.IDENTITY]),
                boundary=bound and _put(bound, texts[Layer.BOUNDARY]),
                _by_action={},
                _by_service={},
            )
        return self._leveled(principal)

    def _leveled(self, principal: Principal) -> Principal:
        levels = self._levels.get(id(principal.levels))
        return principal if levels is None else _under(principal, levels)

    def _actors(self, graph: Graph) -> Iterator[tuple[int, Principal]]:
        """List the actors that are told something else, as they are now."""
        realm, groups = self.whole.realm, self.edited.groups - {""}
        if not (self._levels or self._own or groups):
            return
        known, own, levels = graph.estate.principals, self._own, self._levels
        both = zip(realm.nodes[: self.whole.size], realm.index.actors, strict=True)
        for number, (node, actor) in enumerate(both):
            if number < realm.plain and node.identity in known:
                new = known[node.identity]
                if new is not actor:
                    yield number, new
            elif node.identity in own or node.extra in groups:
                yield number, graph.principal(node)
            elif id(actor.levels) in levels:
                yield number, self._leveled(actor)

    def _turned(self, old: Principal, new: Principal) -> bool:
        """Tell whether somebody came to be an admin, or no more is."""
        same = old.grants is new.grants and old.boundary is new.boundary
        return not (same and not self._turning) and is_admin(old) != is_admin(new)


def _under(principal: Principal, levels: Levels) -> Principal:
    """Put somebody under other SCPs; written out, for it is done to thousands."""
    return Principal(
        principal.identity,
        principal.grants,
        principal.boundary,
        principal.boundary_id,
        principal.gaps,
        principal.known,
        principal.groups,
        principal.policies,
        principal.extra,
        principal.collected,
        levels,
        principal.session,
        principal.linked,
    )


def _reindexed(
    index: Index, actors: Mapping[int, Principal], limits: Mapping[Limit, Limit]
) -> Index:
    """Index what some actors are told now."""
    other = {
        n: actor
        for n, actor in actors.items()
        if actor.grants != index.actors[n].grants
    }
    new = index.changed(other)
    lost, gained = Noted(), Noted()
    for number, actor in actors.items():
        was = index.actors[number].boundary
        new.actors[number] = actor
        if was is not actor.boundary:
            lost.take(was or (), number)
            gained.take(actor.boundary or (), number)
    new.boundary = index.boundary.changed(lost, gained, len(index.actors))
    new.limits = {limits.get(limit, limit): who for limit, who in index.limits.items()}
    return new


def _fences(fences: Mapping[str, Fence], texts: Texts) -> dict[str, Fence]:
    """Exchange in RCPs; a fence that says nothing any more is none."""
    found = {}
    for account, old in fences.items():
        fence = old
        if any(grant.policy in texts for grant in fence.denies):
            put = _put(fence.denies, texts)
            denies = dict.fromkeys(g for g in put if g.clause.effect is Effect.DENY)
            fence = Fence(account, tuple(denies), fence.gaps)
        if fence.denies or fence.gaps:
            found[account] = fence
    return found


def _fenced(estate: Estate, fences: Mapping[str, Fence]) -> dict[IdentityId, Trust]:
    """Put trusts behind the fences of today."""
    return {
        role: trust
        if trust.fence is None or trust.fence is fences.get(trust.account)
        else replace(trust, fence=fences.get(trust.account))
        for role, trust in estate.trusts.items()
    }


def _put(grants: tuple[Grant, ...], texts: Texts) -> tuple[Grant, ...]:
    """Put the new statements of a policy where its old ones stood."""
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

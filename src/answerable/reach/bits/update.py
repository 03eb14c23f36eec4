"""After an edit: what did not change is kept.

An edit of identity policies that changes no statement about a step from one identity to
another leaves everybody's steps as they are: only who holds which statement changes. After any other
edit all is found again. Either way the result equals a cold run.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import Layer, Policy
from answerable.model.sighting import Facts
from answerable.reach.bits.whole import Whole, whole_of
from answerable.reach.estate.clauses import Clause, Gap, Grant, Interner
from answerable.reach.estate.estate import Estate, compile_estate
from answerable.reach.estate.principals import Principal
from answerable.reach.paths.admin import is_admin
from answerable.reach.paths.graph import Graph
from answerable.reach.rules.rules import actions

_ASKED = frozenset(action.lower() for action in actions())


def updated(whole: Whole, before: Facts, after: Facts) -> Whole:
    """Return what a cold run over changed facts would.

    Args:
        whole: What was found from `before`.
        before: The facts then.
        after: The facts now.
    """
    edited = _edited(before, after)
    if edited is None:
        return _cold(whole.graph.estate, after)
    estate = whole.graph.estate
    compiled = {policy.id: _compiled(policy) for policy in edited}
    held = list(_grants(estate, frozenset(compiled)))
    old = _stepping(held)
    new = _stepping(g for grants, _ in compiled.values() for g in grants)
    gaps = [gap for _, found in compiled.values() for gap in found]
    was_empty = len({grant.policy for grant in held}) < len(compiled)
    if gaps or was_empty or old != new:
        return _cold(estate, after)
    if _had_gaps(estate, compiled):
        return _cold(estate, after)
    texts = {one: grants for one, (grants, _) in compiled.items()}
    return _exchanged(whole, texts) or _cold(estate, after)


def _cold(estate: Estate, facts: Facts) -> Whole:
    fresh = compile_estate(
        facts,
        estate.catalogue,
        given=estate.given,
        tags_collected=estate.tags_collected,
        collected=estate.collected,
    )
    graph = Graph(replace(fresh, session=estate.session, endpoint=estate.endpoint))
    return whole_of(graph)


def _edited(before: Facts, after: Facts) -> list[Policy] | None:
    """List the policies with another text; None where anything else differs."""
    old, new = before.policies, after.policies
    if replace(before, policies=()) != replace(after, policies=()):
        return None
    if len(old) != len(new):
        return None
    edited = [now for was, now in zip(old, new, strict=True) if was is not now]
    changed = frozenset(policy.id for policy in edited)
    same = all(was.id == now.id for was, now in zip(old, new, strict=True))
    at = {a.layer for a in after.attachments if a.policy in changed}
    return edited if same and at <= {Layer.IDENTITY} else None


def _compiled(policy: Policy) -> tuple[list[Grant], list[Gap]]:
    return Interner().compile(policy, Layer.IDENTITY)


def _grants(estate: Estate, policies: frozenset[PolicyId]) -> Iterator[Grant]:
    for principal in estate.principals.values():
        yield from (g for g in principal.grants if g.policy in policies)
    for grants in estate.groups.values():
        yield from (g for g in grants if g.policy in policies)


def _had_gaps(estate: Estate, policies: Collection[PolicyId]) -> bool:
    return any(
        gap.policy in policies for one in estate.principals.values() for gap in one.gaps
    )


def _stepping(grants: Iterable[Grant]) -> set[tuple[object, ...]]:
    """List the statements that speak of steps, as written, with where they stand."""
    return {
        (
            grant.policy,
            clause.effect,
            clause.actions,
            clause.not_actions,
            clause.resources,
            clause.not_resources,
            clause.conditions,
        )
        for grant in grants
        if _makes_steps(clause := grant.clause)
    }


def _makes_steps(clause: Clause) -> bool:
    """Tell whether a statement speaks of any call that leads to somebody else."""
    return any(clause.takes_action(action) for action in _ASKED)


Edited = dict[PolicyId, list[Grant]]


def _exchanged(whole: Whole, edited: Edited) -> Whole | None:
    """Exchange statements; None where somebody came to be an admin, or no more is."""
    estate = whole.graph.estate
    principals = dict(estate.principals)
    changed: set[IdentityId] = set()
    for one, principal in estate.principals.items():
        if any(grant.policy in edited for grant in principal.grants):
            changed.add(one)
            principals[one] = _rewritten(principal, edited)
            if is_admin(principal) != is_admin(principals[one]):
                return None
    touched = {
        name
        for name, grants in estate.groups.items()
        if any(grant.policy in edited for grant in grants)
    }
    groups = {
        name: tuple(_put(grants, edited)) for name, grants in estate.groups.items()
    }
    graph = Graph(replace(estate, principals=principals, groups=groups))
    realm = whole.realm
    actors = {
        number: graph.principal(realm.nodes[number])
        for number in range(whole.size)
        if realm.nodes[number].identity in changed
        or realm.nodes[number].extra in touched
    }
    index = realm.index.changed(actors)
    naming = realm.naming.over(index)
    return whole.moved(graph, replace(realm, graph=graph, index=index, naming=naming))


def _rewritten(principal: Principal, edited: Edited) -> Principal:
    grants = tuple(_put(principal.grants, edited))
    return replace(principal, grants=grants, _by_action={}, _by_service={})


def _put(grants: tuple[Grant, ...], edited: Edited) -> Iterator[Grant]:
    """Put the new statements of a policy where its old ones stood."""
    told: set[PolicyId] = set()
    for grant in grants:
        if grant.policy not in edited:
            yield grant
        elif grant.policy not in told:
            told.add(grant.policy)
            yield from edited[grant.policy]

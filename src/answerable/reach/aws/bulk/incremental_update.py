"""Incremental update of a closure after an edit of policies.

An edit of statements changes the rows of the actors whose policies changed. A trust policy
changes which actors may assume one role; an RCP, the rows of all actors it applies to. A
principal that becomes or ceases to be an administrator changes the rows of actors that
may edit others. These rows are recomputed, and the closure is updated. An edit that
cannot change a step touches no row.

A full run is needed in these cases: the change is no edit of statements; a policy was or
becomes partly unread, or had no statements and is one of several; a resource policy of a
service that escalation rules use changed; a trust policy starts or stops to allow session
tags, or names another SAML provider; a new node appears, by a group or a boundary.
Answers always equal those of a full run; unreachable nodes may remain.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.ids import IdentityId
from answerable.model.sighting import Facts
from answerable.reach.aws.bulk.all_principals import Rows
from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.aws.bulk.caller_side import Verdicts
from answerable.reach.aws.bulk.closure import Whole, whole_of
from answerable.reach.aws.bulk.edges import Realm, serving
from answerable.reach.aws.bulk.policy_diff import Hanging, edited
from answerable.reach.aws.bulk.rcp_update import denied_steps, spoken_of
from answerable.reach.aws.bulk.recompile import Exchange
from answerable.reach.aws.bulk.resource_space import Ground
from answerable.reach.aws.bulk.statement_index import Index, Noted
from answerable.reach.aws.bulk.targets import Goal
from answerable.reach.aws.compiled.accounts import Estate, compile_estate
from answerable.reach.aws.compiled.organization_policies import Limit
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.saml_providers import named_providers
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.assume_role import assume
from answerable.reach.aws.evaluation.trust import ASSUME, Trust
from answerable.reach.aws.paths.administrator import is_admin
from answerable.reach.aws.paths.identity_graph import Graph


def updated(whole: Whole, before: Facts, after: Facts) -> Whole:
    """Return the closure of changed facts, equal to that of a full run.

    Args:
        whole: Closure of `before`.
        before: Facts before the edit.
        after: Facts after the edit.
    """
    new = updated_in_place(whole, before, after)
    return new or _cold(whole.graph.estate, after)


def updated_in_place(whole: Whole, before: Facts, after: Facts) -> Whole | None:
    """Update the closure incrementally; None where only a full run is correct.

    Args:
        whole: Closure of `before`.
        before: Facts before the edit.
        after: Facts after the edit.
    """
    hanging = whole.hanging
    if hanging is None or hanging.attachments is not after.attachments:
        hanging = Hanging(after.attachments)
        if before.attachments is after.attachments:
            whole.hanging = hanging
    changed = edited(before, after, hanging)
    new = None
    if changed is not None:
        update = _Update(Exchange(whole, changed))
        new = update.made(stepping=changed.stepping)
    if new is not None:
        new.hanging = hanging
    return new


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
class _Update:
    """Update of the rows that an edit may change.

    Attributes:
        exchange: Recompiled accounts.
        old: Actors before the edit.
        new: Actors after the edit.
    """

    exchange: Exchange
    old: Realm = field(init=False)
    new: Realm = field(init=False)

    def made(self, *, stepping: bool) -> Whole | None:
        """Apply the update; None where only a full run is correct.

        Args:
            stepping: Whether the edit can change a step.
        """
        exchange, whole = self.exchange, self.exchange.whole
        if exchange.lost:
            return None
        self.old = whole.realm
        turned = list(self._turned())
        now = exchange.graph.estate.fences
        fences = denied_steps(whole.graph.estate.fences, now)
        roles = {*exchange.trusts, *self._near_roles(fences)}
        trusts = whole.graph.estate.trusts
        if any(
            one.tags_sessions != trusts[role].tags_sessions
            or named_providers(one) != named_providers(trusts[role])
            for role, one in exchange.trusts.items()
        ) or any(self._is_freed(number) for number in turned):
            return None
        self.new = self._realm(turned, roles)
        stale = gathered(exchange.actors if stepping else turned, whole.size)
        for number in turned:
            stale |= whole.rows.editors & self._near(number)
        stale |= self._fenced(fences)
        rows = whole.rows
        for role in exchange.trusts:
            rows, more = self._column(rows, role)
            stale |= more
        found = rows.anew(self.new, stale) if stale else rows
        return whole.moved(exchange.graph, self.new, found) if found else None

    def _turned(self) -> Iterator[int]:
        """List the actors that became administrators or ceased to be one."""
        turning = any(a.is_open != b.is_open for a, b in self.exchange.limits.items())
        for number, new in self.exchange.actors.items():
            old = self.old.index.actors[number]
            same = old.grants is new.grants and old.boundary is new.boundary
            if not (same and not turning) and is_admin(old) != is_admin(new):
                yield number

    def _is_freed(self, number: int) -> bool:
        """Tell whether an actor had a boundary that others may remove."""
        bounded = self.old.index.actors[number].boundary is not None
        return number < self.old.plain and bounded and bool(self.old.index.bounded)

    def _near(self, number: int) -> int:
        """Return the actors of an actor's account."""
        account = self.old.index.actors[number].identity.account
        accounts = self.old.naming.accounts
        return self.old.index.with_gains(accounts.get(account, 0))

    def _near_roles(self, accounts: Collection[str]) -> Iterator[IdentityId]:
        """List the roles in accounts that trust a service."""
        if not accounts:
            return
        estate = self.exchange.whole.graph.estate
        for role in {one for some in estate.by_service.values() for one in some}:
            if estate.trusts[role].account in accounts:
                yield role

    def _fenced(self, fences: Mapping[str, set[Clause]]) -> int:
        """Return the actors whose steps a change of RCPs may affect."""
        clauses = {clause for some in fences.values() for clause in some}
        found = spoken_of(clauses, self.new.index, self.new.known)
        if self.old.serving != self.new.serving:
            for account in fences:
                near = self.old.naming.accounts.get(account, 0)
                passers = self.exchange.whole.rows.passers
                found |= passers & self.old.index.with_gains(near)
        return found

    def _realm(self, turned: list[int], roles: Collection[IdentityId]) -> Realm:
        exchange, old = self.exchange, self.old
        index = _reindexed(old.index, exchange.actors, exchange.limits)
        admins = old.admins ^ gathered((n for n in turned if n < old.plain), old.plain)
        trusts, was = exchange.trusts, exchange.whole.graph.estate.trusts
        return replace(
            old,
            graph=exchange.graph,
            index=index,
            naming=old.naming.over(index),
            admins=admins,
            trusting=_respoken(old.trusting, was, trusts) if trusts else old.trusting,
            serving=self._serving(roles) if roles else old.serving,
        )

    def _serving(self, roles: Collection[IdentityId]) -> dict[str, Verdicts]:
        """Evaluate again which services some roles trust."""
        found = {}
        number = self.old.identities.texts.number
        others = ~gathered((number[role] for role in roles), self.old.plain)
        for service, held in self.old.serving.items():
            sure, some, _ = serving(self.exchange.graph, number, service, roles)
            found[service] = Verdicts(
                held.sure & others | sure, held.some & others | some
            )
        return found

    def _column(self, rows: Rows, role: IdentityId) -> tuple[Rows, int]:
        """Update which actors may assume a role; return those whose whole row is stale.

        An actor that can become a role of its account may edit it, or remove its
        boundary; passing it depends on the services that it trusts.
        """
        number = self.old.identities.texts.number[role]
        was, now = _assuming(self.old, role), _assuming(self.new, role)
        other = (was.sure ^ now.sure) | (was.some ^ now.some)
        near = self._near(number)
        stale = _unless(rows.common, number, other & near & rows.editors)
        if self.old.serving != self.new.serving:
            stale |= _unless(rows.written, number, near & rows.passers)
        fast = other & ~stale
        return (rows.assuming(number, now, fast) if fast else rows), stale


def _unless(rows: Sequence[Verdicts], number: int, actors: int) -> int:
    """Exclude the actors whose row holds one identity unconditionally."""
    left = (n for n in positions(actors) if not rows[n].sure >> number & 1)
    return gathered(left, len(rows))


def _assuming(realm: Realm, role: IdentityId) -> Verdicts:
    """Evaluate which actors may assume one role."""
    estate = realm.graph.estate
    goal = Goal(estate, realm.index, realm.naming, ASSUME, role, realm.known)
    return goal.verdicts(lambda one: assume(estate, one, role).formula)


def _respoken(
    ground: Ground,
    was: Mapping[IdentityId, Trust],
    trusts: Mapping[IdentityId, Trust],
) -> Ground:
    """Replace trust statements in a resource space of roles."""
    spoken = dict(ground.spoken)
    for role, trust in trusts.items():
        bit = 1 << ground.texts.number[role]
        for grant in was[role].grants:
            spoken[grant.clause] &= ~bit
        for grant in trust.grants:
            spoken[grant.clause] = spoken.get(grant.clause, 0) | bit
    return replace(ground, spoken=tuple(pair for pair in spoken.items() if pair[1]))


def _reindexed(
    index: Index, actors: Mapping[int, Principal], limits: Mapping[Limit, Limit]
) -> Index:
    """Update the statement index for actors whose policies changed."""
    other = {
        n: actor
        for n, actor in actors.items()
        if actor.grants != index.actors[n].grants
    }
    new = index.changed(other)
    new.actors = listed = list(new.actors)
    lost, gained = Noted(), Noted()
    for number, actor in actors.items():
        was = index.actors[number].boundary
        listed[number] = actor
        if was is not actor.boundary:
            lost.take(was or (), number)
            gained.take(actor.boundary or (), number)
    new.boundary = index.boundary.changed(lost, gained, len(index.actors))
    new.limits = {limits.get(limit, limit): who for limit, who in index.limits.items()}
    return new

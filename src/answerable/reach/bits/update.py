"""After an edit: what did not change is kept, what may have changed is found again.

An edit of statements changes the rows of those who are told something else. A trust
changes who may assume one role; a resource control policy, the rows of all it speaks of.
Who comes to be an admin, or no more is, is of weight for those who edit what others may
do. Their rows are found anew, and closed anew is what they lead to. Where an edit says
nothing of steps, no row is touched.

All is found again, as in a cold run, after what is no edit of statements; where a policy
was or becomes unread in part, or said nothing before and stands among others; after an
edit of the own policy of a resource that rules ask something of; where a trust lets
sessions carry tags or no more does, or names another SAML provider; and where somebody joins a group, or loses a
boundary, as nobody did before. Either way answers are those of a cold run; nodes that
nobody becomes any more may be left.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.ids import IdentityId
from answerable.model.sighting import Facts
from answerable.reach.bits.edited import Hanging, edited
from answerable.reach.bits.everybody import Rows
from answerable.reach.bits.exchange import Exchange
from answerable.reach.bits.fencing import denied_steps, spoken_of
from answerable.reach.bits.goals import Goal
from answerable.reach.bits.ground import Ground
from answerable.reach.bits.holders import Index, Noted
from answerable.reach.bits.planes import gathered, positions
from answerable.reach.bits.rights import Verdicts
from answerable.reach.bits.ways import Realm, serving
from answerable.reach.bits.whole import Whole, whole_of
from answerable.reach.estate.clauses import Clause
from answerable.reach.estate.control import Limit
from answerable.reach.estate.estate import Estate, compile_estate
from answerable.reach.estate.principals import Principal
from answerable.reach.estate.providers import named_providers
from answerable.reach.paths.admin import is_admin
from answerable.reach.paths.graph import Graph
from answerable.reach.verdict.assume import assume
from answerable.reach.verdict.trust import ASSUME, Trust


def updated(whole: Whole, before: Facts, after: Facts) -> Whole:
    """Return what a cold run over changed facts would.

    Args:
        whole: What was found from `before`.
        before: The facts then.
        after: The facts now.
    """
    new = updated_in_place(whole, before, after)
    return new or _cold(whole.graph.estate, after)


def updated_in_place(whole: Whole, before: Facts, after: Facts) -> Whole | None:
    """Do the same where the edit touches less than all; None where only a cold run does.

    Args:
        whole: What was found from `before`.
        before: The facts then.
        after: The facts now.
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
    """Whose rows are found again.

    Attributes:
        exchange: What was exchanged.
        old: The actors before.
        new: The actors now.
    """

    exchange: Exchange
    old: Realm = field(init=False)
    new: Realm = field(init=False)

    def made(self, *, stepping: bool) -> Whole | None:
        """Bring all up to date; None where only a cold run does.

        Args:
            stepping: Whether the edit says anything of steps.
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
        """List the actors that came to be admins, or no more are."""
        turning = any(a.is_open != b.is_open for a, b in self.exchange.limits.items())
        for number, new in self.exchange.actors.items():
            old = self.old.index.actors[number]
            same = old.grants is new.grants and old.boundary is new.boundary
            if not (same and not turning) and is_admin(old) != is_admin(new):
                yield number

    def _is_freed(self, number: int) -> bool:
        """Tell whether somebody has, or had, a boundary that others take off."""
        bounded = self.old.index.actors[number].boundary is not None
        return number < self.old.plain and bounded and bool(self.old.index.bounded)

    def _near(self, number: int) -> int:
        """List the actors of an actor's account."""
        account = self.old.index.actors[number].identity.account
        accounts = self.old.naming.accounts
        return self.old.index.with_gains(accounts.get(account, 0))

    def _near_roles(self, accounts: Collection[str]) -> Iterator[IdentityId]:
        """List the roles of accounts that a service may enter."""
        if not accounts:
            return
        estate = self.exchange.whole.graph.estate
        for role in {one for some in estate.by_service.values() for one in some}:
            if estate.trusts[role].account in accounts:
                yield role

    def _fenced(self, fences: Mapping[str, set[Clause]]) -> int:
        """List the actors of whom RCPs say something else, as far as steps go."""
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
        """Say again of some roles which services they let in."""
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
        """Say anew who may assume a role; list for whom more hangs on it.

        Who becomes a role of its own account may change it, or take its boundary off;
        who may be passed it by whom depends on the services that it trusts.
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
    """Leave out the actors whose row holds one for sure."""
    left = (n for n in positions(actors) if not rows[n].sure >> number & 1)
    return gathered(left, len(rows))


def _assuming(realm: Realm, role: IdentityId) -> Verdicts:
    """Say which actors may assume one role."""
    estate = realm.graph.estate
    goal = Goal(estate, realm.index, realm.naming, ASSUME, role, realm.known)
    return goal.verdicts(lambda one: assume(estate, one, role).formula)


def _respoken(
    ground: Ground,
    was: Mapping[IdentityId, Trust],
    trusts: Mapping[IdentityId, Trust],
) -> Ground:
    """Let roles be spoken of by other trusts."""
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
    """Index what some actors are told now."""
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

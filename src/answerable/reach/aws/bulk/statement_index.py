"""Inverted index of statements: the actors that hold each one, as bitsets.

An actor is a node of the graph: an identity, or an identity with permissions it gained
on a path. Actor n is the nth principal; actors with gained permissions come after.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from answerable.model.policy import ConditionClause, Effect, Layer
from answerable.reach.aws.bulk.bitset import Plane, Texts, gathered, positions, span
from answerable.reach.aws.bulk.partition import Cell, Cells
from answerable.reach.aws.compiled.organization_policies import Limit
from answerable.reach.aws.compiled.principals import EVERYTHING_CLAUSE, Principal
from answerable.reach.aws.compiled.statements import Clause, Grant
from answerable.reach.aws.patterns.globs import is_literal
from answerable.reach.formula import Formula

_PLAIN = re.compile(r"[*?$]")
ANYTHING = "*"  # what an actor gained that may do everything


class Part(NamedTuple):
    """Effect of a statement for some actors.

    Attributes:
        plane: Resources to which it applies.
        odd: Resources where its open conditions are not monotone (hold a negation).
    """

    actors: int
    plane: Plane
    odd: int = 0


class Taking(NamedTuple):
    """Statements of one layer that match one action."""

    allows: tuple[Clause, ...]
    denies: tuple[Clause, ...]


class Wide(NamedTuple):
    """Actors with an unconditional statement on every resource, by effect."""

    allowed: int
    denied: int


class Noted:
    """Collector of holders by statement."""

    def __init__(self) -> None:
        self._found: dict[Clause, list[int]] = defaultdict(list)

    def take(self, grants: Iterable[Grant], number: int) -> None:
        """Add the statements of one holder."""
        for grant in grants:
            self._found[grant.clause].append(number)

    def gathered(self, size: int) -> Iterator[tuple[Clause, int]]:
        """Pair each statement with its holders, as a bitset."""
        for clause, numbers in self._found.items():
            yield clause, gathered(numbers, size)


class Held:
    """Statements of one layer, each with its holders."""

    def __init__(self) -> None:
        self.actors: dict[Clause, int] = {}
        self._by_service: dict[str, list[Clause]] = defaultdict(list)
        self._taking: dict[str, Taking] = {}
        self._wide: dict[str, Wide] = {}
        self._narrow: dict[str, dict[str, list[Clause]]] = {}

    def add(self, clause: Clause, actors: int) -> None:
        """Add holders of a statement."""
        if clause not in self.actors:
            for service in services(clause):
                self._by_service[service].append(clause)
            self._taking.clear()
            self._narrow.clear()
        self._wide.clear()
        self.actors[clause] = self.actors.get(clause, 0) | actors

    def changed(self, lost: Noted, gained: Noted, size: int) -> "Held":
        """Return a copy with some actors' statements replaced."""
        new = copy(self)
        new.actors = dict(self.actors)
        new._by_service = defaultdict(list, self._by_service)
        new._taking, new._wide, new._narrow = {}, {}, {}
        for clause, actors in lost.gathered(size):
            new.actors[clause] &= ~actors
        for clause, actors in gained.gathered(size):
            if clause not in new.actors:
                for service in services(clause):
                    new._by_service[service] = [*new._by_service[service], clause]
            new.actors[clause] = new.actors.get(clause, 0) | actors
        return new

    def taking(self, action: str) -> Taking:
        """Select the statements that match an action in lower case."""
        found = self._taking.get(action)
        if found is None:
            mine = [
                c for c in self.of(action.partition(":")[0]) if c.takes_action(action)
            ]
            found = self._taking[action] = Taking(
                tuple(c for c in mine if c.effect is Effect.ALLOW),
                tuple(c for c in mine if c.effect is Effect.DENY),
            )
        return found

    def wide(self, action: str) -> Wide:
        """Return the actors whose statements on every resource take an action."""
        found = self._wide.get(action)
        if found is None:
            allowed = denied = 0
            for clause in self.of(action.partition(":")[0]):
                if clause.wide and clause.takes_action(action):
                    if clause.effect is Effect.ALLOW:
                        allowed |= self.actors[clause]
                    else:
                        denied |= self.actors[clause]
            found = self._wide[action] = Wide(allowed, denied)
        return found

    def narrow(self, action: str, resource: str) -> Iterator[Clause]:
        """List the other statements that may match an action on one resource."""
        service = action.partition(":")[0]
        by_start = self._narrow.get(service)
        if by_start is None:
            by_start = self._narrow[service] = defaultdict(list)
            for clause in self.of(service):
                for start in plain_starts(clause):
                    by_start[start].append(clause)
        met: set[Clause] = set()
        for length in range(len(resource) + 1):
            for clause in by_start.get(resource[:length], ()):
                if clause not in met and clause.takes_action(action):
                    met.add(clause)
                    yield clause

    def of(self, service: str) -> Iterator[Clause]:
        """List statements that may match actions of a service; all for `*`."""
        if service == "*":
            yield from self.actors
            return
        yield from self._by_service.get(service, ())
        yield from self._by_service.get("", ())


def plain_starts(clause: Clause) -> set[str]:
    """List the literal prefixes of a statement's resource patterns."""
    if clause.wide:
        return set()
    if not clause.resources:
        return {""}
    return {_PLAIN.split(written, maxsplit=1)[0] for written in clause.resources}


def services(clause: Clause) -> set[str]:
    """List the services whose actions a statement may match; an empty name for any."""
    named = {pattern.partition(":")[0] for pattern in clause.actions}
    if clause.not_actions or not all(map(is_literal, named)):
        return {""}
    return named


class Index:
    """Index of actors and the statements they hold.

    Attributes:
        base: By actor, the number of its identity; identities come first.
        unbound: Actors without the boundary that their identity has.
        unread: Actors with policies that were not read, by layer; under None where
            the unread part may deny.
        runs: Ranges of actors that copy a range of identities: start of the copies,
            first and end of the originals.
    """

    def __init__(self, identities: Iterable[Principal]) -> None:
        """Index identities; the number of each is its position."""
        plain = list(identities)
        self._begin([], len(plain))
        self.add(plain, range(self.size))
        names = Texts([principal.id for principal in plain])
        self.known = Cells([principal.known for principal in plain], names)

    def _begin(self, actors: Sequence[Principal], size: int) -> None:
        self.actors = actors
        self.base: Sequence[int] = []
        self.identity, self.boundary = Held(), Held()
        self.bounded = self.unbound = self.linked = self.scope = 0
        self.limits: dict[Limit, int] = {}
        self.unread: dict[Layer | None, int] = defaultdict(int)
        self.size = size
        self.runs: list[tuple[int, int, int]] = []
        self._copied = self._copies = 0
        self._copies_of: dict[int, int] = defaultdict(int)
        self._held: dict[tuple[ConditionClause, int], Plane] = {}
        self._cells: dict[tuple[int, int], list[Cell]] = {}
        self.parts: dict[tuple[object, ...], list[Part]] = {}
        self.held: dict[tuple[object, ...], Formula] = {}
        self.parted: dict[tuple[Clause, int], list[int]] = {}
        self._members: dict[int, list[int]] = {}

    def add(self, actors: Iterable[Principal], base: Sequence[int]) -> range:
        """Add actors: identities indexed before, with permissions they gained."""
        start = len(self.actors)
        self.actors = [*self.actors, *actors]
        self.base = [*self.base, *base]
        stop = len(self.actors)
        if start:
            self._copy(base, start)
        self._hold(range(start, stop))
        limits: dict[Limit, list[int]] = defaultdict(list)
        for number in range(start, stop):
            actor = self.actors[number]
            self._mark(actor, 1 << number)
            for limit in (*actor.levels, actor.session):
                if limit is not None:
                    limits[limit].append(number)
        for limit, members in limits.items():
            self.limits[limit] = self.limits.get(limit, 0) | gathered(members, stop)
        self.scope = span(start, stop) if start else span(0, stop)
        return range(start, stop)

    def changed(self, actors: Mapping[int, Principal]) -> "Index":
        """Return a copy with other identity policies for some actors."""
        new = copy(self)
        new.actors = listed = list(self.actors)
        new.parts, new.held, new.unread = {}, {}, defaultdict(int, self.unread)
        new.parted, new._members = {}, {}
        lost, gained = Noted(), Noted()
        size = len(self.actors)
        for number, actor in actors.items():
            lost.take(_telling(self.actors[number]), number)
            gained.take(_telling(actor), number)
            listed[number] = actor
            for layer in (Layer.IDENTITY, None):
                new.unread[layer] &= ~(1 << number)
            for gap in actor.gaps:
                new.unread[gap.layer] |= 1 << number
                new.unread[None] |= gap.denies << number
        new.identity = self.identity.changed(lost, gained, size)
        return new

    def only(self, actors: int) -> "Index":
        """Return a copy that evaluates only some actors."""
        new = copy(self)
        new.scope = actors
        new.parts, new.held, new.parted, new._members = {}, {}, {}, {}
        limits = {limit: who & actors for limit, who in self.limits.items()}
        new.limits = {limit: who for limit, who in limits.items() if who}
        if actors != self.all:
            new.identity, new.boundary = Held(), Held()
            new._hold(positions(actors))
        return new

    def _hold(self, numbers: Iterable[int]) -> None:
        """Add some actors as holders of their statements."""
        identity, boundary, size = Noted(), Noted(), len(self.actors)
        for number in numbers:
            actor = self.actors[number]
            identity.take(_telling(actor), number)
            boundary.take(actor.boundary or (), number)
        for noted, held in ((identity, self.identity), (boundary, self.boundary)):
            for clause, holding in noted.gathered(size):
                held.add(clause, holding)

    def _copy(self, base: Sequence[int], start: int) -> None:
        """Record which actors copy an identity: as a range, or one by one."""
        if isinstance(base, range) and base.step == 1:
            self.runs.append((start, base.start, base.stop))
            return
        for number, one in enumerate(base, start):
            self._copy_one(number, one)

    def _copy_one(self, number: int, base: int) -> None:
        self._copied |= 1 << base
        self._copies |= 1 << number
        self._copies_of[base] |= 1 << number

    @property
    def copies(self) -> list[int]:
        """Actors outside the ranges that copy an identity."""
        return positions(self._copies)

    def _mark(self, actor: Principal, bit: int) -> None:
        if actor.boundary is not None:
            self.bounded |= bit
        elif self.actors[self.base[bit.bit_length() - 1]].boundary is not None:
            self.unbound |= bit
        if actor.linked:
            self.linked |= bit
        for gap in actor.gaps:
            self.unread[gap.layer] |= bit
            if gap.denies:
                self.unread[None] |= bit

    @property
    def all(self) -> int:
        """Every actor."""
        return span(0, len(self.actors))

    def holding(self, action: str) -> int:
        """Return the actors that may hold an allow for an action in lower case."""
        found = self.unread[Layer.IDENTITY]
        for clause in self.identity.taking(action).allows:
            found |= self.identity.actors[clause]
        return found & self.scope

    def with_gains(self, identities: int) -> int:
        """Return the actors that are, or copy, one of these identities."""
        found = identities
        for start, low, high in self.runs:
            found |= (identities >> low & span(0, high - low)) << start
        copied = identities & self._copied
        if copied == self._copied:
            return found | self._copies
        for base in positions(copied):
            found |= self._copies_of[base]
        return found

    def forget(self) -> None:
        """Clear all caches; they are filled again on demand."""
        self.parts.clear()
        self.held.clear()
        self.forget_members()

    def members(self, actors: int) -> list[int]:
        """List the members of a bitset; cached."""
        found = self._members.get(actors)
        if found is None:
            found = self._members[actors] = positions(actors)
        return found

    def forget_members(self) -> None:
        """Clear the caches of member lists and actor groups."""
        self.parted.clear()
        self._members.clear()

    def speaks(self, key: str) -> bool:
        """Tell whether a condition key in lower case is known for any actor."""
        return self.known.speaks(key)

    def holding_line(self, line: ConditionClause) -> Plane:
        """Return the actors for which one line of a condition holds."""
        key = line, len(self.actors)
        found = self._held.get(key)
        if found is None:
            held = self.known.holding(line)
            sure, maybe = self.with_gains(held.sure), self.with_gains(held.maybe)
            found = self._held[key] = Plane(sure, maybe)
        return found

    def cells(self, keys: Iterable[str]) -> list[Cell]:
        """Split the actors by the values of keys in lower case."""
        mine = self.known.of(keys)
        key = (id(mine), len(self.actors))
        found = self._cells.get(key)
        if found is None:
            found = [Cell(self.with_gains(c.members), c.known) for c in mine]
            self._cells[key] = found
        return found


def _telling(actor: Principal) -> Iterable[Grant]:
    """Select statements; of an unrestricted actor its full allow and its denies."""
    if actor.extra != ANYTHING:
        return actor.grants
    return (
        grant
        for grant in actor.grants
        if grant.clause is EVERYTHING_CLAUSE or grant.clause.effect is Effect.DENY
    )

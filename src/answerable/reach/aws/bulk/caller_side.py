"""Callers' side of an evaluation: own policies of every actor, for one action.

Actors that the same statements apply to share one result, so the cost grows with the
number of distinct results.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from answerable.model.policy import Effect, Layer
from answerable.reach.aws.bulk.bitset import NONE, Plane, positions
from answerable.reach.aws.bulk.partition import atoms_of
from answerable.reach.aws.bulk.statement_effects import Space, applying
from answerable.reach.aws.bulk.statement_index import Index, Part
from answerable.reach.aws.compiled.organization_policies import Limit
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known

_ALLOW, _DENY, _BOUNDARY = -1, -2, -3  # limits have numbers from 0
_READ = (False, False, False)


class Call(NamedTuple):
    """One action on the resources of a space.

    Attributes:
        action: In lower case.
        known: Condition keys known for the call itself.
    """

    action: str
    space: Space
    known: Known = NOTHING


class Own(NamedTuple):
    """Result of one actor's own policies, by resource.

    Attributes:
        allowed: Allowed by identity policies.
        limit: Allowed by boundary and session policy.
        control: Allowed by the SCPs of its account.
        denied: Denied by any of them.
        unread: Whether an unread statement may deny.
        odd: Resources where open conditions are not monotone and may combine.
    """

    allowed: Plane
    limit: Plane
    control: Plane
    denied: Plane
    unread: bool
    odd: int


class Verdicts(NamedTuple):
    """Resources on which a call is allowed, as bitsets.

    Attributes:
        sure: Always.
        some: Always, or under conditions that can hold.
        doubt: Undecided; the conditions must be evaluated together.
    """

    sure: int
    some: int
    doubt: int = 0

    def __or__(self, other: "Verdicts") -> "Verdicts":
        """Union."""
        return Verdicts(
            self.sure | other.sure, self.some | other.some, self.doubt | other.doubt
        )


NEVER = Verdicts(0, 0)


def judged(
    allowed: Plane, denied: Plane, odd: int, *, unread: bool, clash: bool
) -> Verdicts:
    """Subtract denies from allows.

    An open allow and an open deny may depend on the same condition and exclude each
    other: where they could (`clash`), both together leave a doubt.
    """
    maybe = allowed.maybe & ~denied.sure
    sure = 0 if unread else allowed.sure & ~denied.maybe
    plain = maybe if not clash else maybe & (allowed.sure | ~denied.maybe)
    some = sure | (plain & ~odd)
    return Verdicts(sure, some, maybe & ~some)


class Owns:
    """Callers' side of one call.

    Attributes:
        allowing: Actors whose policies may allow the call.
        actors: These, and the actors requested besides.
        allow_atoms: Conditions that leave an allow open.
        deny_atoms: Conditions that leave a deny open.
    """

    def __init__(self, index: Index, call: Call, besides: int = 0) -> None:
        """Collect the effects of all statements on a call.

        Args:
            index: Statements by holder.
            call: The call.
            besides: Actors to evaluate although no policy of theirs allows it.
        """
        self._index, self._call = index, call
        self._said: list[tuple[int, Part]] = []
        self._noted: dict[tuple[int, int], int] = {}
        self._of: dict[int, list[int]] = defaultdict(list)
        self._sessions: set[int] = set()
        self.allow_atoms: set[object] = set()
        self.deny_atoms: set[object] = set()
        self._shared: dict[tuple[object, ...], Own] = {}
        unread = [index.unread[at] for at in (Layer.IDENTITY, Layer.BOUNDARY, None)]
        self._gaps = {
            actor: tuple(bool(bits >> actor & 1) for bits in unread)
            for actor in positions((unread[0] | unread[1] | unread[2]) & index.scope)
        }
        self.allowing = index.unread[Layer.IDENTITY]
        self._allows()
        self.allowing &= index.scope
        self.actors = self.allowing | (besides & index.scope)
        if self.actors:
            self._limits()
            self._denies()
        for number, (_, part) in enumerate(self._said):
            for actor in index.members(part.actors & self.actors):
                self._of[actor].append(number)

    def of(self, actor: int) -> Own:
        """Return the result for one actor."""
        *open_at, denies = self._gaps.get(actor, _READ)
        said = self._of.get(actor, ())
        key = (*said, *open_at, denies)
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = self._sum(said, open_at, unread=denies)
        return found

    def _sum(
        self, said: Iterable[int], open_at: Iterable[bool], *, unread: bool
    ) -> Own:
        everything = self._call.space.texts.all
        planes: dict[int, Plane] = {}
        odd = 0
        for number in said:
            kind, part = self._said[number]
            planes[kind] = planes.get(kind, NONE) | part.plane
            odd |= part.odd
        for kind, is_open in zip((_ALLOW, _BOUNDARY), open_at, strict=True):
            if is_open:
                planes[kind] = planes.get(kind, NONE) | Plane(0, everything)
        limit = control = Plane(everything, everything)
        for kind, plane in planes.items():
            if kind == _BOUNDARY or kind in self._sessions:
                limit &= plane
            elif kind >= 0:
                control &= plane
        allowed, denied = planes.get(_ALLOW, NONE), planes.get(_DENY, NONE)
        return Own(allowed, limit, control, denied, unread, odd)

    def _allows(self) -> None:
        held = self._index.identity
        for clause in held.taking(self._call.action).allows:
            for part in self._applying(clause, held.actors[clause]):
                self._note(_ALLOW, part)
                self.allowing |= part.actors

    def _limits(self) -> None:
        index, action = self._index, self._call.action
        self._note(_BOUNDARY, Part(index.bounded, NONE))
        for clause in index.boundary.taking(action).allows:
            for part in self._applying(clause, index.boundary.actors[clause]):
                self._note(_BOUNDARY, part)
        for number, (limit, actors) in enumerate(index.limits.items()):
            if limit.layer is Layer.SESSION:
                self._sessions.add(number)
            self._limit(number, limit, actors)

    def _limit(self, number: int, limit: Limit, actors: int) -> None:
        spoken = limit.speaking(self._call.action)
        if any(grant.clause.wide for grant in spoken.allows):
            return  # everything passes
        everything = self._call.space.texts.all
        unread = Plane(0, everything) if limit.gaps else NONE
        self._note(number, Part(actors, unread))
        for grant in spoken.allows:
            for part in self._applying(grant.clause, actors):
                self._note(number, part)

    def _denies(self) -> None:
        index, action = self._index, self._call.action
        for held in (index.identity, index.boundary):
            for clause in held.taking(action).denies:
                for part in self._applying(clause, held.actors[clause]):
                    self._note(_DENY, part)
        for limit, actors in index.limits.items():
            for grant in limit.speaking(action).denies:
                for part in self._applying(grant.clause, actors):
                    self._note(_DENY, part)

    def _applying(self, clause: Clause, actors: int) -> Iterator[Part]:
        call = self._call
        deny = clause.effect is Effect.DENY
        actors &= self._index.scope
        for part in applying(clause, call.space, call.known, self._index, actors):
            if part.plane.maybe != part.plane.sure:
                atoms = self.deny_atoms if deny else self.allow_atoms
                atoms.update(atoms_of(clause))
            yield part

    def _note(self, kind: int, part: Part) -> None:
        """Record an effect, merged with others of the same kind and actors."""
        key = (kind, part.actors)
        at = self._noted.get(key)
        if at is None:
            self._noted[key] = len(self._said)
            self._said.append((kind, part))
        else:
            held = self._said[at][1]
            merged = Part(part.actors, held.plane | part.plane, held.odd | part.odd)
            self._said[at] = kind, merged

"""Evaluation of one action on one resource for every actor at once, paths aside.

The rules are those of `evaluate`, with sets of actors instead of sets of resources.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from answerable.model.policy import Effect, Layer
from answerable.reach.aws.bulk.bitset import NONE, Plane, positions
from answerable.reach.aws.bulk.caller_side import Verdicts, judged
from answerable.reach.aws.bulk.evaluate import settled
from answerable.reach.aws.bulk.partition import atoms_of
from answerable.reach.aws.bulk.resource_policies import (
    ACCOUNT,
    DENIED,
    DIRECT,
    ESCAPING,
    Naming,
)
from answerable.reach.aws.bulk.resource_space import (
    Ground,
    fenced,
    fences_unread,
    make_ground,
)
from answerable.reach.aws.bulk.statement_effects import applying
from answerable.reach.aws.bulk.statement_index import Held, Index
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.organization_policies import Limit
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.service_facts import TRUST_CALLS, binds_rcps
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.formula import Formula


@dataclass(eq=False, slots=True)
class Goal:
    """Evaluation of one action on one resource for every actor.

    Attributes:
        index: Statements by holder.
        naming: Principals by the names that policies use.
        action: In lower case.
        resource: An ARN, no pattern; or `*` for an action that takes no resource.
        known: Condition keys known for the call itself.
    """

    estate: Estate
    index: Index
    naming: Naming
    action: str
    resource: str
    known: Known
    _ground: Ground = field(init=False)
    _odd: int = 0
    _allow: set[object] = field(default_factory=set)
    _deny: set[object] = field(default_factory=set)

    def verdicts(self, exact: Callable[[Principal], Formula]) -> Verdicts:
        """Return the actors that may make the call.

        Args:
            exact: Evaluates one actor exactly, where bitsets leave a doubt.
        """
        trusts = self.action in TRUST_CALLS
        self._ground = make_ground(self.estate, [self.resource], trusts=trusts)
        found = self._weighed()
        actors = self.index.actors
        asked = ((n, exact(actors[n])) for n in positions(found.doubt))
        return settled(found, asked)

    def _weighed(self) -> Verdicts:
        index, ground, everyone = self.index, self._ground, self.index.all
        allowed, bounds, denied = self._own()
        voiced = self._voiced()
        control, soft, more = self._limited()
        limit = (
            bounds | Plane(everyone & ~index.bounded, everyone & ~index.bounded)
        ) & soft
        near = self._near()
        far = everyone & ~near
        required = self.action in TRUST_CALLS or bool(ground.keys)
        direct = voiced[DIRECT]
        if ground.unread or (ground.missing and required):
            direct |= Plane(0, everyone)
        elif ground.missing:
            direct |= Plane(0, far)
        own = voiced[ACCOUNT] & allowed if required else allowed
        same = voiced[ESCAPING] | ((direct | own) & limit)
        named = voiced[ESCAPING] | direct | voiced[ACCOUNT]
        if self.action.startswith("s3:") and ground.shut.maybe:
            named = Plane(0, 0 if ground.shut.sure else named.maybe)
            self._odd |= far
        other = allowed & limit & named
        full = (same.within(near) | other.within(far)) & control
        found = judged(
            full,
            denied | more | voiced[DENIED],
            self._odd,
            unread=False,
            clash=not self._allow.isdisjoint(self._deny),
        )
        return self._careful(found)

    def _careful(self, found: Verdicts) -> Verdicts:
        """Leave open what unread statements or an access point's bucket may deny."""
        unread = self.index.unread[None]
        if self._ground.unread_denies:
            unread = self.index.all
        elif binds_rcps(self.action) and fences_unread(self.estate, self._ground):
            unread |= self.index.all & ~self.index.linked
        maybe = found.some | found.doubt
        some = 0 if self._ground.doors else found.some
        sure = found.sure & ~unread if not self._ground.doors else 0
        return Verdicts(sure, some, maybe & ~some)

    def _near(self) -> int:
        found = 0
        for owner in self._ground.owners:
            if not owner:
                return self.index.all
            found |= self.index.with_gains(self.naming.accounts.get(owner, 0))
        return found

    def _own(self) -> tuple[Plane, Plane, Plane]:
        """Evaluate identity policies and permissions boundaries."""
        index = self.index
        allowed, denied = self._summed(index.identity)
        bounds, more = self._summed(index.boundary)
        allowed |= Plane(0, index.unread[Layer.IDENTITY])
        bounds |= Plane(0, index.unread[Layer.BOUNDARY])
        return allowed, bounds, denied | more

    def _summed(self, held: Held) -> tuple[Plane, Plane]:
        wide = held.wide(self.action)
        allowed = Plane(wide.allowed, wide.allowed)
        denied = Plane(wide.denied, wide.denied)
        for clause in held.narrow(self.action, self.resource):
            plane = self._applied(clause, held.actors[clause])
            if clause.effect is Effect.ALLOW:
                allowed |= plane
            else:
                denied |= plane
        return allowed, denied

    def _applied(self, clause: Clause, actors: int) -> Plane:
        """Return the actors for which a statement applies to the resource."""
        sure = maybe = 0
        space = self._ground.space
        for part in applying(clause, space, self.known, self.index, actors):
            maybe |= part.actors
            sure |= part.actors if part.plane.sure else 0
            self._odd |= part.actors if part.odd else 0
        if sure != maybe:
            deny = clause.effect is Effect.DENY
            (self._deny if deny else self._allow).update(atoms_of(clause))
        return Plane(sure, maybe)

    def _limited(self) -> tuple[Plane, Plane, Plane]:
        """Evaluate SCPs and session policies, and the denies of both."""
        everyone = Plane(self.index.all, self.index.all)
        control = soft = everyone
        denied = NONE
        for limit, actors in self.index.limits.items():
            spoken = limit.speaking(self.action)
            through = self._through(limit, actors)
            free = self.index.all & ~actors
            passed = through | Plane(free, free)
            if limit.layer is Layer.SESSION:
                soft &= passed
            else:
                control &= passed
            for grant in spoken.denies:
                denied |= self._applied(grant.clause, actors)
        return control, soft, denied

    def _through(self, limit: Limit, actors: int) -> Plane:
        """Return the actors that a limiting layer allows."""
        allows = limit.speaking(self.action).allows
        if any(grant.clause.wide for grant in allows):
            return Plane(actors, actors)
        found = Plane(0, actors if limit.gaps else 0)
        for grant in allows:
            found |= self._applied(grant.clause, actors)
        return found

    def _voiced(self) -> list[Plane]:
        """Evaluate the resource policy and the RCPs, by the way they name an actor."""
        found = [NONE] * 4
        for clause, _ in self._ground.spoken:
            if clause.takes_action(self.action):
                for name in self.naming.of(clause):
                    plane = self._applied(clause, name.actors)
                    if name.is_open and plane.maybe:
                        plane = Plane(0, plane.maybe)
                        self._odd |= plane.maybe if name.odd else 0
                        (
                            self._deny if clause.effect is Effect.DENY else self._allow
                        ).add("named")
                    how = DENIED if clause.effect is Effect.DENY else name.how
                    found[how] |= plane
        if binds_rcps(self.action):
            anyone = self.index.all & ~self.index.linked
            for clause, _ in fenced(self.estate, self._ground, self.action):
                found[DENIED] |= self._applied(clause, anyone)
        return found

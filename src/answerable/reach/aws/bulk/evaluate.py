"""Evaluation of one action for every actor and every resource, in bitsets.

The rules are those of `evaluate_principal` and `policy_layers`, with their sources.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from answerable.reach.aws.bulk.bitset import NONE, Plane, positions
from answerable.reach.aws.bulk.caller_side import (
    NEVER,
    Call,
    Own,
    Owns,
    Verdicts,
    judged,
)
from answerable.reach.aws.bulk.resource_policies import Naming, Voice, Voices
from answerable.reach.aws.bulk.resource_space import (
    Ground,
    Sides,
    fenced,
    fences_unread,
)
from answerable.reach.aws.bulk.statement_index import Index
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.service_facts import TRUST_CALLS, binds_rcps
from answerable.reach.formula import FALSE, TRUE, Formula

Ask = Callable[[Principal, str], Formula]


@dataclass(eq=False, slots=True)
class Hearing:
    """Evaluation of one call on a resource space.

    Attributes:
        index: Statements by holder.
        naming: Principals by the names that policies use.
        exact: Evaluates one principal and resource where bitsets leave a doubt.
        besides: Actors to evaluate although no policy allows them the call.
        actors: Actors that may be allowed on some resource.
        owns: The callers' side.
        voices: The resources' side.
    """

    estate: Estate
    index: Index
    naming: Naming
    ground: Ground
    call: Call
    exact: Ask
    besides: int = 0
    actors: int = 0
    owns: Owns = field(init=False)
    voices: Voices = field(init=False)
    _fences_unread: int = 0
    _clash: bool = False
    _shared: dict[tuple[object, ...], Verdicts] = field(default_factory=dict)
    _sides: dict[str, Sides] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Evaluate both sides."""
        index, ground, action = self.index, self.ground, self.call.action
        bound = binds_rcps(action)
        fences = fenced(self.estate, ground, action) if bound else ()
        self.voices = Voices(index, self.naming, self.call, ground.spoken, fences)
        self._fences_unread = fences_unread(self.estate, ground) if bound else 0
        required = ground.texts.all if action in TRUST_CALLS else ground.keys
        named = self.voices.named
        if ground.unread or ground.missing & required:
            named = index.scope
        self.owns = Owns(index, self.call, named | self.besides)
        self.actors = self.owns.allowing | named
        allow = self.owns.allow_atoms | self.voices.allow_atoms
        deny = self.owns.deny_atoms | self.voices.deny_atoms
        self._clash = not allow.isdisjoint(deny)

    def verdicts(self, actor: int, within: int) -> Verdicts:
        """Return the resources among `within` on which an actor may make the call."""
        found = self.unsettled(actor)
        if found.doubt & within:
            found = settled(found, self._asked(actor, found.doubt & within, self.exact))
        return Verdicts(found.sure & within, found.some & within)

    def unsettled(self, actor: int) -> Verdicts:
        """Return the same for all resources, with doubts not yet resolved."""
        own, voice = self.owns.of(actor), self.voices.of(actor)
        principal = self.index.actors[actor]
        key = id(own), id(voice), principal.identity.account, principal.linked
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = self._join(own, voice, principal)
        return found

    def when_named(self, actor: int, exact: Ask) -> Verdicts:
        """Evaluate resources of the actor's account as if their policies named it."""
        own, voice = self.owns.of(actor), self.voices.of(actor)
        principal = self.index.actors[actor]
        account = principal.identity.account
        key = id(own), id(voice), account, principal.is_role, principal.linked
        found = self._shared.get(key)
        if found is None:
            near = self.ground.owners.get(account, 0)
            allowed = own.control & own.limit if principal.is_role else own.control
            allowed = allowed.within(near)
            found = self._judged(
                allowed, own, voice.fenced, own.odd, self._unread(principal, 0)
            )
            self._shared[key] = found
        if not found.doubt:
            return found
        return settled(found, self._asked(actor, found.doubt, exact))

    def _join(self, own: Own, voice: Voice, principal: Principal) -> Verdicts:
        sides = self._lying(principal.identity.account)
        shut = self.ground.shut if self.call.action.startswith("s3:") else NONE
        maybe = _allowed(own, voice, sides, _MAYBE, sides.silent, shut.sure)
        if not maybe:
            return NEVER
        sure = _allowed(own, voice, sides, _SURE, 0, shut.maybe)
        odd = own.odd | voice.odd | (shut.maybe & sides.far)
        denied = voice.denied | voice.fenced
        unread = self._unread(principal, self.ground.unread_denies)
        return self._judged(Plane(sure, maybe), own, denied, odd, unread)

    def _judged(
        self, allowed: Plane, own: Own, denied: Plane, odd: int, unread: int
    ) -> Verdicts:
        found = judged(
            allowed, own.denied | denied, odd, unread=own.unread, clash=self._clash
        )
        doors = self.ground.doors
        maybe = found.some | found.doubt
        sure = found.sure & ~(unread | doors)
        some = found.some & ~doors
        return Verdicts(sure, some, maybe & ~some)

    def _unread(self, principal: Principal, own: int) -> int:
        """Return the resources where an unread statement may deny."""
        return own | (0 if principal.linked else self._fences_unread)

    def _lying(self, account: str) -> Sides:
        found = self._sides.get(account)
        if found is None:
            ground, action = self.ground, self.call.action
            required = ground.keys if action.startswith("kms:") else 0
            if action in TRUST_CALLS:
                required = ground.texts.all
            found = ground.seen_from(account, required)
            self._sides[account] = found
        return found

    def _asked(
        self, actor: int, places: int, ask: Ask
    ) -> Iterator[tuple[int, Formula]]:
        principal, texts = self.index.actors[actor], self.ground.texts.texts
        for place in positions(places):
            yield place, ask(principal, texts[place])


_SURE, _MAYBE = range(2)


def _allowed(
    own: Own, voice: Voice, sides: Sides, place: int, silent: int, shut: int
) -> int:
    """Combine the allows of both sides, before denies; plain integers for speed.

    Args:
        own: The caller's side.
        voice: The resources' side.
        sides: The resources as seen from the actor's account.
        place: Bound to compute: `_SURE` or `_MAYBE`.
        silent: Resources whose unread policy may allow.
        shut: Resources that are closed to other accounts.
    """
    escaping, account = voice.escaping[place], voice.account[place]
    direct = voice.direct[place] | silent
    allowed = own.allowed[place]
    found = (direct | allowed) & sides.free
    found |= (direct | (account & allowed)) & sides.bound
    found |= allowed & (escaping | direct | account) & ~shut & sides.far
    found = (found & own.limit[place]) | (escaping & sides.near)
    return found & own.control[place]


def settled(verdicts: Verdicts, exact: Iterator[tuple[int, Formula]]) -> Verdicts:
    """Replace doubts by exact answers."""
    sure, some = verdicts.sure, verdicts.some
    for number, formula in exact:
        if formula != FALSE:
            some |= 1 << number
            sure |= 1 << number if formula == TRUE else 0
    return Verdicts(sure, some)

"""Evaluation of one action for every actor and every resource, in bitsets.

The rules are those of `evaluate_principal` and `policy_layers`, with their sources.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from answerable.reach.aws.bulk.bitset import EMPTY_BOUNDS, BitsetBounds, list_positions
from answerable.reach.aws.bulk.caller_side import (
    NO_VERDICTS,
    BulkCall,
    CallerBits,
    CallerSide,
    VerdictBits,
    subtract_denies,
)
from answerable.reach.aws.bulk.resource_policies import (
    PrincipalMatcher,
    ResourceBits,
    ResourceSide,
)
from answerable.reach.aws.bulk.resource_space import (
    AccountView,
    ResourceSpace,
    find_unread_rcps,
    list_rcp_denies,
)
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.service_facts import (
    TRUST_POLICY_ACTIONS,
    supports_rcps,
)
from answerable.reach.formula import FALSE, TRUE, Formula

EvaluateOne = Callable[[CompiledPrincipal, str], Formula]


@dataclass(eq=False, slots=True)
class BulkEvaluation:
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

    estate: CompiledAccounts
    index: StatementIndex
    naming: PrincipalMatcher
    ground: ResourceSpace
    call: BulkCall
    exact: EvaluateOne
    besides: int = 0
    actors: int = 0
    owns: CallerSide = field(init=False)
    voices: ResourceSide = field(init=False)
    _fences_unread: int = 0
    _clash: bool = False
    _shared: dict[tuple[object, ...], VerdictBits] = field(default_factory=dict)
    _sides: dict[str, AccountView] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Evaluate both sides."""
        index, ground, action = self.index, self.ground, self.call.action
        bound = supports_rcps(action)
        fences = list_rcp_denies(self.estate, ground, action) if bound else ()
        self.voices = ResourceSide(index, self.naming, self.call, ground.spoken, fences)
        self._fences_unread = find_unread_rcps(self.estate, ground) if bound else 0
        required = ground.arns.all if action in TRUST_POLICY_ACTIONS else ground.keys
        named = self.voices.named
        if ground.unread or ground.missing & required:
            named = index.scope
        self.owns = CallerSide(index, self.call, named | self.besides)
        self.actors = self.owns.allowing | named
        allow = self.owns.allow_atoms | self.voices.allow_atoms
        deny = self.owns.deny_atoms | self.voices.deny_atoms
        self._clash = not allow.isdisjoint(deny)

    def evaluate_actor(self, actor: int, within: int) -> VerdictBits:
        """Return the resources among `within` on which an actor may make the call."""
        found = self.evaluate_bits(actor)
        if found.doubt & within:
            found = resolve_doubts(
                found, self._evaluate_exactly(actor, found.doubt & within, self.exact)
            )
        return found.restrict_to(within)

    def evaluate_bits(self, actor: int) -> VerdictBits:
        """Return verdict bits of an actor on all resources; undecided ones stay open."""
        own, voice = self.owns.get_actor_bits(actor), self.voices.get_actor_bits(actor)
        principal = self.index.actors[actor]
        key = id(own), id(voice), principal.identity.account, principal.linked
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = self._combine_sides(own, voice, principal)
        return found

    def evaluate_if_trusted(self, actor: int, exact: EvaluateOne) -> VerdictBits:
        """Evaluate resources of the actor's account as if their policies named it."""
        own, voice = self.owns.get_actor_bits(actor), self.voices.get_actor_bits(actor)
        principal = self.index.actors[actor]
        account = principal.identity.account
        key = id(own), id(voice), account, principal.is_role, principal.linked
        found = self._shared.get(key)
        if found is None:
            near = self.ground.owners.get(account, 0)
            allowed = own.control & own.limit if principal.is_role else own.control
            allowed = allowed.restrict_to(near)
            found = self._subtract_denies(
                allowed,
                own,
                voice.fenced,
                own.odd,
                self._find_unread_denies(principal, 0),
            )
            self._shared[key] = found
        if not found.doubt:
            return found
        return resolve_doubts(found, self._evaluate_exactly(actor, found.doubt, exact))

    def _combine_sides(
        self, own: CallerBits, voice: ResourceBits, principal: CompiledPrincipal
    ) -> VerdictBits:
        sides = self._view_from_account(principal.identity.account)
        shut = self.ground.shut if self.call.action.startswith("s3:") else EMPTY_BOUNDS
        maybe = _combine_allows(own, voice, sides, _MAY, sides.silent, shut.sure)
        if not maybe:
            return NO_VERDICTS
        sure = _combine_allows(own, voice, sides, _MUST, 0, shut.maybe)
        odd = own.odd | voice.odd | (shut.maybe & sides.far)
        denied = voice.denied | voice.fenced
        unread = self._find_unread_denies(principal, self.ground.unread_denies)
        return self._subtract_denies(
            BitsetBounds(sure, maybe), own, denied, odd, unread
        )

    def _subtract_denies(
        self,
        allowed: BitsetBounds,
        own: CallerBits,
        denied: BitsetBounds,
        odd: int,
        unread: int,
    ) -> VerdictBits:
        found = subtract_denies(
            allowed, own.denied | denied, odd, unread=own.unread, clash=self._clash
        )
        doors = self.ground.doors
        maybe = found.some | found.doubt
        sure = found.sure & ~(unread | doors)
        some = found.some & ~doors
        return VerdictBits(sure, some, maybe & ~some)

    def _find_unread_denies(self, principal: CompiledPrincipal, own: int) -> int:
        """Return the resources where an unread statement may deny."""
        return own | (0 if principal.linked else self._fences_unread)

    def _view_from_account(self, account: str) -> AccountView:
        found = self._sides.get(account)
        if found is None:
            ground, action = self.ground, self.call.action
            required = ground.keys if action.startswith("kms:") else 0
            if action in TRUST_POLICY_ACTIONS:
                required = ground.arns.all
            found = ground.view_from_account(account, required)
            self._sides[account] = found
        return found

    def _evaluate_exactly(
        self, actor: int, places: int, ask: EvaluateOne
    ) -> Iterator[tuple[int, Formula]]:
        principal, texts = self.index.actors[actor], self.ground.arns.texts
        for place in list_positions(places):
            yield place, ask(principal, texts[place])


_MUST, _MAY = range(2)


def _combine_allows(
    own: CallerBits,
    voice: ResourceBits,
    sides: AccountView,
    place: int,
    silent: int,
    shut: int,
) -> int:
    """Combine the allows of both sides, before denies; plain integers for speed.

    Args:
        own: The caller's side.
        voice: The resources' side.
        sides: The resources as seen from the actor's account.
        place: Bound to compute: `_MUST` or `_MAY`.
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


def resolve_doubts(
    verdicts: VerdictBits, exact: Iterator[tuple[int, Formula]]
) -> VerdictBits:
    """Replace doubts by exact answers."""
    sure, some = verdicts.sure, verdicts.some
    for number, formula in exact:
        if formula != FALSE:
            some |= 1 << number
            sure |= 1 << number if formula == TRUE else 0
    return VerdictBits(sure, some)

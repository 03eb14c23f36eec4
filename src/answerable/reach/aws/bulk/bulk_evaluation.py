"""Evaluate one action for every principal and every resource at once, in bitsets.

The rules are those of `evaluate_principal` and `policy_layers`, with their sources.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from answerable.reach.aws.bulk.bitset import (
    EMPTY_BOUNDS,
    NO_VERDICTS,
    BitsetBounds,
    VerdictBits,
    list_positions,
)
from answerable.reach.aws.bulk.caller_policies import (
    BulkCall,
    CallerBits,
    CallerSide,
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
    find_resources_with_unread_rcps,
    list_rcp_denies,
)
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.service_facts import (
    TRUST_POLICY_ACTIONS,
    supports_rcps,
)
from answerable.reach.condition_formula import FALSE, TRUE, Formula

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
        caller_side: The callers' side.
        resource_side: The resources' side.
    """

    estate: CompiledAccounts
    index: StatementIndex
    naming: PrincipalMatcher
    ground: ResourceSpace
    call: BulkCall
    exact: EvaluateOne
    besides: int = 0
    actors: int = 0
    caller_side: CallerSide = field(init=False)
    resource_side: ResourceSide = field(init=False)
    _fences_unread: int = 0
    _clash: bool = False
    _shared: dict[tuple[object, ...], VerdictBits] = field(default_factory=dict)
    _sides: dict[str, AccountView] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Evaluate both sides."""
        index, ground, action = self.index, self.ground, self.call.action
        bound = supports_rcps(action)
        fences = list_rcp_denies(self.estate, ground, action) if bound else ()
        self.resource_side = ResourceSide(
            index, self.naming, self.call, ground.spoken, fences
        )
        self._fences_unread = (
            find_resources_with_unread_rcps(self.estate, ground) if bound else 0
        )
        required = (
            ground.arn_index.all if action in TRUST_POLICY_ACTIONS else ground.keys
        )
        named = self.resource_side.named
        if ground.unread or ground.missing & required:
            named = index.scope
        self.caller_side = CallerSide(index, self.call, named | self.besides)
        self.actors = self.caller_side.allowing | named
        allow = self.caller_side.allow_atoms | self.resource_side.allow_atoms
        deny = self.caller_side.deny_atoms | self.resource_side.deny_atoms
        self._clash = not allow.isdisjoint(deny)

    def evaluate_principal_exactly(self, actor: int, resources: int) -> VerdictBits:
        """Evaluate one principal exactly on some resources; nothing stays undecided."""
        found = self.evaluate_all_resources(actor)
        if found.doubt & resources:
            found = resolve_undecided_verdicts(
                found,
                self._evaluate_each_resource_exactly(
                    actor, found.doubt & resources, self.exact
                ),
            )
        return found.restrict_to(resources)

    def evaluate_all_resources(self, actor: int) -> VerdictBits:
        """Return a principal's verdict bits on all resources, some still undecided."""
        own, voice = (
            self.caller_side.get_policy_result_of_principal(actor),
            self.resource_side.get_policy_result_for_principal(actor),
        )
        principal = self.index.actors[actor]
        key = id(own), id(voice), principal.identity.account, principal.linked
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = self._combine_caller_and_resource_policies(
                own, voice, principal
            )
        return found

    def evaluate_if_trusted(
        self, actor: int, evaluate_exactly: EvaluateOne
    ) -> VerdictBits:
        """Evaluate the account's resources as if their policies named the principal."""
        own, voice = (
            self.caller_side.get_policy_result_of_principal(actor),
            self.resource_side.get_policy_result_for_principal(actor),
        )
        principal = self.index.actors[actor]
        account = principal.identity.account
        key = id(own), id(voice), account, principal.is_role, principal.linked
        found = self._shared.get(key)
        if found is None:
            near = self.ground.owners.get(account, 0)
            allowed = own.control & own.limit if principal.is_role else own.control
            allowed = allowed.restrict_to(near)
            found = self._subtract_denied_resources(
                allowed,
                own,
                voice.fenced,
                own.odd,
                self._find_resources_with_unread_denies(principal, 0),
            )
            self._shared[key] = found
        if not found.doubt:
            return found
        return resolve_undecided_verdicts(
            found,
            self._evaluate_each_resource_exactly(actor, found.doubt, evaluate_exactly),
        )

    def _combine_caller_and_resource_policies(
        self,
        caller_bits: CallerBits,
        resource_bits: ResourceBits,
        principal: CompiledPrincipal,
    ) -> VerdictBits:
        """Combine the caller's policies with the resource policies into verdicts."""
        sides = self._classify_resources_for_account(principal.identity.account)
        shut = self.ground.shut if self.call.action.startswith("s3:") else EMPTY_BOUNDS
        maybe = _combine_caller_and_resource_allows(
            caller_bits, resource_bits, sides, _MAY, sides.silent, shut.sure
        )
        if not maybe:
            return NO_VERDICTS
        sure = _combine_caller_and_resource_allows(
            caller_bits, resource_bits, sides, _MUST, 0, shut.maybe
        )
        odd = caller_bits.odd | resource_bits.odd | (shut.maybe & sides.far)
        denied = resource_bits.denied | resource_bits.fenced
        unread = self._find_resources_with_unread_denies(
            principal, self.ground.unread_denies
        )
        return self._subtract_denied_resources(
            BitsetBounds(sure, maybe), caller_bits, denied, odd, unread
        )

    def _subtract_denied_resources(
        self,
        allowed: BitsetBounds,
        caller_bits: CallerBits,
        denied: BitsetBounds,
        non_monotone: int,
        unread_denies: int,
    ) -> VerdictBits:
        """Subtract denies; leave unreadable denies and access points undecided."""
        found = subtract_denies(
            allowed,
            caller_bits.denied | denied,
            non_monotone,
            has_unread_denies=caller_bits.unread,
            may_conflict=self._clash,
        )
        access_points = self.ground.access_points
        maybe = found.some | found.doubt
        sure = found.sure & ~(unread_denies | access_points)
        some = found.some & ~access_points
        return VerdictBits(sure, some, maybe & ~some)

    def _find_resources_with_unread_denies(
        self, principal: CompiledPrincipal, unread_denies: int
    ) -> int:
        """Return the resources where a statement that was not read may deny."""
        return unread_denies | (0 if principal.linked else self._fences_unread)

    def _classify_resources_for_account(self, account: str) -> AccountView:
        """Classify the resources as seen from an account; cached."""
        found = self._sides.get(account)
        if found is None:
            ground, action = self.ground, self.call.action
            required = ground.keys if action.startswith("kms:") else 0
            if action in TRUST_POLICY_ACTIONS:
                required = ground.arn_index.all
            found = ground.classify_resources_for_account(account, required)
            self._sides[account] = found
        return found

    def _evaluate_each_resource_exactly(
        self, actor: int, resources: int, evaluate_one: EvaluateOne
    ) -> Iterator[tuple[int, Formula]]:
        """Yield the exact formula of each of some resources, for one principal."""
        principal, texts = self.index.actors[actor], self.ground.arn_index.texts
        for place in list_positions(resources):
            yield place, evaluate_one(principal, texts[place])


_MUST, _MAY = range(2)


def _combine_caller_and_resource_allows(
    caller_bits: CallerBits,
    resource_bits: ResourceBits,
    account_view: AccountView,
    bound: int,
    unread_allows: int,
    blocked: int,
) -> int:
    """Combine allows of caller and resource policies, before denies, into a bitset.

    Args:
        caller_bits: The caller's side.
        resource_bits: The resources' side.
        account_view: The resources as seen from the actor's account.
        bound: Bound to compute: `_MUST` or `_MAY`.
        unread_allows: Resources whose unread policy may allow.
        blocked: Resources that are closed to other accounts.
    """
    escaping, account = resource_bits.escaping[bound], resource_bits.account[bound]
    direct = resource_bits.direct[bound] | unread_allows
    allowed = caller_bits.allowed[bound]
    found = (direct | allowed) & account_view.free
    found |= (direct | (account & allowed)) & account_view.bound
    found |= allowed & (escaping | direct | account) & ~blocked & account_view.far
    found = (found & caller_bits.limit[bound]) | (escaping & account_view.near)
    return found & caller_bits.control[bound]


def resolve_undecided_verdicts(
    verdicts: VerdictBits, exact_results: Iterator[tuple[int, Formula]]
) -> VerdictBits:
    """Replace undecided verdicts by the results of exact evaluations."""
    sure, some = verdicts.sure, verdicts.some
    for number, formula in exact_results:
        if formula != FALSE:
            some |= 1 << number
            sure |= 1 << number if formula == TRUE else 0
    return VerdictBits(sure, some)

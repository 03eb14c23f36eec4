"""Evaluate one action on one resource for every principal at once, without paths.

The rules are those of `find_permitted_principals`, with sets of actors instead of sets of resources.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.bulk.bitset import (
    EMPTY_BOUNDS,
    BitsetBounds,
    VerdictBits,
    list_positions,
)
from answerable.reach.aws.bulk.bulk_evaluation import resolve_undecided_verdicts
from answerable.reach.aws.bulk.caller_policies import subtract_denies
from answerable.reach.aws.bulk.key_partition import list_open_statement_conditions
from answerable.reach.aws.bulk.resource_policies import (
    BYPASSES_BOUNDARY,
    DELEGATES_TO_ACCOUNT,
    DENIES,
    NAMES_PRINCIPAL,
    PrincipalMatcher,
)
from answerable.reach.aws.bulk.resource_space import (
    ResourceSpace,
    build_resource_space,
    find_resources_with_unread_rcps,
    list_rcp_denies,
)
from answerable.reach.aws.bulk.statement_effects import list_statement_effects
from answerable.reach.aws.bulk.statement_holder_table import HolderTable
from answerable.reach.aws.bulk.statement_index import StatementIndex
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.service_facts import (
    TRUST_POLICY_ACTIONS,
    supports_rcps,
)
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.condition_formula import Formula


@dataclass(eq=False, slots=True)
class TargetEvaluation:
    """Evaluation of one action on one resource for every actor.

    Attributes:
        index: Statements by holder.
        naming: Principals by the names that policies use.
        action: In lower case.
        resource: An ARN, no pattern; or `*` for an action that takes no resource.
        known: Condition keys known for the call itself.
    """

    estate: CompiledAccounts
    index: StatementIndex
    naming: PrincipalMatcher
    action: str
    resource: str
    known: ContextKeys
    _ground: ResourceSpace = field(init=False)
    _odd: int = 0
    _allow: set[object] = field(default_factory=set)
    _deny: set[object] = field(default_factory=set)

    def find_permitted_principals(
        self, evaluate_exactly: Callable[[CompiledPrincipal], Formula]
    ) -> VerdictBits:
        """Return the principals that may make the call, as verdict bits.

        Args:
            evaluate_exactly: Evaluates one actor exactly, where bitsets leave a doubt.
        """
        trusts = self.action in TRUST_POLICY_ACTIONS
        self._ground = build_resource_space(
            self.estate, [self.resource], use_trust_policies=trusts
        )
        found = self._combine_policies_in_bitsets()
        actors = self.index.actors
        asked = ((n, evaluate_exactly(actors[n])) for n in list_positions(found.doubt))
        return resolve_undecided_verdicts(found, asked)

    def _combine_policies_in_bitsets(self) -> VerdictBits:
        """Combine all policies in bitsets; some principals stay undecided."""
        index, ground, everyone = self.index, self._ground, self.index.all_principals
        allowed, bounds, denied = self._evaluate_caller_policies()
        voiced = self._evaluate_resource_policy()
        control, soft, more = self._evaluate_limiting_policies()
        limit = (
            bounds | BitsetBounds(everyone & ~index.bounded, everyone & ~index.bounded)
        ) & soft
        near = self._find_principals_of_resource_account()
        far = everyone & ~near
        required = self.action in TRUST_POLICY_ACTIONS or bool(ground.keys)
        direct = voiced[NAMES_PRINCIPAL]
        if ground.unread or (ground.missing and required):
            direct |= BitsetBounds(0, everyone)
        elif ground.missing:
            direct |= BitsetBounds(0, far)
        own = voiced[DELEGATES_TO_ACCOUNT] & allowed if required else allowed
        same = voiced[BYPASSES_BOUNDARY] | ((direct | own) & limit)
        named = voiced[BYPASSES_BOUNDARY] | direct | voiced[DELEGATES_TO_ACCOUNT]
        if self.action.startswith("s3:") and ground.shut.maybe:
            named = BitsetBounds(0, 0 if ground.shut.sure else named.maybe)
            self._odd |= far
        other = allowed & limit & named
        full = (same.restrict_to(near) | other.restrict_to(far)) & control
        found = subtract_denies(
            full,
            denied | more | voiced[DENIES],
            self._odd,
            has_unread_denies=False,
            may_conflict=not self._allow.isdisjoint(self._deny),
        )
        return self._leave_unread_denies_undecided(found)

    def _leave_unread_denies_undecided(self, verdicts: VerdictBits) -> VerdictBits:
        """Leave undecided what an unreadable statement may deny."""
        unread = self.index.unread[None]
        if self._ground.unread_denies:
            unread = self.index.all_principals
        elif supports_rcps(self.action) and find_resources_with_unread_rcps(
            self.estate, self._ground
        ):
            unread |= self.index.all_principals & ~self.index.linked
        maybe = verdicts.some | verdicts.doubt
        some = 0 if self._ground.access_points else verdicts.some
        sure = verdicts.sure & ~unread if not self._ground.access_points else 0
        return VerdictBits(sure, some, maybe & ~some)

    def _find_principals_of_resource_account(self) -> int:
        """Return the principals of the resource's account, all if not known."""
        found = 0
        for owner in self._ground.owners:
            if not owner:
                return self.index.all_principals
            found |= self.index.include_copies(self.naming.accounts.get(owner, 0))
        return found

    def _evaluate_caller_policies(
        self,
    ) -> tuple[BitsetBounds, BitsetBounds, BitsetBounds]:
        """Evaluate identity policies and permissions boundaries."""
        index = self.index
        allowed, denied = self._evaluate_policy_layer(index.identity)
        bounds, more = self._evaluate_policy_layer(index.boundary)
        allowed |= BitsetBounds(0, index.unread[PolicyLayer.IDENTITY])
        bounds |= BitsetBounds(0, index.unread[PolicyLayer.BOUNDARY])
        return allowed, bounds, denied | more

    def _evaluate_policy_layer(
        self, table: HolderTable
    ) -> tuple[BitsetBounds, BitsetBounds]:
        """Return the principals that one policy layer allows and denies."""
        wide = table.find_holders_of_all_resource_statements(self.action)
        allowed = BitsetBounds(wide.allowed, wide.allowed)
        denied = BitsetBounds(wide.denied, wide.denied)
        for clause in table.list_statements_on_specific_resources(
            self.action, self.resource
        ):
            plane = self._find_principals_statement_applies_to(
                clause, table.actors[clause]
            )
            if clause.effect is PolicyEffect.ALLOW:
                allowed |= plane
            else:
                denied |= plane
        return allowed, denied

    def _find_principals_statement_applies_to(
        self, statement: CompiledStatement, actors: int
    ) -> BitsetBounds:
        """Return the principals for which a statement applies to the resource."""
        sure = maybe = 0
        space = self._ground.space
        for part in list_statement_effects(
            statement, space, self.known, self.index, actors
        ):
            maybe |= part.actors
            sure |= part.actors if part.plane.sure else 0
            self._odd |= part.actors if part.odd else 0
        if sure != maybe:
            deny = statement.effect is PolicyEffect.DENY
            (self._deny if deny else self._allow).update(
                list_open_statement_conditions(statement)
            )
        return BitsetBounds(sure, maybe)

    def _evaluate_limiting_policies(
        self,
    ) -> tuple[BitsetBounds, BitsetBounds, BitsetBounds]:
        """Return the principals that SCPs and session policies allow, and deny."""
        everyone = BitsetBounds(self.index.all_principals, self.index.all_principals)
        control = soft = everyone
        denied = EMPTY_BOUNDS
        for limit, actors in self.index.limits.items():
            spoken = limit.select_statements(self.action)
            through = self._evaluate_scp_or_session_allows(limit, actors)
            free = self.index.all_principals & ~actors
            passed = through | BitsetBounds(free, free)
            if limit.layer is PolicyLayer.SESSION:
                soft &= passed
            else:
                control &= passed
            for grant in spoken.denies:
                denied |= self._find_principals_statement_applies_to(
                    grant.clause, actors
                )
        return control, soft, denied

    def _evaluate_scp_or_session_allows(
        self, limit: LimitingLayer, actors: int
    ) -> BitsetBounds:
        """Return the principals that one SCP level or session policy allows."""
        allows = limit.select_statements(self.action).allows
        if any(grant.clause.wide for grant in allows):
            return BitsetBounds(actors, actors)
        found = BitsetBounds(0, actors if limit.gaps else 0)
        for grant in allows:
            found |= self._find_principals_statement_applies_to(grant.clause, actors)
        return found

    def _evaluate_resource_policy(self) -> list[BitsetBounds]:
        """Evaluate resource policy and RCPs, by the way that they name principals."""
        found = [EMPTY_BOUNDS] * 4
        for clause, _ in self._ground.spoken:
            if clause.matches_action(self.action):
                for name in self.naming.find_named_principals(clause):
                    plane = self._find_principals_statement_applies_to(
                        clause, name.actors
                    )
                    if name.is_open and plane.maybe:
                        plane = BitsetBounds(0, plane.maybe)
                        self._odd |= plane.maybe if name.odd else 0
                        (
                            self._deny
                            if clause.effect is PolicyEffect.DENY
                            else self._allow
                        ).add("named")
                    how = DENIES if clause.effect is PolicyEffect.DENY else name.how
                    found[how] |= plane
        if supports_rcps(self.action):
            anyone = self.index.all_principals & ~self.index.linked
            for clause, _ in list_rcp_denies(self.estate, self._ground, self.action):
                found[DENIES] |= self._find_principals_statement_applies_to(
                    clause, anyone
                )
        return found

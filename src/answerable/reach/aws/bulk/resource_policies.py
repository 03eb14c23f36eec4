"""Evaluate resource policies for one action, for every principal and resource at once.

The rules are those of `evaluation.resource_policies`, for all actors and all resources
of a space at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.bulk.bitset import (
    EMPTY_BOUNDS,
    BitsetBounds,
    build_bitset,
    list_positions,
)
from answerable.reach.aws.bulk.caller_policies import BulkCall
from answerable.reach.aws.bulk.key_partition import list_open_statement_conditions
from answerable.reach.aws.bulk.statement_effects import list_statement_effects
from answerable.reach.aws.bulk.statement_index import StatementEffect, StatementIndex
from answerable.reach.aws.compiled.principal_matching import (
    SESSION_NAME,
    build_boundary_bypass_condition,
    can_grant_bypass_boundary,
    match_principal,
)
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.condition_formula import TRUE, ConditionAtom

BYPASSES_BOUNDARY, NAMES_PRINCIPAL, DELEGATES_TO_ACCOUNT, DENIES, RCP_DENIES = range(5)
_NAMING_WAYS = {
    "escaping": BYPASSES_BOUNDARY,
    "direct": NAMES_PRINCIPAL,
    "account": DELEGATES_TO_ACCOUNT,
}


class ResourceBits(NamedTuple):
    """Result of the resource policies for one actor, by resource.

    Attributes:
        escaping: Allowed by name, and not limited by the boundary.
        direct: Allowed by name, or as anyone.
        account: Delegated to its account.
        denied: Denied.
        fenced: Denied by resource control policies.
        odd: Resources where open conditions are not monotone and may combine.
    """

    escaping: BitsetBounds = EMPTY_BOUNDS
    direct: BitsetBounds = EMPTY_BOUNDS
    account: BitsetBounds = EMPTY_BOUNDS
    denied: BitsetBounds = EMPTY_BOUNDS
    fenced: BitsetBounds = EMPTY_BOUNDS
    odd: int = 0


NO_POLICY_BITS = ResourceBits()


class NamedPrincipals(NamedTuple):
    """Actors that a statement names in the same way."""

    how: int
    actors: int
    is_open: bool = False
    odd: bool = False


class PrincipalMatcher:
    """Matcher of Principal elements against actors."""

    def __init__(self, index: StatementIndex, stated_keys: ContextKeys) -> None:
        """Index identities by account, id and role name.

        Args:
            index: The actors.
            stated_keys: Stated condition keys; a stated session name decides.
        """
        by_account: dict[str, list[int]] = defaultdict(list)
        by_id: dict[str, list[int]] = defaultdict(list)
        by_role: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, principal in enumerate(index.actors[: index.size]):
            identity = principal.identity
            by_account[identity.account].append(number)
            for named in {identity.id, identity.unique_id} - {""}:
                by_id[named].append(number)
            if principal.is_role:
                by_role[identity.account, identity.name].append(number)
        accounts = {
            account: build_bitset(numbers, index.size)
            for account, numbers in by_account.items()
        }
        self._reset_principal_indexes(index, stated_keys, accounts, by_id, by_role)

    def _reset_principal_indexes(
        self,
        index: StatementIndex,
        stated_keys: ContextKeys,
        accounts: Mapping[str, int],
        by_id: Mapping[str, Sequence[int]],
        by_role: Mapping[tuple[str, str], Sequence[int]],
    ) -> None:
        """Set the indexes of principals, and clear the cache."""
        self._index = index
        self._is_stated = stated_keys.get_key_values(SESSION_NAME) is not None
        self.accounts, self.by_id, self.by_role = accounts, by_id, by_role
        self._found: dict[tuple[CompiledStatement, int], list[NamedPrincipals]] = {}

    @classmethod
    def from_index(
        cls,
        index: StatementIndex,
        stated_keys: ContextKeys,
        *,
        accounts: Mapping[str, int],
        by_id: Mapping[str, Sequence[int]],
        by_role: Mapping[tuple[str, str], Sequence[int]],
    ) -> "PrincipalMatcher":
        """Build a matcher from indexes that exist already."""
        new = cls.__new__(cls)
        new._reset_principal_indexes(index, stated_keys, accounts, by_id, by_role)
        return new

    def with_statement_index(self, index: StatementIndex) -> "PrincipalMatcher":
        """Return the same matcher for principals that differ only in their policies."""
        new = copy(self)
        new._index = index
        return new

    def find_named_principals(
        self, statement: CompiledStatement
    ) -> list[NamedPrincipals]:
        """List the principals that a statement's Principal element names."""
        key = (statement, len(self._index.actors))
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = list(self._match_principal_element(statement))
        return found

    def _match_principal_element(
        self, statement: CompiledStatement
    ) -> Iterator[NamedPrincipals]:
        """Yield the principals that a Principal or NotPrincipal element names."""
        index, naming = self._index, statement.naming
        if statement.not_principals:
            # A deny with NotPrincipal excepts no principal that has a boundary.
            for name in self._match_identities_with_gained_nodes(
                statement, range(index.size)
            ):
                yield name._replace(actors=name.actors & ~index.unbound)
            yield from self._match_principals_one_by_one(
                statement, list_positions(index.unbound)
            )
            return
        if naming.everyone:
            yield NamedPrincipals(NAMES_PRINCIPAL, index.all_principals)
            yield from self._match_boundary_bypass(statement)
        for account in naming.accounts:
            if account in self.accounts:
                yield NamedPrincipals(
                    DELEGATES_TO_ACCOUNT, index.include_copies(self.accounts[account])
                )
        if naming.canonical:
            yield NamedPrincipals(
                DELEGATES_TO_ACCOUNT, index.all_principals, is_open=True
            )
        single = {n for named in naming.ids for n in self.by_id.get(named, ())}
        for role in naming.sessions:
            single.update(self.by_role.get(role, ()))
        yield from self._match_identities_with_gained_nodes(statement, sorted(single))

    def _match_boundary_bypass(
        self, statement: CompiledStatement
    ) -> Iterator[NamedPrincipals]:
        """Yield the principals for which a grant to `*` may bypass the boundary."""
        index = self._index
        limited = index.bounded
        for limit, actors in index.limits.items():
            limited |= actors if limit.layer is PolicyLayer.SESSION else 0
        if limited and can_grant_bypass_boundary(statement):
            yield NamedPrincipals(
                BYPASSES_BOUNDARY,
                limited,
                is_open=build_boundary_bypass_condition(statement) != TRUE,
            )

    def _match_identities_with_gained_nodes(
        self, statement: CompiledStatement, numbers: Iterable[int]
    ) -> Iterator[NamedPrincipals]:
        """Match identities by a Principal element, with their graph variants."""
        for name in self._match_principals_one_by_one(statement, numbers):
            yield name._replace(actors=self._index.include_copies(name.actors))

    def _match_principals_one_by_one(
        self, statement: CompiledStatement, numbers: Iterable[int]
    ) -> Iterator[NamedPrincipals]:
        """Match principals one by one, grouped by how they are named."""
        met: dict[NamedPrincipals, list[int]] = defaultdict(list)
        for number in numbers:
            for how, when in match_principal(statement, self._index.actors[number]):
                odd = any(
                    self._is_undecidable_by_bitset(a)
                    for alternative in when
                    for a in alternative
                )
                met[NamedPrincipals(_NAMING_WAYS[how], 0, when != TRUE, odd)].append(
                    number
                )
        for name, found in met.items():
            members = build_bitset(found, len(self._index.actors))
            yield name._replace(actors=members)

    def _is_undecidable_by_bitset(self, atom: ConditionAtom) -> bool:
        """Return whether bitsets cannot decide a condition: negated, or stated."""
        return atom.negated or (self._is_stated and atom.key.lower() == SESSION_NAME)


class ResourceSide:
    """Resources' side of one call.

    Attributes:
        named: Actors that some allow names.
        allow_atoms: Conditions that leave an allow open.
        deny_atoms: Conditions that leave a deny open.
    """

    def __init__(
        self,
        index: StatementIndex,
        matcher: PrincipalMatcher,
        call: BulkCall,
        policy_statements: Iterable[tuple[CompiledStatement, int]],
        rcp_denies: Iterable[tuple[CompiledStatement, int]] = (),
    ) -> None:
        """Collect the effects of all statements on a call.

        Args:
            index: Statements by holder.
            matcher: Principals by the names that policies use.
            call: The call.
            policy_statements: Resource policy statements, each with its resources.
            rcp_denies: RCP denies, each with its resources.
        """
        self._index, self._call = index, call
        self.named = 0
        self.allow_atoms: set[object] = set()
        self.deny_atoms: set[object] = set()
        self._said: dict[tuple[int, int], tuple[BitsetBounds, int]] = {}
        for clause, resources in policy_statements:
            if clause.matches_action(call.action):
                for name in matcher.find_named_principals(clause):
                    if name.actors & index.scope:
                        how = DENIES if clause.effect is PolicyEffect.DENY else name.how
                        self._apply_statement_to_resources(
                            clause, resources, name._replace(how=how)
                        )
        anyone = index.all_principals & ~index.linked
        for clause, resources in rcp_denies:
            self._apply_statement_to_resources(
                clause, resources, NamedPrincipals(RCP_DENIES, anyone)
            )
        self._of: dict[int, list[int]] = defaultdict(list)
        self._list = list(self._said.items())
        for number, ((_, actors), _) in enumerate(self._list):
            for actor in list_positions(actors & index.scope):
                self._of[actor].append(number)
        self._shared: dict[tuple[int, ...], ResourceBits] = {(): NO_POLICY_BITS}

    def get_policy_result_for_principal(self, actor: int) -> ResourceBits:
        """Return the resources whose policies allow or deny one principal."""
        key = tuple(self._of.get(actor, ()))
        found = self._shared.get(key)
        if found is None:
            planes, odd = [EMPTY_BOUNDS] * 5, 0
            for number in key:
                (how, _), (plane, strange) = self._list[number]
                planes[how] |= plane
                odd |= strange
            escaping, direct, account, denied, fenced = planes
            found = ResourceBits(escaping, direct, account, denied, fenced, odd)
            self._shared[key] = found
        return found

    def _apply_statement_to_resources(
        self, statement: CompiledStatement, resources: int, named: NamedPrincipals
    ) -> None:
        """Record a statement's effect on its resources, for the principals it names."""
        call = self._call
        deny = named.how >= DENIES
        actors = named.actors & self._index.scope
        for part in list_statement_effects(
            statement, call.space, call.known, self._index, actors
        ):
            plane = part.plane.restrict_to(resources)
            if named.is_open:
                plane = BitsetBounds(0, plane.maybe)
            if not plane.maybe:
                continue
            if plane.sure != plane.maybe:
                atoms = self.deny_atoms if deny else self.allow_atoms
                atoms.update(list_open_statement_conditions(statement))
                if named.is_open:
                    atoms.add("answerable:named")
            odd = plane.maybe if named.odd else part.odd & resources
            self._record_statement_effect(named.how, part, plane, odd)

    def _record_statement_effect(
        self,
        kind: int,
        effect: StatementEffect,
        bounds: BitsetBounds,
        non_monotone: int,
    ) -> None:
        """Record an effect, merged with others of the same kind and principals."""
        self.named |= effect.actors if kind < DENIES else 0
        held, strange = self._said.get((kind, effect.actors), (EMPTY_BOUNDS, 0))
        self._said[kind, effect.actors] = held | bounds, strange | non_monotone

"""Evaluate the callers' own policies for one action, for every principal at once.

Actors that the same statements apply to share one result, so the cost grows with the
number of distinct results.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.bulk.bitset import (
    EMPTY_BOUNDS,
    BitsetBounds,
    VerdictBits,
    list_positions,
)
from answerable.reach.aws.bulk.key_partition import list_open_statement_conditions
from answerable.reach.aws.bulk.statement_effects import (
    CallResources,
    list_statement_effects,
)
from answerable.reach.aws.bulk.statement_index import StatementEffect, StatementIndex
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys

_ALLOW, _DENY, _BOUNDARY = -1, -2, -3  # limits have numbers from 0
_READ = (False, False, False)


class BulkCall(NamedTuple):
    """One action on the resources of a space.

    Attributes:
        action: In lower case.
        known: Condition keys known for the call itself.
    """

    action: str
    space: CallResources
    known: ContextKeys = NO_KEYS


class CallerBits(NamedTuple):
    """Result of one actor's own policies, by resource.

    Attributes:
        allowed: Allowed by identity policies.
        limit: Allowed by boundary and session policy.
        control: Allowed by the SCPs of its account.
        denied: Denied by any of them.
        unread: Whether an unread statement may deny.
        odd: Resources where open conditions are not monotone and may combine.
    """

    allowed: BitsetBounds
    limit: BitsetBounds
    control: BitsetBounds
    denied: BitsetBounds
    unread: bool
    odd: int


def subtract_denies(
    allowed: BitsetBounds,
    denied: BitsetBounds,
    non_monotone: int,
    *,
    has_unread_denies: bool,
    may_conflict: bool,
) -> VerdictBits:
    """Subtract denied from allowed resources; leave possible conflicts undecided.

    An open allow and an open deny may depend on the same condition and exclude each
    other: where they could (`may_conflict`), both together leave a doubt.
    """
    maybe = allowed.maybe & ~denied.sure
    sure = 0 if has_unread_denies else allowed.sure & ~denied.maybe
    plain = maybe if not may_conflict else maybe & (allowed.sure | ~denied.maybe)
    some = sure | (plain & ~non_monotone)
    return VerdictBits(sure, some, maybe & ~some)


class CallerSide:
    """Callers' side of one call.

    Attributes:
        allowing: Actors whose policies may allow the call.
        actors: These, and the actors requested besides.
        allow_atoms: Conditions that leave an allow open.
        deny_atoms: Conditions that leave a deny open.
    """

    def __init__(
        self, index: StatementIndex, call: BulkCall, extra_actors: int = 0
    ) -> None:
        """Collect the effects of all statements on a call.

        Args:
            index: Statements by holder.
            call: The call.
            extra_actors: Actors to evaluate although no policy of theirs allows it.
        """
        self._index, self._call = index, call
        self._said: list[tuple[int, StatementEffect]] = []
        self._noted: dict[tuple[int, int], int] = {}
        self._of: dict[int, list[int]] = defaultdict(list)
        self._sessions: set[int] = set()
        self.allow_atoms: set[object] = set()
        self.deny_atoms: set[object] = set()
        self._shared: dict[tuple[object, ...], CallerBits] = {}
        unread = [
            index.unread[at]
            for at in (PolicyLayer.IDENTITY, PolicyLayer.BOUNDARY, None)
        ]
        self._gaps = {
            actor: tuple(bool(bits >> actor & 1) for bits in unread)
            for actor in list_positions(
                (unread[0] | unread[1] | unread[2]) & index.scope
            )
        }
        self.allowing = index.unread[PolicyLayer.IDENTITY]
        self._collect_identity_policy_allows()
        self.allowing &= index.scope
        self.actors = self.allowing | (extra_actors & index.scope)
        if self.actors:
            self._collect_limiting_policy_allows()
            self._collect_policy_denies()
        for number, (_, part) in enumerate(self._said):
            for actor in index.list_bitset_members_cached(part.actors & self.actors):
                self._of[actor].append(number)

    def get_policy_result_of_principal(self, actor: int) -> CallerBits:
        """Return the resources that a principal's policies allow, limit and deny."""
        *open_at, denies = self._gaps.get(actor, _READ)
        said = self._of.get(actor, ())
        key = (*said, *open_at, denies)
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = self._combine_statement_effects(
                said, open_at, has_unread_denies=denies
            )
        return found

    def _combine_statement_effects(
        self,
        effects: Iterable[int],
        unread_layers: Iterable[bool],
        *,
        has_unread_denies: bool,
    ) -> CallerBits:
        """Combine statement effects into allowed, limited and denied resources."""
        everything = self._call.space.texts.all
        planes: dict[int, BitsetBounds] = {}
        odd = 0
        for number in effects:
            kind, part = self._said[number]
            planes[kind] = planes.get(kind, EMPTY_BOUNDS) | part.plane
            odd |= part.odd
        for kind, is_open in zip((_ALLOW, _BOUNDARY), unread_layers, strict=True):
            if is_open:
                planes[kind] = planes.get(kind, EMPTY_BOUNDS) | BitsetBounds(
                    0, everything
                )
        limit = control = BitsetBounds(everything, everything)
        for kind, plane in planes.items():
            if kind == _BOUNDARY or kind in self._sessions:
                limit &= plane
            elif kind >= 0:
                control &= plane
        allowed, denied = (
            planes.get(_ALLOW, EMPTY_BOUNDS),
            planes.get(_DENY, EMPTY_BOUNDS),
        )
        return CallerBits(allowed, limit, control, denied, has_unread_denies, odd)

    def _collect_identity_policy_allows(self) -> None:
        """Collect the allows of identity policies on the action."""
        held = self._index.identity
        for clause in held.select_statements(self._call.action).allows:
            for part in self._apply_statement_to_principals(
                clause, held.actors[clause]
            ):
                self._record_statement_effect(_ALLOW, part)
                self.allowing |= part.actors

    def _collect_limiting_policy_allows(self) -> None:
        """Collect the allows of boundaries, SCPs and session policies."""
        index, action = self._index, self._call.action
        self._record_statement_effect(
            _BOUNDARY, StatementEffect(index.bounded, EMPTY_BOUNDS)
        )
        for clause in index.boundary.select_statements(action).allows:
            for part in self._apply_statement_to_principals(
                clause, index.boundary.actors[clause]
            ):
                self._record_statement_effect(_BOUNDARY, part)
        for number, (limit, actors) in enumerate(index.limits.items()):
            if limit.layer is PolicyLayer.SESSION:
                self._sessions.add(number)
            self._collect_scp_or_session_allows(number, limit, actors)

    def _collect_scp_or_session_allows(
        self, number: int, limit: LimitingLayer, actors: int
    ) -> None:
        """Collect the allows of one SCP level or session policy."""
        spoken = limit.select_statements(self._call.action)
        if any(grant.clause.wide for grant in spoken.allows):
            return  # everything passes
        everything = self._call.space.texts.all
        unread = BitsetBounds(0, everything) if limit.gaps else EMPTY_BOUNDS
        self._record_statement_effect(number, StatementEffect(actors, unread))
        for grant in spoken.allows:
            for part in self._apply_statement_to_principals(grant.clause, actors):
                self._record_statement_effect(number, part)

    def _collect_policy_denies(self) -> None:
        """Collect the denies of identity policies and of all limiting policies."""
        index, action = self._index, self._call.action
        for held in (index.identity, index.boundary):
            for clause in held.select_statements(action).denies:
                for part in self._apply_statement_to_principals(
                    clause, held.actors[clause]
                ):
                    self._record_statement_effect(_DENY, part)
        for limit, actors in index.limits.items():
            for grant in limit.select_statements(action).denies:
                for part in self._apply_statement_to_principals(grant.clause, actors):
                    self._record_statement_effect(_DENY, part)

    def _apply_statement_to_principals(
        self, statement: CompiledStatement, actors: int
    ) -> Iterator[StatementEffect]:
        """Yield a statement's effects; note the conditions that stay open."""
        call = self._call
        deny = statement.effect is PolicyEffect.DENY
        actors &= self._index.scope
        for part in list_statement_effects(
            statement, call.space, call.known, self._index, actors
        ):
            if part.plane.maybe != part.plane.sure:
                atoms = self.deny_atoms if deny else self.allow_atoms
                atoms.update(list_open_statement_conditions(statement))
            yield part

    def _record_statement_effect(self, kind: int, effect: StatementEffect) -> None:
        """Record an effect, merged with others of the same kind and principals."""
        key = (kind, effect.actors)
        at = self._noted.get(key)
        if at is None:
            self._noted[key] = len(self._said)
            self._said.append((kind, effect))
        else:
            held = self._said[at][1]
            merged = StatementEffect(
                effect.actors, held.plane | effect.plane, held.odd | effect.odd
            )
            self._said[at] = kind, merged

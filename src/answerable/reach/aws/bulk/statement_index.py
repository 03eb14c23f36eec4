"""Index policy statements by the principals that hold them, as bitsets.

An actor is a node of the graph: an identity, or an identity with permissions it gained
on a path. Actor n is the nth principal; actors with gained permissions come after.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from answerable.model.policy import ConditionClause, PolicyEffect, PolicyLayer
from answerable.reach.aws.bulk.bitset import (
    ArnIndex,
    BitsetBounds,
    build_bitset,
    build_range,
    list_positions,
)
from answerable.reach.aws.bulk.key_partition import KeyPartition, PartitionCell
from answerable.reach.aws.bulk.statement_holder_table import HolderList, HolderTable
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.principals import (
    FULL_ACCESS_STATEMENT,
    CompiledPrincipal,
)
from answerable.reach.aws.compiled.statements import CompiledStatement, PolicyStatement
from answerable.reach.condition_formula import Formula

ANYTHING = "*"  # what an actor gained that may do everything


class StatementEffect(NamedTuple):
    """Effect of a statement for some actors.

    Attributes:
        plane: Resources to which it applies.
        odd: Resources where its open conditions are not monotone (hold a negation).
    """

    actors: int
    plane: BitsetBounds
    odd: int = 0


class StatementIndex:
    """Index of actors and the statements they hold.

    Attributes:
        base: By actor, the number of its identity; identities come first.
        unbound: Actors without the boundary that their identity has.
        unread: Actors with policies that were not read, by layer; under None where
            the unread part may deny.
        runs: Ranges of actors that copy a range of identities: start of the copies,
            first and end of the originals.
    """

    def __init__(self, identities: Iterable[CompiledPrincipal]) -> None:
        """Index identities; the number of each is its position."""
        plain = list(identities)
        self._reset_to_empty_index([], len(plain))
        self.add_actors(plain, range(self.size))
        names = ArnIndex([principal.id for principal in plain])
        self.known = KeyPartition([principal.known for principal in plain], names)

    def _reset_to_empty_index(
        self, actors: Sequence[CompiledPrincipal], size: int
    ) -> None:
        """Initialise an index without statements."""
        self.actors = actors
        self.base: Sequence[int] = []
        self.identity, self.boundary = HolderTable(), HolderTable()
        self.bounded = self.unbound = self.linked = self.scope = 0
        self.limits: dict[LimitingLayer, int] = {}
        self.unread: dict[PolicyLayer | None, int] = defaultdict(int)
        self.size = size
        self.runs: list[tuple[int, int, int]] = []
        self._copied = self._copies = 0
        self._copies_of: dict[int, int] = defaultdict(int)
        self._held: dict[tuple[ConditionClause, int], BitsetBounds] = {}
        self._cells: dict[tuple[int, int], list[PartitionCell]] = {}
        self.parts: dict[tuple[object, ...], list[StatementEffect]] = {}
        self.held: dict[tuple[object, ...], Formula] = {}
        self.parted: dict[tuple[CompiledStatement, int], list[int]] = {}
        self._members: dict[int, list[int]] = {}

    def add_actors(
        self, actors: Iterable[CompiledPrincipal], identities: Sequence[int]
    ) -> range:
        """Add principals: identities with permissions gained; return their numbers."""
        start = len(self.actors)
        self.actors = [*self.actors, *actors]
        self.base = [*self.base, *identities]
        stop = len(self.actors)
        if start:
            self._record_identity_copies(identities, start)
        self._index_statement_holders(range(start, stop))
        limits: dict[LimitingLayer, list[int]] = defaultdict(list)
        for number in range(start, stop):
            actor = self.actors[number]
            self._record_principal_flags(actor, 1 << number)
            for limit in (*actor.levels, actor.session):
                if limit is not None:
                    limits[limit].append(number)
        for limit, members in limits.items():
            self.limits[limit] = self.limits.get(limit, 0) | build_bitset(members, stop)
        self.scope = build_range(start, stop) if start else build_range(0, stop)
        return range(start, stop)

    def with_new_identity_policies(
        self, actors: Mapping[int, CompiledPrincipal]
    ) -> "StatementIndex":
        """Return a copy with new identity policies for some principals."""
        new = copy(self)
        new.actors = listed = list(self.actors)
        new.parts, new.held, new.unread = {}, {}, defaultdict(int, self.unread)
        new.parted, new._members = {}, {}
        lost, gained = HolderList(), HolderList()
        size = len(self.actors)
        for number, actor in actors.items():
            held = list(_select_statements_to_index(self.actors[number]))
            holds = list(_select_statements_to_index(actor))
            before, after = ({one.clause for one in some} for some in (held, holds))
            lost.add_holder_of_statements(
                (one for one in held if one.clause not in after), number
            )
            gained.add_holder_of_statements(
                (one for one in holds if one.clause not in before), number
            )
            listed[number] = actor
            for layer in (PolicyLayer.IDENTITY, None):
                new.unread[layer] &= ~(1 << number)
            for gap in actor.gaps:
                new.unread[gap.layer] |= 1 << number
                new.unread[None] |= gap.denies << number
        new.identity = self.identity.with_changed_holders(lost, gained, size)
        return new

    def restrict_to(self, actors: int) -> "StatementIndex":
        """Return a copy that evaluates only some principals."""
        new = copy(self)
        new.scope = actors
        new.parts, new.held, new.parted, new._members = {}, {}, {}, {}
        limits = {limit: who & actors for limit, who in self.limits.items()}
        new.limits = {limit: who for limit, who in limits.items() if who}
        if actors != self.all_principals:
            new.identity, new.boundary = HolderTable(), HolderTable()
            new._index_statement_holders(list_positions(actors))
        return new

    def _index_statement_holders(self, numbers: Iterable[int]) -> None:
        """Index which statements the policies of these principals contain."""
        identity, boundary, size = HolderList(), HolderList(), len(self.actors)
        for number in numbers:
            actor = self.actors[number]
            identity.add_holder_of_statements(
                _select_statements_to_index(actor), number
            )
            boundary.add_holder_of_statements(actor.boundary or (), number)
        for noted, held in ((identity, self.identity), (boundary, self.boundary)):
            for clause, holding in noted.list_statements_with_holders(size):
                held.add_statement_holders(clause, holding)

    def _record_identity_copies(self, identities: Sequence[int], start: int) -> None:
        """Record node numbers that are variants of identities (no boundary...)."""
        if isinstance(identities, range) and identities.step == 1:
            self.runs.append((start, identities.start, identities.stop))
            return
        for number, one in enumerate(identities, start):
            self._record_identity_copy(number, one)

    def _record_identity_copy(self, number: int, identity: int) -> None:
        """Record one node number that is a variant of an identity."""
        self._copied |= 1 << identity
        self._copies |= 1 << number
        self._copies_of[identity] |= 1 << number

    @property
    def copies_by_identity(self) -> list[int]:
        """Principals, outside the ranges, that copy an identity."""
        return list_positions(self._copies)

    def _record_principal_flags(self, actor: CompiledPrincipal, bit: int) -> None:
        """Record a principal's boundary, service link and unreadable policies."""
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
    def all_principals(self) -> int:
        """Bitset of every principal."""
        return build_range(0, len(self.actors))

    def find_holders_of_action_allow(self, action: str) -> int:
        """Return the principals that may hold an allow for an action in lower case."""
        found = self.unread[PolicyLayer.IDENTITY]
        for clause in self.identity.select_statements(action).allows:
            found |= self.identity.actors[clause]
        return found & self.scope

    def include_copies(self, identities: int) -> int:
        """Return identities together with their copies of gained permissions."""
        found = identities
        for start, low, high in self.runs:
            found |= (identities >> low & build_range(0, high - low)) << start
        copied = identities & self._copied
        if copied == self._copied:
            return found | self._copies
        for base in list_positions(copied):
            found |= self._copies_of[base]
        return found

    def replace_copies(self, actors: int) -> int:
        """Return the identities of actors: each copy is replaced by its original."""
        found = actors & build_range(0, self.size)
        for start, low, high in self.runs:
            found |= (actors >> start & build_range(0, high - low)) << low
        for number in list_positions(actors & self._copies):
            found |= 1 << self.base[number]
        return found

    def list_bitset_members_cached(self, actors: int) -> list[int]:
        """List the members of a bitset of principals; cached."""
        found = self._members.get(actors)
        if found is None:
            found = self._members[actors] = list_positions(actors)
        return found

    def clear_member_caches(self) -> None:
        """Clear the caches of member lists and principal groups."""
        self.parted.clear()
        self._members.clear()

    def knows_condition_key(self, key: str) -> bool:
        """Return whether a condition key in lower case is known for any principal."""
        return self.known.knows_condition_key(key)

    def evaluate_condition_line(self, condition: ConditionClause) -> BitsetBounds:
        """Return the principals that surely, or maybe, satisfy a condition."""
        key = condition, len(self.actors)
        found = self._held.get(key)
        if found is None:
            held = self.known.find_members_where(condition)
            sure, maybe = (
                self.include_copies(held.sure),
                self.include_copies(held.maybe),
            )
            found = self._held[key] = BitsetBounds(sure, maybe)
        return found

    def split_principals_by_condition_keys(
        self, keys: Iterable[str]
    ) -> list[PartitionCell]:
        """Split the principals into cells with equal values of condition keys."""
        mine = self.known.split_members_by_condition_keys(keys)
        key = (id(mine), len(self.actors))
        found = self._cells.get(key)
        if found is None:
            found = [
                PartitionCell(self.include_copies(c.members), c.known) for c in mine
            ]
            self._cells[key] = found
        return found


def _select_statements_to_index(actor: CompiledPrincipal) -> Iterable[PolicyStatement]:
    """Return a principal's statements; for an administrator full allow and denies."""
    if actor.extra != ANYTHING:
        return actor.grants
    return (
        grant
        for grant in actor.grants
        if grant.clause is FULL_ACCESS_STATEMENT
        or grant.clause.effect is PolicyEffect.DENY
    )

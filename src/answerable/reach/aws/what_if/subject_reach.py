"""Compute one subject's reach: identities it can become, permission level per row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import is_not

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import (
    NO_VERDICTS,
    VerdictBits,
    build_bitset,
    list_positions,
)
from answerable.reach.aws.bulk.closure import GraphClosure
from answerable.reach.aws.evaluation.single_request import evaluate_action
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import ReachPath, iterate_paths
from answerable.reach.aws.patterns.arn_matching import ANY_ARN, ArnParts
from answerable.reach.aws.patterns.glob_matching import has_no_wildcard
from answerable.reach.aws.patterns.pattern_set_algebra import (
    PatternTerm,
    format_arn_parts,
)
from answerable.reach.aws.permission_rows.row_types import PermissionRow
from answerable.reach.aws.subject_queries import PatternExtent
from answerable.reach.aws.what_if.graph_lookups import GraphLookups, get_levels_from_row
from answerable.reach.aws.what_if.permission_level import (
    NO_PERMISSION_LEVEL,
    PART_RANK,
    UNKNOWN_LEVEL,
    PermissionLevel,
    choose_higher_permission_level,
)
from answerable.reach.condition_formula import TRUE, Verdict

# Most identities whose rows are searched for a pattern; beyond that it is not known.
MAX_SEARCHED_NODES = 64


@dataclass(eq=False, slots=True)
class SubjectReach:
    """Reach of a subject in one of two compared graphs.

    Attributes:
        start: Identity that the subject acts as.
        absent: Whether the subject cannot act as that identity in this graph.
        direct: Whether the subject acts by itself: it becomes no other identity.
        shared: Lookups that this subject shares with others; None for its own.
    """

    graph: IdentityGraph
    start: IdentityId
    absent: bool = False
    direct: bool = False
    shared: GraphLookups | None = None
    lookups: GraphLookups = field(init=False)
    whole: GraphClosure = field(init=False)
    number: int = field(init=False)
    reach: VerdictBits = field(init=False)
    _nodes: list[IdentityNode] | None = None
    _ways: dict[IdentityNode, ReachPath] = field(default_factory=dict)
    _searched: dict[tuple[PatternTerm[str], PatternTerm[ArnParts]], PermissionLevel] = (
        field(default_factory=dict)
    )

    def __post_init__(self) -> None:
        """Look up the identities that the subject can become."""
        self.lookups = self.shared or GraphLookups(self.graph)
        self.whole = self.lookups.whole
        self.number = self.whole.get_or_assign_node_number(
            self.graph.get_start_node(self.start)
        )
        own = 0 if self.absent else 1 << self.number
        if self.absent or self.direct or self.number >= self.whole.size:
            self.reach = VerdictBits(own, own)
        else:
            self.reach = VerdictBits(
                self.whole.sure.beyond[self.number] | own,
                self.whole.some.beyond[self.number] | own,
            )

    def get_verdict_on_identity(self, name: IdentityId) -> Verdict | None:
        """Return the verdict on becoming an identity; None if it is not reached."""
        numbers = self._list_reached_numbers(name)
        if not numbers:
            return None
        sure = any(self.reach.sure >> number & 1 for number in numbers)
        return Verdict.ALWAYS if sure else Verdict.ONLY_IF

    def _list_reached_numbers(self, name: IdentityId) -> list[int]:
        """List the reached nodes of an identity, the subject itself first."""
        some, own = self.reach.some, self.number
        numbers = self.lookups.numbers_by_identity.get(name, ())
        found = [n for n in numbers if some >> n & 1 and n != own]
        if not self.absent and self.whole.get_node_by_number(own).identity == name:
            found.insert(0, own)
        return found

    @property
    def is_outside_closure(self) -> bool:
        """Return whether the subject is a role session, which the closure lacks."""
        return not self.absent and self.number >= self.whole.size

    @property
    def are_assumptions_in_closure(self) -> bool:
        """Return whether the closure says which roles the reached nodes may assume.

        It does not if it lacks a reached node, or if its steps are not the calls: a
        stated key or endpoint policy limits one only.
        """
        accounts = self.graph.accounts
        return not (
            accounts.endpoint is not None
            or accounts.given != accounts.stated_session_keys
            or self.reach.some >> self.whole.size
        )

    def may_assume_other_roles(self, other: "SubjectReach") -> bool:
        """Return whether assumable roles may differ; both closures have the same nodes."""
        if self.reach != other.reach:
            return True
        mine, theirs = self.whole.table.assumed, other.whole.table.assumed
        if mine is theirs:
            return False
        some = self.reach.some
        changed = compress(range(self.whole.size), map(is_not, mine, theirs))
        return any(some >> n & 1 and mine[n] != theirs[n] for n in changed)

    def find_assumable_roles(self) -> VerdictBits:
        """Find the roles that the subject may assume over all paths, by number."""
        unite = self.lookups.unite_assumable_roles
        return VerdictBits(unite(self.reach.sure).sure, unite(self.reach.some).some)

    def list_reached_nodes(
        self, identities: Iterable[IdentityId] | None
    ) -> list[IdentityNode]:
        """List the nodes that the subject reaches, itself first.

        Args:
            identities: Only nodes of these identities; None for all.
        """
        if identities is None:
            if self._nodes is None:
                self._nodes = self._build_nodes(list_positions(self.reach.some))
            return self._nodes
        names = frozenset(identities)
        return self._build_nodes(
            sorted(
                number for name in names for number in self._list_reached_numbers(name)
            )
        )

    def _build_nodes(self, numbers: Sequence[int]) -> list[IdentityNode]:
        """Return the nodes of some numbers, the subject itself first."""
        nodes, own = self.whole.actors.nodes, self.number  # sessions are subjects
        first = [self.whole.get_node_by_number(own)] if own in numbers else []
        return first + [nodes[number] for number in numbers if number != own]

    def choose_reached_node(self, name: IdentityId) -> IdentityNode:
        """Choose a reached node of an identity, an unconditional one if possible."""
        nodes = self.list_reached_nodes([name])
        return min(
            [node for node in nodes if self.is_node_reached_unconditionally(node)]
            or nodes
        )

    def find_shortest_paths(
        self, nodes: Iterable[IdentityNode]
    ) -> dict[IdentityNode, ReachPath]:
        """Return a shortest path to each of some nodes."""
        left = {node for node in nodes if node not in self._ways}
        if not left:
            return self._ways
        ends = build_bitset(
            map(self.whole.get_or_assign_node_number, left), self.whole.node_count
        )
        start = self.graph.get_start_node(self.start)
        for way in iterate_paths(self.graph, start, end_bits=ends):
            if way.target in left:
                self._ways[way.target] = way
                left.discard(way.target)
                if not left:
                    break
        return self._ways

    def is_node_reached_unconditionally(self, node: IdentityNode) -> bool:
        """Return whether a node is reached unconditionally."""
        return bool(self.reach.sure >> self.whole.get_or_assign_node_number(node) & 1)

    def get_permission_level_of_row(
        self, row: PermissionRow, node: IdentityNode | None = None
    ) -> PermissionLevel:
        """Return the permission level of a row, over all paths.

        Args:
            row: The row.
            node: Node that has the row itself, or None.
        """
        key = row.actions, row.resources
        found = self._searched.get(key)
        if found is None:
            found = self._searched[key] = self._compute_permission_level_of_row(row)
        if node is None or (is_row_single_call(row) and self.is_exact_for_single_call):
            return found  # exact for a single call
        return choose_higher_permission_level(
            found, self._get_level_from_overlapping_row(node, row, row)
        )

    @property
    def is_exact_for_single_call(self) -> bool:
        """Return whether a single call is evaluated, not only compared with rows."""
        return self.direct or self.number < self.whole.size

    def _find_direct_callers(self, action: str, resource: str) -> VerdictBits:
        """Find the callers of a single call; of a start outside the closure, itself."""
        accounts = self.graph.accounts
        if self.number < self.whole.size:
            return self.whole.find_direct_callers(action, resource)
        if not accounts.can_action_act_on_resource(action, resource):
            return NO_VERDICTS
        start = self.graph.get_principal(self.graph.get_start_node(self.start))
        formula = evaluate_action(accounts, start, action, resource).formula
        own = 1 << self.number
        return VerdictBits(own if formula == TRUE else 0, own if formula else 0)

    def _compute_permission_level_of_row(self, row: PermissionRow) -> PermissionLevel:
        """Compute the level of a row over all reached nodes."""
        literal = _get_single_call_of_row(row)
        if self.absent:
            return NO_PERMISSION_LEVEL
        if literal and self.is_exact_for_single_call:
            callers = self._find_direct_callers(*literal)
            found = (
                _get_verdict_of_bit(callers, self.number)
                if self.direct
                else self.whole.evaluate_reach_of_targets(self.number, callers)
            )
            return PermissionLevel(
                found, PatternExtent.NONE if found == "never" else PatternExtent.ALL
            )
        nodes = self.list_reached_nodes(None)
        best = NO_PERMISSION_LEVEL
        for node in nodes[:MAX_SEARCHED_NODES]:
            levels = self.lookups.get_levels_of_node(
                node, row, without_roles=_is_part_allowed(best, row)
            )
            sure = self.is_node_reached_unconditionally(node)
            best = choose_higher_permission_level(
                best, levels.unconditional if sure else levels.conditional
            )
            if best.is_whole_pattern_allowed:
                return best
        return (
            best
            if len(nodes) <= MAX_SEARCHED_NODES
            else _replace_denial_by_not_known(best)
        )

    def _get_level_from_overlapping_row(
        self, node: IdentityNode, one: PermissionRow, row: PermissionRow
    ) -> PermissionLevel:
        """Return how far one permission row grants another: all or only part."""
        levels = get_levels_from_row(one, row)
        sure = self.is_node_reached_unconditionally(node)
        return levels.unconditional if sure else levels.conditional


def _is_part_allowed(level: PermissionLevel, row: PermissionRow) -> bool:
    """Return whether a part of a wildcard pattern is allowed: no role can add more."""
    pattern = row.resources.pattern
    several = pattern == ANY_ARN or not all(map(has_no_wildcard, pattern))
    return several and level.permission_rank >= PART_RANK


def is_row_single_call(row: PermissionRow) -> bool:
    """Return whether a row is one action on one resource."""
    return _get_single_call_of_row(row) is not None


def _get_single_call_of_row(row: PermissionRow) -> tuple[str, str] | None:
    """Return a row's (action, resource) if it is a single call, else None."""
    pattern = row.resources.pattern
    if row.actions.excluded or row.resources.excluded or pattern == ANY_ARN:
        return None
    if not has_no_wildcard(row.actions.pattern) or not all(
        map(has_no_wildcard, pattern)
    ):
        return None
    # A name without an account means the caller's own account.
    if len(pattern) != 6 or (not pattern[4] and pattern[2] != "s3"):
        return None
    return row.actions.pattern, format_arn_parts(pattern)


def _get_verdict_of_bit(bits: VerdictBits, number: int) -> Verdict:
    """Return the verdict of one node."""
    if bits.sure >> number & 1:
        return Verdict.ALWAYS
    return Verdict.ONLY_IF if bits.some >> number & 1 else Verdict.NEVER


def _replace_denial_by_not_known(best: PermissionLevel) -> PermissionLevel:
    """Return `not-known` in place of a denial found by an incomplete search."""
    return UNKNOWN_LEVEL if best.verdict is Verdict.NEVER else best

"""Compute one subject's reach: identities it can become, permission level per row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import list_positions
from answerable.reach.aws.bulk.caller_policies import VerdictBits
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.paths.identity_edges import IdentityFilter, IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import ReachPath, iterate_paths
from answerable.reach.aws.patterns.arn_matching import ANY_ARN, ArnParts
from answerable.reach.aws.patterns.glob_matching import has_no_wildcard
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    PatternTerm,
    covers,
    format_arn_parts,
)
from answerable.reach.aws.permission_rows.callable_rows import list_callable_rows
from answerable.reach.aws.permission_rows.row_types import PermissionRow, RowFilter
from answerable.reach.aws.subject_queries import PatternExtent
from answerable.reach.condition_formula import TRUE, Verdict

# Most identities whose rows are searched for a pattern; beyond that it is not known.
MAX_SEARCHED_NODES = 64


_RANK = {Verdict.NEVER: 0, Verdict.NOT_KNOWN: 1, Verdict.ONLY_IF: 2, Verdict.ALWAYS: 3}


@dataclass(frozen=True, slots=True)
class PermissionLevel:
    """Verdict of a subject on a pattern over all paths, and the share it covers.

    Attributes:
        covers: Share of the pattern.
    """

    verdict: Verdict
    covers: PatternExtent

    @property
    def permission_rank(self) -> tuple[int, bool]:
        """Sort key: more permissions are greater."""
        return _RANK[self.verdict], self.covers is PatternExtent.ALL

    @property
    def is_whole_pattern_allowed(self) -> bool:
        """Return whether all of the pattern is allowed without conditions."""
        return self.verdict is Verdict.ALWAYS and self.covers is PatternExtent.ALL


_PART_RANK = PermissionLevel(Verdict.ONLY_IF, PatternExtent.PART).permission_rank
NO_PERMISSION_LEVEL = PermissionLevel(Verdict.NEVER, PatternExtent.NONE)
UNKNOWN_LEVEL = PermissionLevel(Verdict.NOT_KNOWN, PatternExtent.PART)


def build_permission_level(verdict: Verdict | None) -> PermissionLevel:
    """Convert a verdict on one resource to a comparable permission level."""
    return (
        PermissionLevel(verdict, PatternExtent.ALL) if verdict else NO_PERMISSION_LEVEL
    )


@dataclass(eq=False, slots=True)
class SubjectReach:
    """Reach of a subject in one of two compared graphs.

    Attributes:
        start: Identity that the subject acts as.
        absent: Whether the subject cannot act as that identity in this graph.
    """

    graph: IdentityGraph
    start: IdentityId
    absent: bool = False
    whole: GraphClosure = field(init=False)
    number: int = field(init=False)
    reach: VerdictBits = field(init=False)
    _nodes: list[IdentityNode] | None = None
    _places_by_identity: dict[IdentityId, list[int]] | None = None
    _ways: dict[IdentityNode, ReachPath] = field(default_factory=dict)
    _searched: dict[tuple[PatternTerm[str], PatternTerm[ArnParts]], PermissionLevel] = (
        field(default_factory=dict)
    )

    def __post_init__(self) -> None:
        """Look up the identities that the subject can become."""
        self.whole = get_graph_closure(self.graph)
        self.number = self.whole.get_or_assign_node_number(
            self.graph.get_start_node(self.start)
        )
        own = 0 if self.absent else 1 << self.number
        if self.absent or self.number >= self.whole.size:
            self.reach = VerdictBits(own, own)
        else:
            self.reach = VerdictBits(
                self.whole.sure.beyond[self.number] | own,
                self.whole.some.beyond[self.number] | own,
            )

    def list_verdicts_on_identities(self) -> dict[IdentityId, Verdict]:
        """Return the verdict on becoming each reachable identity."""
        found: dict[IdentityId, Verdict] = {}
        for number in list_positions(self.reach.some):
            name = self.whole.get_node_by_number(number).identity
            if self.reach.sure >> number & 1:
                found[name] = Verdict.ALWAYS
            else:
                found.setdefault(name, Verdict.ONLY_IF)
        return found

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
        return mine is not theirs and any(
            mine[number] != theirs[number] for number in list_positions(self.reach.some)
        )

    def find_assumable_roles(self) -> VerdictBits:
        """Find the roles that the subject may assume over all paths, by number."""
        return VerdictBits(
            self._unite_assumable_roles(self.reach.sure, unconditional=True),
            self._unite_assumable_roles(self.reach.some, unconditional=False),
        )

    def _unite_assumable_roles(self, nodes: int, *, unconditional: bool) -> int:
        """Unite the roles that some nodes may assume, as a bitset."""
        assumed = self.whole.table.assumed
        # Many nodes share one row.
        rows = {id(row): row for row in map(assumed.__getitem__, list_positions(nodes))}
        found = 0
        for row in rows.values():
            found |= row.sure if unconditional else row.some
        return found

    def list_reached_nodes(
        self, identities: Iterable[IdentityId] | None
    ) -> list[IdentityNode]:
        """List the nodes that the subject reaches, itself first.

        Args:
            identities: Only nodes of these identities; None for all.
        """
        if self._nodes is None:
            numbers = (n for n in list_positions(self.reach.some) if n != self.number)
            first = () if self.absent else (self.number,)
            self._nodes = [
                self.whole.get_node_by_number(number) for number in (*first, *numbers)
            ]
        if identities is None:
            return self._nodes
        if self._places_by_identity is None:
            self._places_by_identity = {}
            for place, node in enumerate(self._nodes):
                self._places_by_identity.setdefault(node.identity, []).append(place)
        places = [
            place
            for name in frozenset(identities)
            for place in self._places_by_identity.get(name, ())
        ]
        return [self._nodes[place] for place in sorted(places)]

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
        for way in (
            iterate_paths(self.graph, self.graph.get_start_node(self.start))
            if left
            else ()
        ):
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
        if node is None or (is_row_single_call(row) and self.number < self.whole.size):
            return found  # exact for a single call
        return choose_higher_permission_level(
            found, self._get_level_from_overlapping_row(node, row, row)
        )

    def _compute_permission_level_of_row(self, row: PermissionRow) -> PermissionLevel:
        """Compute the level of a row over all reached nodes."""
        literal = _get_single_call_of_row(row)
        if self.absent:
            return NO_PERMISSION_LEVEL
        if literal and self.number < self.whole.size:
            found = self.whole.evaluate_reach_of_targets(
                self.number, self.whole.find_direct_callers(*literal)
            )
            return PermissionLevel(
                found, PatternExtent.NONE if found == "never" else PatternExtent.ALL
            )
        nodes = self.list_reached_nodes(None)
        best = NO_PERMISSION_LEVEL
        for node in nodes[:MAX_SEARCHED_NODES]:
            for one in self._list_overlapping_rows(
                node, row, without_roles=_is_part_allowed(best, row)
            ):
                best = choose_higher_permission_level(
                    best, self._get_level_from_overlapping_row(node, one, row)
                )
                if best.is_whole_pattern_allowed:
                    return best
        return (
            best
            if len(nodes) <= MAX_SEARCHED_NODES
            else _replace_denial_by_not_known(best)
        )

    def _list_overlapping_rows(
        self, node: IdentityNode, row: PermissionRow, *, without_roles: bool
    ) -> Iterator[PermissionRow]:
        """Yield a node's rows that overlap a row; on request no row of one role."""
        wanted = RowFilter(row.actions, row.resources)
        roles: IdentityFilter = frozenset() if without_roles else None
        yield from list_callable_rows(
            self.graph, self.graph.get_principal(node), wanted, roles
        )

    def _get_level_from_overlapping_row(
        self, node: IdentityNode, one: PermissionRow, row: PermissionRow
    ) -> PermissionLevel:
        """Return how far one permission row grants another: all or only part."""
        whole = covers(ACTIONS, one.actions, row.actions) and covers(
            RESOURCES, one.resources, row.resources
        )
        sure = one.formula == TRUE and self.is_node_reached_unconditionally(node)
        word = Verdict.ALWAYS if sure and whole else Verdict.ONLY_IF
        return PermissionLevel(word, PatternExtent.ALL if whole else PatternExtent.PART)


def _is_part_allowed(level: PermissionLevel, row: PermissionRow) -> bool:
    """Return whether a part of a wildcard pattern is allowed: no role can add more."""
    pattern = row.resources.pattern
    several = pattern == ANY_ARN or not all(map(has_no_wildcard, pattern))
    return several and level.permission_rank >= _PART_RANK


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


def choose_higher_permission_level(
    one: PermissionLevel, other: PermissionLevel
) -> PermissionLevel:
    """Return the level that permits more."""
    return max(one, other, key=lambda each: each.permission_rank)


def _replace_denial_by_not_known(best: PermissionLevel) -> PermissionLevel:
    """Return `not-known` in place of a denial found by an incomplete search."""
    return UNKNOWN_LEVEL if best.verdict is Verdict.NEVER else best

"""Lookups of one compared graph, shared by the subjects of a comparison."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import (
    NO_VERDICTS,
    VerdictBits,
    build_bitset,
    list_positions,
)
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.paths.identity_edges import IdentityFilter, IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    covers,
)
from answerable.reach.aws.permission_rows.callable_rows import list_callable_rows
from answerable.reach.aws.permission_rows.row_types import PermissionRow, RowFilter
from answerable.reach.aws.subject_queries import PatternExtent
from answerable.reach.aws.what_if.permission_level import (
    NO_PERMISSION_LEVEL,
    PermissionLevel,
    choose_higher_permission_level,
)
from answerable.reach.condition_formula import TRUE, Verdict

_SHARE_OF_FEW = 8  # up to one node in so many is looked up by itself


class NodeLevels(NamedTuple):
    """Permission levels of a node on a pattern, by how the node is reached."""

    unconditional: PermissionLevel
    conditional: PermissionLevel


_NO_LEVELS = NodeLevels(NO_PERMISSION_LEVEL, NO_PERMISSION_LEVEL)


def get_levels_from_row(one: PermissionRow, row: PermissionRow) -> NodeLevels:
    """Return how far one permission row grants another: all or only part."""
    whole = covers(ACTIONS, one.actions, row.actions) and covers(
        RESOURCES, one.resources, row.resources
    )
    extent = PatternExtent.ALL if whole else PatternExtent.PART
    word = Verdict.ALWAYS if whole and one.formula == TRUE else Verdict.ONLY_IF
    return NodeLevels(
        PermissionLevel(word, extent), PermissionLevel(Verdict.ONLY_IF, extent)
    )


@dataclass(eq=False)
class GraphLookups:
    """Indexes and kept answers of one graph.

    Attributes:
        graph: The graph.
    """

    graph: IdentityGraph
    _levels: dict[object, NodeLevels] = field(default_factory=dict)

    @cached_property
    def whole(self) -> GraphClosure:
        """Closure of the graph."""
        return get_graph_closure(self.graph)

    @cached_property
    def numbers_by_identity(self) -> dict[IdentityId, list[int]]:
        """Numbers of the nodes of each identity, in order; without role sessions."""
        found: dict[IdentityId, list[int]] = {}
        for number, node in enumerate(self.whole.actors.nodes[: self.whole.size]):
            found.setdefault(node.identity, []).append(number)
        return found

    @cached_property
    def _nodes_by_assumable_roles(self) -> list[tuple[VerdictBits, int]]:
        """Pairs of a set of assumable roles and its nodes, as a bitset."""
        groups: dict[int, list[int]] = {}
        rows = list(self.whole.table.assumed)
        for number, row in enumerate(rows):
            groups.setdefault(id(row), []).append(number)
        return [
            (rows[numbers[0]], build_bitset(numbers, len(rows)))
            for numbers in groups.values()
        ]

    def unite_assumable_roles(self, nodes: int) -> VerdictBits:
        """Unite the roles that some nodes may assume; many nodes share one set."""
        if nodes.bit_count() * _SHARE_OF_FEW < self.whole.size:
            few = map(self.whole.table.assumed.__getitem__, list_positions(nodes))
            rows = list({id(row): row for row in few}.values())
        else:
            rows = [
                row
                for row, holders in self._nodes_by_assumable_roles
                if holders & nodes
            ]
        found = NO_VERDICTS
        for row in rows:
            found |= row
        return found

    def get_levels_of_node(
        self, node: IdentityNode, row: PermissionRow, *, without_roles: bool
    ) -> NodeLevels:
        """Return a node's own levels on the pattern of a row; they are kept.

        Args:
            without_roles: Whether rows of single roles are left out.
        """
        key = node, row.actions, row.resources, without_roles
        found = self._levels.get(key)
        if found is None:
            roles: IdentityFilter = frozenset() if without_roles else None
            found = self._levels[key] = self._compute_levels_of_node(node, row, roles)
        return found

    def _compute_levels_of_node(
        self, node: IdentityNode, row: PermissionRow, roles: IdentityFilter
    ) -> NodeLevels:
        """Compute a node's levels from its rows that overlap a row."""
        found = _NO_LEVELS
        principal = self.graph.get_principal(node)
        wanted = RowFilter(row.actions, row.resources)
        for one in list_callable_rows(self.graph, principal, wanted, roles):
            levels = get_levels_from_row(one, row)
            found = NodeLevels(*map(choose_higher_permission_level, found, levels))
            if found.unconditional.is_whole_pattern_allowed:
                break
        return found

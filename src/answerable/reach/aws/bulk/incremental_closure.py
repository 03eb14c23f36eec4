"""Update a transitive closure incrementally after some adjacency rows changed.

Lost edges are removed first, then new edges are added. Most targets of lost edges are
still reached by other paths: a search that finds them again ends early, and no other
row changes.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from answerable.reach.aws.bulk.bitset import build_bitset, list_positions
from answerable.reach.aws.bulk.transitive_closure import (
    TransitiveClosure,
    compute_transitive_closure,
)

_MAX_SEARCHED_NODES = (
    64  # nodes searched one by one; beyond that the closure is computed again
)
_MAX_DISTINCT_GAINS = 256  # distinct gains, or lost nodes, handled one by one; likewise
RowChanges = dict[int, tuple[int, int]]
ReachGroups = list[tuple[int, int]]  # (reached nodes, nodes that reach them)


def update_closure(
    old: TransitiveClosure, row_changes: RowChanges, list_rows: Callable[[], list[int]]
) -> TransitiveClosure:
    """Return the transitive closure after some adjacency rows changed.

    Args:
        old: Closure of the rows before.
        row_changes: By changed node, the row before and the row now.
        list_rows: Lists all rows now; called if edges were lost, or many were added.
    """
    lost: RowChanges = {}
    gains: dict[int, int] = {}
    shared: dict[tuple[int, int], tuple[int, int]] = {}
    for node, (was, now) in row_changes.items():
        key = id(was), id(now)
        if key not in shared:
            shared[key] = was & now, now & ~was
        kept, gain = shared[key]
        if kept != was:
            lost[node] = was, kept
        if gain:
            gains[node] = gain
    fewer = old
    if lost:
        left = list_rows()
        for node, (was, now) in row_changes.items():
            left[node] = shared[id(was), id(now)][0]
        fewer = _EdgeRemoval(old, left, lost).compute_closure_without_edges()
    if not gains:
        return fewer
    return _add_edges_to_closure(fewer, gains) or compute_transitive_closure(
        list_rows()
    )


@dataclass(eq=False, slots=True)
class _EdgeRemoval:
    """Removal of edges from a closed graph.

    Attributes:
        old: Closure before.
        rows: Rows after the removal.
        lossy: Nodes that lost edges, with their rows before and now.
        dirty: These, and all nodes that reached one.
        exact: Recomputed reach of single nodes.
    """

    old: TransitiveClosure
    rows: Sequence[int]
    lossy: RowChanges
    dirty: int = 0
    exact: dict[int, int] = field(default_factory=dict)
    _known: dict[int, int] = field(default_factory=dict)
    _by_row: dict[int, int] = field(default_factory=dict)

    def compute_closure_without_edges(self) -> TransitiveClosure:
        """Recompute the closure only where removed edges can change it."""
        old, rows = self.old, self.rows
        size = len(rows)
        self.dirty = old.find_nodes_reaching(build_bitset(self.lossy, size))
        if all(self._still_reaches_lost_targets(node) for node in self.lossy):
            return old
        if len({id(rows[node]) for node in self.lossy}) > _MAX_SEARCHED_NODES:
            return compute_transitive_closure(rows)
        lost = 0
        for node in self.lossy:
            lost |= old.beyond[node] & ~self._find_all_reached_nodes(node)
        broken = lost & self.dirty
        if (
            broken.bit_count() > _MAX_SEARCHED_NODES
            or lost.bit_count() > _MAX_DISTINCT_GAINS
        ):
            return compute_transitive_closure(rows)
        for node in list_positions(broken):
            self._find_all_reached_nodes(node)
        return self._remove_lost_nodes_from_rows(lost, build_bitset(self.exact, size))

    def _still_reaches_lost_targets(self, start: int) -> bool:
        """Return whether a node still reaches the targets of all its lost edges."""
        was, now = self.lossy[start]
        lost = was & ~now
        return not lost & ~self._search_until_targets_found(start, lost)

    def _find_all_reached_nodes(self, start: int) -> int:
        """Find all nodes that a node still reaches, and record them."""
        row = self.rows[start]
        found = self._by_row.get(id(row))
        if found is None:
            found = self._by_row[id(row)] = self._search_until_targets_found(start)
        self.exact[start] = found
        self._known[found] = self._known.get(found, 0) | 1 << start
        return found

    def _search_until_targets_found(self, start: int, targets: int = -1) -> int:
        """Search the graph from a node until all target nodes are found."""
        rows, beyond, dirty = self.rows, self.old.beyond, self.dirty
        found, done = rows[start], 0
        met = {id(rows[start])}
        while targets & ~found and found & ~done:
            for there, nodes in self._known.items():
                if found & nodes:
                    found, done = found | there, done | there | nodes
            left = found & ~done
            done |= left
            for node in list_positions(left):
                row = rows[node]
                if id(row) in met:
                    continue
                met.add(id(row))
                if dirty >> node & 1:
                    found |= row
                else:
                    found, done = found | beyond[node], done | beyond[node]
                if not targets & ~found:
                    break
        return found

    def _remove_lost_nodes_from_rows(
        self, lost_nodes: int, recomputed: int
    ) -> TransitiveClosure:
        """Remove lost nodes from the rows that no longer reach them.

        Nodes that are not lost stay reached. A lost node stays reached only through a
        node of the core, or by a remaining edge.
        """
        entries = self._map_nodes_to_lost_nodes(lost_nodes, recomputed)
        known = list(self._known.items())
        entered = _group_nodes_by_reach(entries)
        moved: ReachGroups = [(there, 1 << node) for node, there in self.exact.items()]
        for reached, members in self.old.classes:
            mine = members & self.dirty & ~recomputed
            if not mine:
                continue
            rest = reached & ~lost_nodes
            there = _union_reach_of_members(
                _union_reach_of_members(rest, known, rest), entered, rest
            )
            for more, nodes in entered:
                own = mine & nodes
                if own:
                    moved.append((there | more, own))
                    mine ^= own
            moved.append((there, mine))
        return _replace_reach_of_groups(self.old, moved)

    def _map_nodes_to_lost_nodes(
        self, lost_nodes: int, recomputed: int
    ) -> dict[int, int]:
        """Map other nodes to the lost nodes that they reach by an own edge."""
        found: dict[int, int] = {}
        by_row: dict[int, int] = {}
        left_out = set(list_positions(lost_nodes | recomputed))
        for node, row in enumerate(self.rows):
            there = by_row.get(id(row))
            if there is None:
                there = row & lost_nodes
                for other in list_positions(there) if there else ():
                    there |= self.exact.get(other, self.old.beyond[other])
                by_row[id(row)] = there
            if there and node not in left_out:
                found[node] = there
        return found


def _add_edges_to_closure(
    old: TransitiveClosure, new_successors: Mapping[int, int]
) -> TransitiveClosure | None:
    """Return the closure with edges added; None where too many distinct ones are.

    Args:
        old: Closure before.
        new_successors: By node, its new successors.
    """
    beyond, size = old.beyond, len(old.beyond)
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for node, row in new_successors.items():
        alike[id(beyond[node]), row].append(node)
    if len(alike) > _MAX_DISTINCT_GAINS:
        return None
    found: dict[int, int] = {}
    for (_, row), nodes in alike.items():
        left = there = row
        while left:
            node = (left & -left).bit_length() - 1
            there |= beyond[node]
            left &= ~(beyond[node] | 1 << node)
        there |= beyond[nodes[0]]
        found[there] = found.get(there, 0) | build_bitset(nodes, size)
    groups = list(found.items())
    while (
        wider := [(_union_reach_of_members(g, groups, g), who) for g, who in groups]
    ) != groups:
        groups = wider
    moved = list(groups)
    gaining = build_bitset(new_successors, size)
    for reached, members in old.classes:
        there = _union_reach_of_members(reached, groups, reached)
        if there != reached:
            moved.append((there, members & ~gaining))
    return _replace_reach_of_groups(old, moved)


def _group_nodes_by_reach(reached_by_node: Mapping[int, int]) -> ReachGroups:
    """Group nodes that reach the same set of nodes."""
    groups: dict[int, list[int]] = defaultdict(list)
    for node, reached in reached_by_node.items():
        groups[reached].append(node)
    size = max(reached_by_node, default=0) + 1
    return [(reached, build_bitset(nodes, size)) for reached, nodes in groups.items()]


def _union_reach_of_members(reached: int, groups: ReachGroups, members: int) -> int:
    """Return a set of nodes together with the nodes that its members reach."""
    for more, nodes in groups:
        if members & nodes:
            reached |= more
    return reached


def _replace_reach_of_groups(
    old: TransitiveClosure, changed_groups: ReachGroups
) -> TransitiveClosure:
    """Return a closure in which groups of nodes have a new reach."""
    gone = 0
    for _, members in changed_groups:
        gone |= members
    left = ~gone
    beyond = list(old.beyond)
    classes = {r: kept for r, members in old.classes if (kept := members & left)}
    for reached, members in changed_groups:
        if members and reached:
            classes[reached] = classes.get(reached, 0) | members
        for node in list_positions(members):
            beyond[node] = reached
    return TransitiveClosure(tuple(beyond), tuple(classes.items()))

"""Incremental update of a transitive closure after some rows changed.

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
    compute_closure,
)

_MAX_SEARCHED_NODES = (
    64  # nodes searched one by one; beyond that the closure is computed again
)
_MAX_DISTINCT_GAINS = 256  # distinct gains, or lost nodes, handled one by one; likewise
RowChanges = dict[int, tuple[int, int]]
ReachGroups = list[tuple[int, int]]  # (reached nodes, nodes that reach them)


def update_closure(
    old: TransitiveClosure, changes: RowChanges, rows: Callable[[], list[int]]
) -> TransitiveClosure:
    """Return the closure of changed rows, equal to that of `compute_closure`.

    Args:
        old: Closure of the rows before.
        changes: By changed node, the row before and the row now.
        rows: Lists all rows now; called if edges were lost, or many were added.
    """
    lost: RowChanges = {}
    gains: dict[int, int] = {}
    shared: dict[tuple[int, int], tuple[int, int]] = {}
    for node, (was, now) in changes.items():
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
        left = rows()
        for node, (was, now) in changes.items():
            left[node] = shared[id(was), id(now)][0]
        fewer = _EdgeRemoval(old, left, lost).compute()
    if not gains:
        return fewer
    return _add_edges(fewer, gains) or compute_closure(rows())


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

    def compute(self) -> TransitiveClosure:
        """Compute the closure of the remaining rows."""
        old, rows = self.old, self.rows
        size = len(rows)
        self.dirty = old.find_sources(build_bitset(self.lossy, size))
        if all(self._is_still_reached(node) for node in self.lossy):
            return old
        if len({id(rows[node]) for node in self.lossy}) > _MAX_SEARCHED_NODES:
            return compute_closure(rows)
        lost = 0
        for node in self.lossy:
            lost |= old.beyond[node] & ~self._search_all(node)
        broken = lost & self.dirty
        if (
            broken.bit_count() > _MAX_SEARCHED_NODES
            or lost.bit_count() > _MAX_DISTINCT_GAINS
        ):
            return compute_closure(rows)
        for node in list_positions(broken):
            self._search_all(node)
        return self._remove_lost(lost, build_bitset(self.exact, size))

    def _is_still_reached(self, start: int) -> bool:
        """Tell whether a node still reaches the targets of all its lost edges."""
        was, now = self.lossy[start]
        lost = was & ~now
        return not lost & ~self._search(start, lost)

    def _search_all(self, start: int) -> int:
        """Return all nodes that a node still reaches."""
        row = self.rows[start]
        found = self._by_row.get(id(row))
        if found is None:
            found = self._by_row[id(row)] = self._search(start)
        self.exact[start] = found
        self._known[found] = self._known.get(found, 0) | 1 << start
        return found

    def _search(self, start: int, wanted: int = -1) -> int:
        """Search from a node until all wanted nodes are found, or the search ends."""
        rows, beyond, dirty = self.rows, self.old.beyond, self.dirty
        found, done = rows[start], 0
        met = {id(rows[start])}
        while wanted & ~found and found & ~done:
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
                if not wanted & ~found:
                    break
        return found

    def _remove_lost(self, lost: int, core: int) -> TransitiveClosure:
        """Remove lost nodes from the rows that no longer reach them.

        Nodes that are not lost stay reached. A lost node stays reached only through a
        node of the core, or by a remaining edge.
        """
        entries = self._find_entries(lost, core)
        known = list(self._known.items())
        entered = _group_by_reach(entries)
        moved: ReachGroups = [(there, 1 << node) for node, there in self.exact.items()]
        for reached, members in self.old.classes:
            mine = members & self.dirty & ~core
            if not mine:
                continue
            rest = reached & ~lost
            there = _expand_reach(_expand_reach(rest, known, rest), entered, rest)
            for more, nodes in entered:
                own = mine & nodes
                if own:
                    moved.append((there | more, own))
                    mine ^= own
            moved.append((there, mine))
        return _apply_groups(self.old, moved)

    def _find_entries(self, lost: int, core: int) -> dict[int, int]:
        """Map every other node to the lost nodes it reaches by an edge of its own."""
        found: dict[int, int] = {}
        by_row: dict[int, int] = {}
        left_out = set(list_positions(lost | core))
        for node, row in enumerate(self.rows):
            there = by_row.get(id(row))
            if there is None:
                there = row & lost
                for other in list_positions(there) if there else ():
                    there |= self.exact.get(other, self.old.beyond[other])
                by_row[id(row)] = there
            if there and node not in left_out:
                found[node] = there
        return found


def _add_edges(
    old: TransitiveClosure, rows: Mapping[int, int]
) -> TransitiveClosure | None:
    """Add edges; return None where too many distinct ones were added.

    Args:
        old: Closure before.
        rows: By node, its new successors.
    """
    beyond, size = old.beyond, len(old.beyond)
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for node, row in rows.items():
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
        wider := [(_expand_reach(g, groups, g), who) for g, who in groups]
    ) != groups:
        groups = wider
    moved = list(groups)
    gaining = build_bitset(rows, size)
    for reached, members in old.classes:
        there = _expand_reach(reached, groups, reached)
        if there != reached:
            moved.append((there, members & ~gaining))
    return _apply_groups(old, moved)


def _group_by_reach(found: Mapping[int, int]) -> ReachGroups:
    """Group nodes that reach the same set."""
    groups: dict[int, list[int]] = defaultdict(list)
    for node, reached in found.items():
        groups[reached].append(node)
    size = max(found, default=0) + 1
    return [(reached, build_bitset(nodes, size)) for reached, nodes in groups.items()]


def _expand_reach(reached: int, groups: ReachGroups, within: int) -> int:
    """Add the nodes that members of a set reach."""
    for more, nodes in groups:
        if within & nodes:
            reached |= more
    return reached


def _apply_groups(old: TransitiveClosure, moved: ReachGroups) -> TransitiveClosure:
    """Return the closure with new reach for some nodes."""
    gone = 0
    for _, members in moved:
        gone |= members
    left = ~gone
    beyond = list(old.beyond)
    classes = {r: kept for r, members in old.classes if (kept := members & left)}
    for reached, members in moved:
        if members and reached:
            classes[reached] = classes.get(reached, 0) | members
        for node in list_positions(members):
            beyond[node] = reached
    return TransitiveClosure(tuple(beyond), tuple(classes.items()))

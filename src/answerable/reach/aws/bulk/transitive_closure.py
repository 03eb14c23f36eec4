"""Compute the transitive closure of a graph whose adjacency rows are bitsets.

Strongly connected components (Gabow, "Path-based depth-first search for strong and
biconnected components", 2000), then one union per component, successors first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from answerable.reach.aws.bulk.bitset import build_bitset


@dataclass(frozen=True, slots=True)
class TransitiveClosure:
    """Transitive closure of a directed graph.

    Attributes:
        beyond: By node, the nodes it reaches in one step or more, as a bitset.
        classes: Pairs (reached, members): members reach exactly `reached`, never empty.
    """

    beyond: Sequence[int]
    classes: Sequence[tuple[int, int]]

    def find_nodes_reaching(self, targets: int) -> int:
        """Return, as a bitset, all nodes from which a target can be reached."""
        found = targets
        for reached, members in self.classes:
            if reached & targets:
                found |= members
        return found


def compute_transitive_closure(rows: Sequence[int]) -> TransitiveClosure:
    """Compute from one-step edges which nodes each node reaches in any steps.

    Args:
        rows: By node, its successors as a bitset.
    """
    beyond = [0] * len(rows)
    known: dict[int, int] = {}
    for members, nodes in find_components(rows):
        ahead = 0
        for node in nodes:
            ahead |= rows[node]
        around = len(nodes) > 1 or ahead & members
        reached = _union_reach_of_successors(ahead & ~members, beyond, known)
        if around:
            reached |= members
        for node in nodes:
            beyond[node] = reached
    classes: dict[int, list[int]] = {}
    for node, reached in enumerate(beyond):
        if reached:
            classes.setdefault(reached, []).append(node)
    return TransitiveClosure(
        tuple(beyond),
        tuple(
            (reached, build_bitset(ns, len(rows))) for reached, ns in classes.items()
        ),
    )


def _union_reach_of_successors(
    successors: int, reach: Sequence[int], cache: dict[int, int]
) -> int:
    """Unite the nodes that some successors reach; cached."""
    found = cache.get(successors)
    if found is None:
        found = rest = successors
        while rest:
            low = rest & -rest
            there = reach[low.bit_length() - 1]
            found |= there
            rest &= ~(there | low)
        cache[successors] = found
    return found


def find_components(rows: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield strongly connected components, each after those it leads to."""
    unseen = (1 << len(rows)) - 1
    state = _ComponentStack()
    while unseen:
        start = (unseen & -unseen).bit_length() - 1
        unseen ^= 1 << start
        state.push_node(start)
        while state.trail:
            node = state.trail[-1]
            ahead = rows[node] & unseen
            if ahead:
                low = ahead & -ahead
                unseen ^= low
                state.push_node(low.bit_length() - 1)
            else:
                component = state.pop_complete_component(rows[node])
                if component:
                    yield component


class _ComponentStack:
    """Stacks of the depth-first search: its path, and the components still open."""

    def __init__(self) -> None:
        self.trail: list[int] = []  # nodes being searched
        self._held: list[int] = []  # nodes whose component is not closed
        self._parts: list[tuple[int, int, int]] = []  # root, members, start in _held
        self._open = 0

    def push_node(self, node: int) -> None:
        """Push a node as a strongly connected component of its own (Tarjan)."""
        self.trail.append(node)
        self._parts.append((node, 1 << node, len(self._held)))
        self._held.append(node)
        self._open |= 1 << node

    def pop_complete_component(self, row: int) -> tuple[int, list[int]] | None:
        """Pop the last node; return its strongly connected component if complete."""
        node = self.trail.pop()
        root, members, start = self._parts[-1]
        back = row & self._open & ~members
        while back:
            self._parts.pop()
            root, before, start = self._parts.pop()
            members |= before
            self._parts.append((root, members, start))
            back &= ~members
        if root != node:
            return None
        self._parts.pop()
        nodes = self._held[start:]
        del self._held[start:]
        self._open &= ~members
        return members, nodes

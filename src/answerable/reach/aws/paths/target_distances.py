"""Distances to the nearest target of a backward search, measured on demand.

A list of callers shows a few hundred of thousands of nodes: only their paths are
measured. The nodes that reach a target at all come from the closure.
"""

from collections.abc import Sequence
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING

from answerable.reach.aws.bulk.bitset import build_bitset, list_positions
from answerable.reach.aws.paths.identity_edges import IdentityNode

if TYPE_CHECKING:
    from answerable.reach.aws.bulk.closure import GraphClosure

_MOST_NODES = 256  # visited for one node; then all nodes are measured at once


class TargetDistances:
    """Steps from each node to its nearest target.

    Attributes:
        targets: Target nodes, as a bitset.
        reaching: Nodes that are or reach a target, as a bitset.
    """

    def __init__(
        self,
        whole: "GraphClosure",
        targets: int,
        extra_nodes: Sequence[int],
        *,
        unconditional: bool,
    ) -> None:
        """Find the nodes that reach a target.

        Args:
            whole: Closure of the graph.
            targets: Target nodes, as a bitset.
            extra_nodes: Nodes besides those of the closure.
            unconditional: Only unconditional steps count.
        """
        self._whole, self._unconditional = whole, unconditional
        self.targets = targets
        closure = whole.sure if unconditional else whole.some
        self.reaching = closure.find_nodes_reaching(targets)
        self._distances: dict[int, int] = {}
        self._levels: list[int] | None = None
        if extra_nodes:
            self._measure_all_distances(extra_nodes)

    def list_path_to_target(self, number: int) -> list[IdentityNode]:
        """List the nodes from a node that reaches a target to it, both included."""
        whole = self._whole
        trail = [whole.get_node_by_number(number)]
        for distance in reversed(range(self._get_distance(number))):
            ahead = self._select_nodes_at_distance(number, distance)
            number = whole.choose_target_one_step_away(number, ahead)
            trail.append(whole.get_node_by_number(number))
        return trail

    def _select_nodes_at_distance(self, number: int, distance: int) -> int:
        """Return the next nodes that have a distance to a target, as a bitset."""
        near = self._get_next_nodes(number)
        if distance == 0:
            return near & self.targets
        near &= self.reaching & ~self.targets
        if self._levels is None and near.bit_count() > _MOST_NODES:
            self._measure_all_distances()
        if self._levels is not None:
            return near & self._levels[distance]
        found = [n for n in list_positions(near) if self._get_distance(n) == distance]
        return build_bitset(found, self._whole.node_count)

    def _get_distance(self, number: int) -> int:
        """Return the steps from a node that reaches a target."""
        found = self._distances.get(number)
        if found is None:
            found = self._measure_distance(number)
            if found is None:
                self._measure_all_distances()
                found = self._distances[number]
            self._distances[number] = found
        return found

    def _measure_distance(self, number: int) -> int | None:
        """Measure the distance of one node, breadth first from it.

        Returns:
            The distance, None if too many nodes are to be visited.
        """
        front, seen, distance = 1 << number, 0, 0
        while front and (seen | front).bit_count() <= _MOST_NODES:
            if front & self.targets:
                return distance
            seen |= front
            near = list_positions(front)
            distance += 1
            if any(map(self._is_next_to_target, near)):
                return distance
            front = 0
            for each in near:
                front |= self._get_next_nodes(each)
            front &= self.reaching & ~seen
        return None

    def _is_next_to_target(self, number: int) -> bool:
        """Return whether one step leads from a node to a target."""
        return self._is_next_to(number, self.targets)

    def _is_next_to(self, number: int, nodes: int) -> bool:
        """Return whether one step leads from a node to some of the others."""
        return self._whole.is_next_to(number, nodes, unconditional=self._unconditional)

    def _get_next_nodes(self, number: int) -> int:
        """Return the nodes one step from a node, as a bitset."""
        row = self._whole.get_next_nodes(number)
        return row.sure if self._unconditional else row.some

    def _measure_all_distances(self, extra_nodes: Sequence[int] = ()) -> None:
        """Measure the distance of each node, breadth first from the targets."""
        left = list_positions(self.reaching & ~self.targets)
        left += [n for n in extra_nodes if not self.reaching >> n & 1]
        levels: list[int] = []
        reached = list_positions(self.targets)
        front = self.targets
        while front:
            self._distances.update(dict.fromkeys(reached, len(levels)))
            levels.append(front)
            near = [self._is_next_to(number, front) for number in left]
            left, reached = (
                list(compress(left, map(not_, near))),
                list(compress(left, near)),
            )
            front = build_bitset(reached, self._whole.node_count)
            self.reaching |= front
        self._levels = levels

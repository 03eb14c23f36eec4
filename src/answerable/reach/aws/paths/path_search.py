"""Search the identity graph forward and backward for shortest paths."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, NamedTuple

from answerable.model.ids import IdentityId
from answerable.reach.aws.paths.identity_edges import (
    IdentityEdge,
    IdentityNode,
    is_not_yet_created,
    mark_arn_as_not_yet_created,
)
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import TRUE, Formula, conjoin_hops
from answerable.reach.platform import PathHop

if TYPE_CHECKING:
    from answerable.reach.aws.bulk.bitset import VerdictBits
    from answerable.reach.aws.bulk.closure import GraphClosure


@dataclass(eq=False, slots=True)
class ReachPath:
    """Path to a node; its steps are evaluated on demand.

    Attributes:
        nodes: Nodes of the path, the start first.
        certain: Whether no step has a condition.
    """

    graph: IdentityGraph
    nodes: tuple[IdentityNode, ...]
    certain: bool = True
    _edges: tuple[tuple[IdentityNode, IdentityEdge], ...] | None = None

    @property
    def target(self) -> IdentityNode:
        """Return the identity node that the path ends at."""
        return self.nodes[-1]

    @property
    def step_count(self) -> int:
        """Return the number of steps."""
        return len(self.nodes) - 1

    @property
    def edges(self) -> tuple[tuple[IdentityNode, IdentityEdge], ...]:
        """Return pairs (origin, edge), first step first; empty for the start."""
        if self._edges is None:
            pairs = zip(self.nodes, self.nodes[1:], strict=False)
            self._edges = tuple(
                (origin, self._find_edge_between(origin, to)) for origin, to in pairs
            )
        return self._edges

    def _find_edge_between(
        self, origin: IdentityNode, target: IdentityNode
    ) -> IdentityEdge:
        """Return the graph's edge between two nodes of the path."""
        edge = self.graph.find_best_edge(origin, target)
        assert edge is not None, (origin, target)  # noqa: S101 - in the closure
        return edge

    @property
    def formula(self) -> Formula:
        """Return the conjunction of the conditions of all steps."""
        if self.certain:
            return TRUE
        return conjoin_hops(*(edge.formula for _, edge in self.edges))

    @property
    def hops(self) -> tuple[PathHop, ...]:
        """Return the steps as an answer prints them."""
        found: list[PathHop] = []
        origin: str = self.nodes[0].identity
        for _, edge in self.edges:
            to = _get_printed_target_of_step(edge)
            found.append(PathHop(origin, edge.via, to, edge.formula, edge.determining))
            origin = to
        return tuple(found)


def _get_printed_target_of_step(edge: IdentityEdge) -> str:
    """Return the id that a step leads to, with the name of a new identity."""
    made = edge.new_name and is_not_yet_created(edge.to.identity)
    return mark_arn_as_not_yet_created(edge.new_name) if made else edge.to.identity


def iterate_paths(
    graph: IdentityGraph,
    start: IdentityNode,
    *,
    end_bits: int | None = None,
    stop_bits: int = 0,
) -> Iterator[ReachPath]:
    """Yield paths to the start and every reachable node, nearest first.

    Unconditional paths come first, so that a node that has one comes with it; then
    paths over all steps.

    Args:
        graph: The graph.
        start: The start.
        end_bits: Bitset of nodes to yield besides the start; all by default.
        stop_bits: Bitset of nodes whose edges are not followed.
    """
    from answerable.reach.aws.bulk.closure import get_graph_closure

    whole = get_graph_closure(graph)
    first = whole.get_or_assign_node_number(start)
    ends = -1 if end_bits is None else end_bits
    certain: _Predecessors = {}
    steps = _StepFilter(stop_bits, ends, unconditional=True)
    for number in _search_forward(whole, first, certain, steps):
        if number == first or ends >> number & 1:
            yield ReachPath(
                graph,
                tuple(reversed(_list_nodes_on_found_path(whole, certain, number))),
            )
    every: _Predecessors = {}
    steps = _StepFilter(stop_bits, ends, unconditional=False)
    for number in _search_forward(whole, first, every, steps):
        if number not in certain and ends >> number & 1:
            trail = tuple(reversed(_list_nodes_on_found_path(whole, every, number)))
            yield ReachPath(graph, trail, certain=False)


def list_reachable_identities(
    graph: IdentityGraph, start: IdentityNode
) -> tuple[IdentityId, ...]:
    """List the identities that a node can become, nearest first, without its own."""
    from answerable.reach.aws.bulk.closure import get_graph_closure

    whole = get_graph_closure(graph)
    first = whole.get_or_assign_node_number(start)
    numbers = _search_forward(whole, first, {}, _StepFilter(unconditional=False))
    names = (whole.get_node_by_number(number).identity for number in numbers)
    return tuple(dict.fromkeys(name for name in names if name != start.identity))


_Predecessors = dict[int, int | None]


class _StepFilter(NamedTuple):
    """Steps that a forward search follows.

    Attributes:
        stop: Bitset of nodes whose steps are not followed.
        ends: Bitset of nodes that the search is for; -1 for all. Nodes that lead to
            none of them are left out.
        unconditional: Whether conditional steps are left out.
    """

    stop: int = 0
    ends: int = -1
    unconditional: bool = False

    def find_useful_nodes(self, graph_closure: "GraphClosure") -> int:
        """Return the nodes from which an end can be reached, as a bitset."""
        if self.ends == -1:
            return -1
        closure = graph_closure.sure if self.unconditional else graph_closure.some
        sessions = -1 << graph_closure.size  # the closure does not hold them
        return closure.find_nodes_reaching(self.ends) | sessions


def _search_forward(
    graph_closure: "GraphClosure",
    start: int,
    predecessors: _Predecessors,
    steps: _StepFilter,
) -> Iterator[int]:
    """Yield the nodes reachable from a start, breadth first, recording origins."""
    predecessors[start] = None
    left: int | None = None
    waiting = deque([start])
    while waiting:
        number = waiting.popleft()
        yield number
        if steps.stop >> number & 1:
            continue
        row = graph_closure.get_next_nodes(number)
        new = row.sure if steps.unconditional else row.some
        if new and left is None:
            left = steps.find_useful_nodes(graph_closure) & ~(1 << start)
        new &= left or 0
        if new:
            left = (left or 0) & ~new
            for to in graph_closure.list_targets_one_step_away(number, new):
                predecessors[to] = number
                waiting.append(to)


def _list_nodes_on_found_path(
    graph_closure: "GraphClosure", predecessors: _Predecessors, number: int
) -> list[IdentityNode]:
    """Return the nodes from the search's end to one node, as recorded."""
    trail = []
    step: int | None = number
    while step is not None:
        trail.append(graph_closure.get_node_by_number(step))
        step = predecessors[step]
    return trail


@dataclass(eq=False, slots=True)
class _TargetDistances:
    """Steps from each node to its nearest target; the next step is chosen on demand.

    Attributes:
        whole: Closure of the graph.
        unconditional: Only unconditional steps count.
        levels: By distance, the nodes at it, as a bitset.
        distances: Distance of each node that reaches a target.
    """

    whole: "GraphClosure"
    unconditional: bool
    levels: list[int] = field(default_factory=list)
    distances: dict[int, int] = field(default_factory=dict)

    def measure_distances_to_targets(
        self, targets: int, extra_nodes: Iterable[int]
    ) -> None:
        """Measure the distance of each node, breadth first from the targets."""
        from answerable.reach.aws.bulk.bitset import build_bitset, list_positions

        closure = self.whole.sure if self.unconditional else self.whole.some
        sources = closure.find_nodes_reaching(targets) & ~targets
        left = list_positions(sources)
        left += [n for n in extra_nodes if not (targets | sources) >> n & 1]
        reached = list_positions(targets)
        front = targets
        while front:
            self.distances.update(dict.fromkeys(reached, len(self.levels)))
            self.levels.append(front)
            near = [
                self.whole.is_next_to(number, front, unconditional=self.unconditional)
                for number in left
            ]
            left, reached = (
                list(compress(left, map(not_, near))),
                list(compress(left, near)),
            )
            front = build_bitset(reached, self.whole.node_count)

    def list_path_to_target(self, number: int) -> list[IdentityNode]:
        """List the nodes from one node to its target, both included."""
        whole = self.whole
        trail = [whole.get_node_by_number(number)]
        for level in reversed(self.levels[: self.distances[number]]):
            ahead = self._get_nodes_one_step_away(number) & level
            number = whole.choose_target_one_step_away(number, ahead)
            trail.append(whole.get_node_by_number(number))
        return trail

    def _get_nodes_one_step_away(self, number: int) -> int:
        """Return the nodes one step from a node, as a bitset."""
        row = self.whole.get_next_nodes(number)
        return row.sure if self.unconditional else row.some


@dataclass(eq=False, slots=True)
class BackwardSearch:
    """Result of a backward search: the nodes that reach a target, and their paths.

    Attributes:
        graph: The graph.
        whole: Its closure.
    """

    graph: IdentityGraph
    whole: "GraphClosure"
    _sure: _TargetDistances
    _some: _TargetDistances

    def list_nodes_reaching_target(self) -> Iterator[tuple[int, bool, int]]:
        """List the identities from which the searched target can be reached.

        Yields:
            Number of each node, whether its path is unconditional, and its steps.
        """
        sure = self._sure.distances
        for number, steps in sure.items():
            yield number, True, steps
        for number, steps in self._some.distances.items():
            if number not in sure:
                yield number, False, steps

    def measure_path_to_target(self, node: IdentityNode) -> tuple[bool, int] | None:
        """Return whether a node's path is unconditional, and its steps; None if none."""
        number = self.whole.get_or_assign_node_number(node)
        for found in (self._sure, self._some):
            if number in found.distances:
                return found is self._sure, found.distances[number]
        return None

    def find_path_to_target(self, node: IdentityNode) -> ReachPath | None:
        """Return the path from a node to its target; None where there is none."""
        number = self.whole.get_or_assign_node_number(node)
        for found in (self._sure, self._some):
            if number in found.distances:
                trail = tuple(found.list_path_to_target(number))
                return ReachPath(self.graph, trail, found is self._sure)
        return None


def search_backward_from_targets(
    graph: IdentityGraph, starts: Iterable[IdentityNode], targets: "VerdictBits"
) -> BackwardSearch:
    """Search backward from every target node for the nodes that reach it.

    Args:
        graph: The graph.
        starts: Start nodes besides the actors of the graph.
        targets: Target nodes, unconditional and conditional.
    """
    from answerable.reach.aws.bulk.closure import get_graph_closure

    whole = get_graph_closure(graph)
    loose = [
        number
        for node in starts
        if (number := whole.get_or_assign_node_number(node)) >= whole.size
    ]
    sure = _TargetDistances(whole, unconditional=True)
    sure.measure_distances_to_targets(targets.sure, loose)
    some = _TargetDistances(whole, unconditional=False)
    some.measure_distances_to_targets(targets.some, loose)
    return BackwardSearch(graph, whole, sure, some)

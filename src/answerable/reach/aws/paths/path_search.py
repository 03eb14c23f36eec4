"""Search the identity graph forward and backward for shortest paths."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
    from answerable.reach.aws.paths.target_distances import TargetDistances


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
class BackwardSearch:
    """Result of a backward search: the nodes that reach a target, and their paths.

    Attributes:
        graph: The graph.
        whole: Its closure.
    """

    graph: IdentityGraph
    whole: "GraphClosure"
    _sure: "TargetDistances"
    _some: "TargetDistances"

    def list_nodes_reaching_target(self) -> Iterator[tuple[int, bool, bool]]:
        """List the identities from which the searched target can be reached.

        Yields:
            Number of each node, whether its path is unconditional, and whether it has
            a step.
        """
        from answerable.reach.aws.bulk.bitset import list_positions

        sure, some = self._sure, self._some
        for number in list_positions(sure.reaching):
            yield number, True, not sure.targets >> number & 1
        for number in list_positions(some.reaching & ~sure.reaching):
            yield number, False, not some.targets >> number & 1

    def measure_path_to_target(self, node: IdentityNode) -> tuple[bool, bool] | None:
        """Return whether a node's path is unconditional, and whether it has a step.

        None if there is no path.
        """
        number = self.whole.get_or_assign_node_number(node)
        for found in (self._sure, self._some):
            if found.reaching >> number & 1:
                return found is self._sure, not found.targets >> number & 1
        return None

    def find_path_to_target(self, node: IdentityNode) -> ReachPath | None:
        """Return the path from a node to its target; None where there is none."""
        number = self.whole.get_or_assign_node_number(node)
        for found in (self._sure, self._some):
            if found.reaching >> number & 1:
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
    from answerable.reach.aws.paths.target_distances import TargetDistances

    whole = get_graph_closure(graph)
    loose = [
        number
        for node in starts
        if (number := whole.get_or_assign_node_number(node)) >= whole.size
    ]
    sure = TargetDistances(whole, targets.sure, loose, unconditional=True)
    some = TargetDistances(whole, targets.some, loose, unconditional=False)
    return BackwardSearch(graph, whole, sure, some)

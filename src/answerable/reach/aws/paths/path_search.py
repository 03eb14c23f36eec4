"""Search the identity graph forward and backward for shortest paths."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import list_positions
from answerable.reach.aws.bulk.caller_policies import VerdictBits
from answerable.reach.aws.bulk.closure import GraphClosure, get_closure
from answerable.reach.aws.evaluation.request import DeterminingStatement
from answerable.reach.aws.paths.identity_creation import (
    is_not_yet_created,
    mark_not_yet_created,
)
from answerable.reach.aws.paths.identity_edges import IdentityEdge, IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.formula import TRUE, Formula, conjoin_hops


@dataclass(frozen=True, slots=True)
class PathHop:
    """Step of a path, in the terms of the document.

    Attributes:
        origin: Id it starts from.
        via: Calls that take the step.
        to: Id it leads to.
        formula: Condition of the step.
        determining: Determining statements.
    """

    origin: str
    via: str
    to: str
    formula: Formula
    determining: tuple[DeterminingStatement, ...]


@dataclass(eq=False, slots=True)
class ReachPath:
    """Path to a node; its steps are evaluated on demand.

    Attributes:
        trail: Nodes of the path, the start first.
        certain: Whether no step has a condition.
    """

    graph: IdentityGraph
    nodes: tuple[IdentityNode, ...]
    certain: bool = True
    _edges: tuple[tuple[IdentityNode, IdentityEdge], ...] | None = None

    @property
    def target(self) -> IdentityNode:
        """Return the last node of the path."""
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
                (origin, self._find_edge(origin, to)) for origin, to in pairs
            )
        return self._edges

    def _find_edge(self, origin: IdentityNode, target: IdentityNode) -> IdentityEdge:
        """Return the graph's edge between two nodes of the path."""
        edge = self.graph.find_edge(origin, target)
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
            to = _get_step_target_id(edge)
            found.append(PathHop(origin, edge.via, to, edge.formula, edge.determining))
            origin = to
        return tuple(found)


def _get_step_target_id(edge: IdentityEdge) -> str:
    """Return the id that a step leads to, with the name of a new identity."""
    made = edge.new_name and is_not_yet_created(edge.to.identity)
    return mark_not_yet_created(edge.new_name) if made else edge.to.identity


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
    whole = get_closure(graph)
    first = whole.get_node_number(start)
    wanted = -1 if end_bits is None else end_bits | 1 << first
    certain: _Predecessors = {}
    for number in _search_forward(whole, first, certain, stop_bits, unconditional=True):
        if wanted >> number & 1:
            yield ReachPath(
                graph, tuple(reversed(_follow_predecessors(whole, certain, number)))
            )
    every: _Predecessors = {}
    for number in _search_forward(whole, first, every, stop_bits, unconditional=False):
        if number not in certain and wanted >> number & 1:
            trail = tuple(reversed(_follow_predecessors(whole, every, number)))
            yield ReachPath(graph, trail, certain=False)


def list_reachable_identities(
    graph: IdentityGraph, start: IdentityNode
) -> tuple[IdentityId, ...]:
    """List the identities that a node can become, nearest first, without its own."""
    whole = get_closure(graph)
    numbers = _search_forward(
        whole, whole.get_node_number(start), {}, 0, unconditional=False
    )
    names = (whole.get_node(number).identity for number in numbers)
    return tuple(dict.fromkeys(name for name in names if name != start.identity))


_Predecessors = dict[int, int | None]


def _search_forward(
    graph_closure: GraphClosure,
    start: int,
    predecessors: _Predecessors,
    stop_bits: int,
    *,
    unconditional: bool,
) -> Iterator[int]:
    """Yield the nodes reachable from a start, breadth first, recording origins."""
    predecessors[start] = None
    seen = 1 << start
    waiting = deque([start])
    while waiting:
        number = waiting.popleft()
        yield number
        if stop_bits >> number & 1:
            continue
        row = graph_closure.get_next_nodes(number)
        new = (row.sure if unconditional else row.some) & ~seen
        seen |= new
        for to in graph_closure.list_next_targets(number, new) if new else ():
            predecessors[to] = number
            waiting.append(to)


def _follow_predecessors(
    graph_closure: GraphClosure, predecessors: _Predecessors, number: int
) -> list[IdentityNode]:
    """Return the nodes from the search's end to one node, as recorded."""
    trail = []
    step: int | None = number
    while step is not None:
        trail.append(graph_closure.get_node(step))
        step = predecessors[step]
    return trail


@dataclass(eq=False, slots=True)
class BackwardSearch:
    """Result of a backward search: by node, the next node towards a target."""

    graph: IdentityGraph
    whole: GraphClosure
    _sure: _Predecessors = field(default_factory=dict)
    _some: _Predecessors = field(default_factory=dict)

    def list_nodes(self) -> Iterator[IdentityNode]:
        """List the nodes that reach a target."""
        return map(self.whole.get_node, {**self._some, **self._sure})

    def find_path(self, node: IdentityNode) -> ReachPath | None:
        """Return the path from a node to its target; None where there is none."""
        whole = self.whole
        number = whole.get_node_number(node)
        steps = self._sure if number in self._sure else self._some
        if number not in steps:
            return None
        trail = tuple(_follow_predecessors(whole, steps, number))
        return ReachPath(self.graph, trail, steps is self._sure)


def search_backward(
    graph: IdentityGraph, starts: Iterable[IdentityNode], targets: VerdictBits
) -> BackwardSearch:
    """Search backward from every target node for the nodes that reach it.

    Args:
        graph: The graph.
        starts: Start nodes besides the actors of the graph.
        targets: Target nodes, unconditional and conditional.
    """
    whole = get_closure(graph)
    loose = [
        number
        for node in starts
        if (number := whole.get_node_number(node)) >= whole.size
    ]
    found = BackwardSearch(graph, whole)
    _record_next_steps(whole, targets.sure, loose, found._sure, unconditional=True)
    _record_next_steps(whole, targets.some, loose, found._some, unconditional=False)
    return found


def _record_next_steps(
    graph_closure: GraphClosure,
    targets: int,
    extra_nodes: Iterable[int],
    predecessors: _Predecessors,
    *,
    unconditional: bool,
) -> None:
    """Record each node's next step to a target, breadth first from targets."""
    predecessors.update(dict.fromkeys(list_positions(targets)))
    closure = graph_closure.sure if unconditional else graph_closure.some
    left = dict.fromkeys(list_positions(closure.find_sources(targets) & ~targets))
    left.update(
        dict.fromkeys(number for number in extra_nodes if number not in predecessors)
    )
    front = targets
    while front and left:
        new = []
        for number in left:
            row = graph_closure.get_next_nodes(number)
            ahead = (row.sure if unconditional else row.some) & front
            if ahead:
                predecessors[number] = graph_closure.choose_next_target(number, ahead)
                new.append(number)
        front = 0
        for number in new:
            del left[number]
            front |= 1 << number

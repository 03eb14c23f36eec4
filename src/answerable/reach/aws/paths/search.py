"""Search for the identities a principal can become, with a shortest path to each."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import positions
from answerable.reach.aws.bulk.caller_side import Verdicts
from answerable.reach.aws.bulk.closure import Whole, whole_of
from answerable.reach.aws.evaluation.request import Determining
from answerable.reach.aws.paths.created_identities import is_made, to_be_made
from answerable.reach.aws.paths.edges import Edge, Node
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.formula import TRUE, Formula, chained


@dataclass(frozen=True, slots=True)
class Hop:
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
    determining: tuple[Determining, ...]


@dataclass(eq=False, slots=True)
class Reached:
    """Path to a node; its steps are evaluated on demand.

    Attributes:
        trail: Nodes of the path, the start first.
        certain: Whether no step has a condition.
    """

    graph: Graph
    trail: tuple[Node, ...]
    certain: bool = True
    _edges: tuple[tuple[Node, Edge], ...] | None = None

    @property
    def node(self) -> Node:
        """Last node of the path."""
        return self.trail[-1]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.trail) - 1

    @property
    def edges(self) -> tuple[tuple[Node, Edge], ...]:
        """Pairs (origin, edge), first step first; empty for the start."""
        if self._edges is None:
            pairs = zip(self.trail, self.trail[1:], strict=False)
            self._edges = tuple(
                (origin, self._edge(origin, to)) for origin, to in pairs
            )
        return self._edges

    def _edge(self, origin: Node, to: Node) -> Edge:
        edge = self.graph.edge(origin, to)
        assert edge is not None, (origin, to)  # noqa: S101 - the closure holds the edge
        return edge

    @property
    def formula(self) -> Formula:
        """Conjunction of the conditions of all steps."""
        if self.certain:
            return TRUE
        return chained(*(edge.formula for _, edge in self.edges))

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Steps in the terms of the document."""
        found: list[Hop] = []
        origin: str = self.trail[0].identity
        for _, edge in self.edges:
            to = _name_of(edge)
            found.append(Hop(origin, edge.via, to, edge.formula, edge.determining))
            origin = to
        return tuple(found)


def _name_of(edge: Edge) -> str:
    """Return the id that a step leads to; of a new identity with an allowed name."""
    made = edge.new_name and is_made(edge.to.identity)
    return to_be_made(edge.new_name) if made else edge.to.identity


def reached(
    graph: Graph, start: Node, *, ends: int | None = None, stops: int = 0
) -> Iterator[Reached]:
    """Yield paths to the start and every reachable node, nearest first.

    Unconditional paths come first, so that a node that has one comes with it; then
    paths over all steps.

    Args:
        graph: The graph.
        start: The start.
        ends: Bitset of nodes to yield besides the start; all by default.
        stops: Bitset of nodes whose edges are not followed.
    """
    whole = whole_of(graph)
    first = whole.number(start)
    wanted = -1 if ends is None else ends | 1 << first
    certain: _Before = {}
    for number in _search(whole, first, certain, stops, sure=True):
        if wanted >> number & 1:
            yield Reached(graph, tuple(reversed(_trail(whole, certain, number))))
    every: _Before = {}
    for number in _search(whole, first, every, stops, sure=False):
        if number not in certain and wanted >> number & 1:
            trail = tuple(reversed(_trail(whole, every, number)))
            yield Reached(graph, trail, certain=False)


def becoming(graph: Graph, start: Node) -> tuple[IdentityId, ...]:
    """List the identities that a node can become, nearest first, without its own."""
    whole = whole_of(graph)
    numbers = _search(whole, whole.number(start), {}, 0, sure=False)
    names = (whole.node(number).identity for number in numbers)
    return tuple(dict.fromkeys(name for name in names if name != start.identity))


_Before = dict[int, int | None]


def _search(
    whole: Whole, start: int, before: _Before, stops: int, *, sure: bool
) -> Iterator[int]:
    before[start] = None
    seen = 1 << start
    waiting = deque([start])
    while waiting:
        number = waiting.popleft()
        yield number
        if stops >> number & 1:
            continue
        row = whole.steps(number)
        new = (row.sure if sure else row.some) & ~seen
        seen |= new
        for to in whole.ordered(number, new) if new else ():
            before[to] = number
            waiting.append(to)


def _trail(whole: Whole, steps: _Before, number: int) -> list[Node]:
    """Follow the recorded nodes from one node to the end of the search."""
    trail = []
    step: int | None = number
    while step is not None:
        trail.append(whole.node(step))
        step = steps[step]
    return trail


@dataclass(eq=False, slots=True)
class Towards:
    """Result of a backward search: by node, the next node towards a target."""

    graph: Graph
    whole: Whole
    _sure: _Before = field(default_factory=dict)
    _some: _Before = field(default_factory=dict)

    def nodes(self) -> Iterator[Node]:
        """List the nodes that reach a target."""
        return map(self.whole.node, {**self._some, **self._sure})

    def way(self, node: Node) -> Reached | None:
        """Return the path from a node to its target; None where there is none."""
        whole = self.whole
        number = whole.number(node)
        steps = self._sure if number in self._sure else self._some
        if number not in steps:
            return None
        trail = tuple(_trail(whole, steps, number))
        return Reached(self.graph, trail, steps is self._sure)


def towards(graph: Graph, starts: Iterable[Node], goals: Verdicts) -> Towards:
    """Search backward from every target node.

    Args:
        graph: The graph.
        starts: Start nodes besides the actors of the graph.
        goals: Target nodes, unconditional and conditional.
    """
    whole = whole_of(graph)
    loose = [number for node in starts if (number := whole.number(node)) >= whole.size]
    found = Towards(graph, whole)
    _backwards(whole, goals.sure, loose, found._sure, sure=True)
    _backwards(whole, goals.some, loose, found._some, sure=False)
    return found


def _backwards(
    whole: Whole, goals: int, loose: Iterable[int], steps: _Before, *, sure: bool
) -> None:
    """Record the next step of each node, by breadth-first rounds from the targets."""
    steps.update(dict.fromkeys(positions(goals)))
    closure = whole.sure if sure else whole.some
    left = dict.fromkeys(positions(closure.towards(goals) & ~goals))
    left.update(dict.fromkeys(number for number in loose if number not in steps))
    front = goals
    while front and left:
        new = []
        for number in left:
            row = whole.steps(number)
            ahead = (row.sure if sure else row.some) & front
            if ahead:
                steps[number] = whole.first(number, ahead)
                new.append(number)
        front = 0
        for number in new:
            del left[number]
            front |= 1 << number

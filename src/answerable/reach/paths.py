"""Which identities a principal can become, with a shortest explained path to each."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from answerable.reach.formula import TRUE, Formula, Verdict, chained
from answerable.reach.graph import Graph
from answerable.reach.request import Determining
from answerable.reach.steps import HUB, Edge, Node


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a path, in the document's words.

    Attributes:
        origin: Id it starts from.
        via: The calls that make it.
        to: Id it leads to.
        formula: When.
        determining: The statements that decided.
    """

    origin: str
    via: str
    to: str
    formula: Formula
    determining: tuple[Determining, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """A node with the path that leads there.

    Attributes:
        node: Where.
        edges: Pairs (origin, edge), first step first; empty for the start.
        formula: The conjunction of the path's conditions.
    """

    node: Node
    edges: tuple[tuple[Node, Edge], ...]
    formula: Formula

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The path in the document's words."""
        hops: list[Hop] = []
        entering: tuple[Node, Edge] | None = None
        for origin, edge in self.edges:
            if edge.to.extra == HUB:
                entering = (origin, edge)
                continue
            determining = edge.determining
            if entering:
                origin, determining = entering[0], entering[1].determining
                entering = None
            to = edge.to.identity
            hops.append(Hop(origin.identity, edge.via, to, edge.formula, determining))
        return tuple(hops)


def reached(graph: Graph, start: Node) -> Iterator[Reached]:
    """Yield the start, then every node that can be reached, nearest first.

    First along steps without conditions, so that a node that can be reached for sure
    comes with such a path; then along all steps.
    """
    sure = _search(graph, start, lambda edge: edge.formula == TRUE)
    for node in sure:
        if node.extra == HUB:
            continue
        yield Reached(node, _path(sure, node), TRUE)
    every = _search(graph, start, lambda edge: True)
    for node in every:
        if node not in sure and node.extra != HUB:
            edges = _path(every, node)
            yield Reached(node, edges, chained(*(e.formula for _, e in edges)))


_Steps = dict[Node, tuple[Node, Edge] | None]


def _search(graph: Graph, start: Node, wanted: Callable[[Edge], bool]) -> _Steps:
    before: _Steps = {start: None}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for edge in graph.edges(node):
            if edge.to not in before and wanted(edge):
                before[edge.to] = (node, edge)
                waiting.append(edge.to)
    return before


def _path(before: _Steps, node: Node) -> tuple[tuple[Node, Edge], ...]:
    steps: list[tuple[Node, Edge]] = []
    step = before[node]
    while step is not None:
        steps.append(step)
        step = before[step[0]]
    return tuple(reversed(steps))


@dataclass(frozen=True, slots=True)
class Towards:
    """For every node that leads to some goal: the next step, or None at the goal.

    Attributes:
        sure: Along steps without conditions to goals that hold for sure.
        maybe: Along any steps to any goal.
    """

    sure: Mapping[Node, Edge | None]
    maybe: Mapping[Node, Edge | None]

    def way(self, node: Node) -> Reached | None:
        """Return the path from a node to its goal; None when there is none."""
        steps = self.sure if node in self.sure else self.maybe
        if node not in steps:
            return None
        edges: list[tuple[Node, Edge]] = []
        edge = steps[node]
        while edge is not None:
            edges.append((node, edge))
            node = edge.to
            edge = steps[node]
        formula = chained(*(e.formula for _, e in edges))
        return Reached(node, tuple(edges), formula)


def towards(
    graph: Graph, starts: Iterable[Node], goal: Callable[[Node], Verdict]
) -> Towards:
    """Search backwards from every node where a goal holds.

    Args:
        graph: The graph; all edges that lead on from the starts are found.
        starts: Nodes to begin with.
        goal: Whether it holds at a node by itself.
    """
    back: dict[Node, list[tuple[Node, Edge]]] = {}
    seen = dict.fromkeys(starts)
    waiting = deque(seen)
    while waiting:
        node = waiting.popleft()
        for edge in graph.edges(node):
            back.setdefault(edge.to, []).append((node, edge))
            if edge.to not in seen:
                seen[edge.to] = None
                waiting.append(edge.to)
    held = {node: goal(node) for node in seen if node.extra != HUB}
    sure = [node for node, verdict in held.items() if verdict is Verdict.ALWAYS]
    maybe = [node for node, verdict in held.items() if verdict is not Verdict.NEVER]
    return Towards(
        _backwards(back, sure, lambda edge: edge.formula == TRUE),
        _backwards(back, maybe, lambda edge: True),
    )


def _backwards(
    back: Mapping[Node, list[tuple[Node, Edge]]],
    goals: Iterable[Node],
    wanted: Callable[[Edge], bool],
) -> dict[Node, Edge | None]:
    steps: dict[Node, Edge | None] = dict.fromkeys(goals)
    waiting = deque(steps)
    while waiting:
        node = waiting.popleft()
        for before, edge in back.get(node, ()):
            if before not in steps and wanted(edge):
                steps[before] = edge
                waiting.append(before)
    return steps

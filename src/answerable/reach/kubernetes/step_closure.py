"""Breadth-first search over the identity steps of a cluster, forwards or backwards."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from answerable.reach.condition_formula import TRUE
from answerable.reach.kubernetes.access_graph import Edge, iterate_bits

_BUNDLE = "bundle"
_FEW = 16  # nodes whose steps are looked up one by one


@dataclass(frozen=True, slots=True)
class Spread:
    """Step of a search that found new nodes.

    Attributes:
        found: Bits that it found.
        before: Bits that were found before it.
        after: All bits that were found up to it.
    """

    edge: Edge
    found: int
    before: int
    after: int


@dataclass(slots=True)
class Search:
    """Result of a search: nodes that steps join, first those without conditions.

    Attributes:
        certain: Bits of the nodes that steps without conditions join.
        found: Bits of all nodes.
        spreads: Steps in the order in which they were taken.
    """

    certain: int = 0
    found: int = 0
    spreads: list[Spread] = field(default_factory=list)

    def find_first(self, bits: int) -> Spread:
        """Return the step that first found one of some nodes.

        Raises:
            IndexError: The search found none of them.
        """
        place = bisect_left(self.spreads, 1, key=lambda each: bool(each.after & bits))
        return self.spreads[place]


class StepIndex:
    """Steps of a cluster, those of one actor apart."""

    def __init__(self, edges: Sequence[Edge]) -> None:
        self.wide: list[Edge] = []
        self._narrow: dict[int, list[Edge]] = {}
        self._narrow_back: dict[int, list[Edge]] = {}
        self._has_narrow = 0
        self._has_conditions = 0
        self._has_narrow_back = 0
        self._bundles: dict[int, Edge] = {}
        for edge in edges:
            if edge.actors.bit_count() == 1 and edge.targets.bit_count() < 64:
                self._add_step_to_few_targets(edge)
            else:
                self.wide.append(edge)
        self._forward: dict[tuple[int, ...], Search] = {}
        self._wide_from = _index_edges(self.wide, lambda edge: edge.actors)
        self._wide_to = _index_edges(self.wide, lambda edge: edge.targets)

    def _add_step_to_few_targets(self, edge: Edge) -> None:
        """Add a step of one actor to few targets."""
        actor = edge.actors.bit_length() - 1
        self._narrow.setdefault(actor, []).append(edge)
        self._has_narrow |= edge.actors
        if edge.formula != TRUE:
            self._has_conditions |= edge.actors
        for target in iterate_bits(edge.targets):
            self._narrow_back.setdefault(target, []).append(edge)
        self._has_narrow_back |= edge.targets

    def search_from(self, number: int) -> Search:
        """Find the nodes that a node reaches in one step or more.

        Nodes that take the same first steps share one result.
        """
        first = self._wide_from.get(number, [])
        narrow = self._narrow.get(number, ())
        key = (*first, -1, *((number,) if narrow else ()))
        found = self._forward.get(key)
        if found is None:
            start = [*(self.wide[n] for n in first), *narrow]
            found = self._forward[key] = self._spread_forward(start)
        return found

    def _spread_forward(self, first: Sequence[Edge]) -> Search:
        """Spread from the first steps."""
        search = Search()
        for certain in (True, False):
            level = [e for e in first if (e.formula == TRUE) or not certain]
            if certain or search.found:
                level += self._list_fired(search.found, search.found, certain=certain)
            while level:
                before = search.found
                for edge in level:
                    _record_step(search, edge, edge.targets, before)
                new = search.found & ~before
                level = self._list_fired(search.found, new, certain=certain)
            if certain:
                search.certain = search.found
        return search

    def _list_fired(self, found: int, new: int, *, certain: bool) -> list[Edge]:
        """List the steps that newly found nodes take to others."""
        if not new:
            return []
        fired = [
            edge
            for edge in self._list_wide_from(new)
            if edge.targets & ~found and (not certain or edge.formula == TRUE)
        ]
        bundle = self._get_bundle(new & self._has_narrow)
        if bundle.targets & ~found:
            fired.append(bundle)
        for number in iterate_bits(0 if certain else new & self._has_conditions):
            fired += [e for e in self._narrow[number] if e.targets & ~found]
        return fired

    def _list_wide_from(self, nodes: int) -> list[Edge]:
        """List the steps of many actors that some nodes take, in their order."""
        if nodes.bit_count() > _FEW:
            return [edge for edge in self.wide if edge.actors & nodes]
        numbers = {
            n for node in iterate_bits(nodes) for n in self._wide_from.get(node, ())
        }
        return [self.wide[n] for n in sorted(numbers)]

    def _get_bundle(self, actors: int) -> Edge:
        """Return one step for all unconditional steps of some nodes with few targets."""
        bundle = self._bundles.get(actors)
        if bundle is None:
            targets = 0
            for number in iterate_bits(actors):
                for edge in self._narrow[number]:
                    if edge.formula == TRUE:
                        targets |= edge.targets
            bundle = self._bundles[actors] = Edge(actors, targets, _BUNDLE)
        return bundle

    def list_steps(
        self, search: Search, start: int, number: int
    ) -> list[tuple[int, Edge, int]]:
        """List the steps from the start of a search to a node: actor, step, target."""
        steps: list[tuple[int, Edge, int]] = []
        bit = 1 << start
        while True:
            spread = search.find_first(1 << number)
            edge = spread.edge
            if edge.via == _BUNDLE:
                edge = next(
                    each
                    for each in self._narrow_back[number]
                    if each.actors & edge.actors and each.formula == TRUE
                )
            if edge.actors & bit:
                steps.append((start, edge, number))
                return steps[::-1]
            actors = edge.actors & spread.before
            actor = (actors & -actors).bit_length() - 1
            steps.append((actor, edge, number))
            number = actor

    def list_steps_to_token(
        self, search: Search, start: int, number: int
    ) -> list[tuple[int, Edge, int]]:
        """List the steps to a node whose last one gives a token of it, not API rights.

        A node may get a token of its own, by a pod that it creates for example.

        Returns:
            The surest way; empty if every way gives API rights alone.
        """
        bit = 1 << number if number != start else 0
        leading = [self.wide[n] for n in self._wide_to.get(number, ())]
        leading += self._narrow_back.get(number, ())
        certain = search.certain | 1 << start
        for actors, conditions in ((certain, False), (search.found | certain, True)):
            able = [
                (edge, edge.actors & actors & ~bit)
                for edge in leading
                if not edge.api_only and (edge.formula == TRUE or conditions)
            ]
            for edge, bits in able:
                if bits >> start & 1:
                    return [(start, edge, number)]
            for edge, bits in able:
                if bits:
                    first = search.find_first(bits).found & bits
                    actor = (first & -first).bit_length() - 1
                    steps = self.list_steps(search, start, actor)
                    return [*steps, (actor, edge, number)]
        return []

    def search_back(self, targets: int) -> Search:
        """Find the nodes that reach one of some nodes in one step or more."""
        search = Search()
        for certain in (True, False):
            new = targets | search.found
            while new:
                before = search.found | targets
                for edge in self._list_leading(new, certain=certain):
                    _record_step(search, edge, edge.actors & ~targets, before)
                new = search.found & ~before
            if certain:
                search.certain = search.found
        return search

    def search_back_to_tokens(self, targets: int) -> Search:
        """Find the nodes that reach a token of another of some nodes.

        API rights of one of them are not enough for the last step.
        """
        search = Search()
        for certain in (True, False):
            before = search.found
            for edge in self._list_leading(targets, certain=certain):
                hit = edge.targets & targets
                if not edge.api_only:
                    only = hit if hit.bit_count() == 1 else 0
                    _record_step(search, edge, edge.actors & ~only, before)
            new = search.found & ~before if certain else search.found
            while new:
                before = search.found
                for edge in self._list_leading(new, certain=certain):
                    _record_step(search, edge, edge.actors, before)
                new = search.found & ~before
            if certain:
                search.certain = search.found
        return search

    def list_steps_ahead(
        self, search: Search, targets: int, number: int
    ) -> list[tuple[int, Edge, int]]:
        """List the steps from a node to a token, as `search_back_to_tokens` found."""
        steps: list[tuple[int, Edge, int]] = []
        while True:
            bit = 1 << number
            spread = search.find_first(bit)
            edge = spread.edge
            ended = 0 if edge.api_only else edge.targets & targets & ~bit
            ahead = ended or edge.targets & spread.before & ~bit
            to = (ahead & -ahead).bit_length() - 1
            steps.append((number, edge, to))
            if ended:
                return steps
            number = to

    def _list_leading(self, new: int, *, certain: bool) -> Iterator[Edge]:
        """Yield the steps that lead to some nodes."""
        for edge in self.wide:
            if edge.targets & new and (not certain or edge.formula == TRUE):
                yield edge
        for number in iterate_bits(new & self._has_narrow_back):
            for edge in self._narrow_back[number]:
                if not certain or edge.formula == TRUE:
                    yield edge


def _index_edges(
    edges: Sequence[Edge], get_bits: Callable[[Edge], int]
) -> dict[int, list[int]]:
    """Index the positions of steps by the nodes that they start from or lead to."""
    found: dict[int, list[int]] = {}
    for position, edge in enumerate(edges):
        for number in iterate_bits(get_bits(edge)):
            found.setdefault(number, []).append(position)
    return found


def _record_step(search: Search, edge: Edge, bits: int, before: int) -> None:
    """Record a step, if it finds new nodes."""
    new = bits & ~search.found
    if new:
        search.found |= new
        search.spreads.append(Spread(edge, new, before, search.found))

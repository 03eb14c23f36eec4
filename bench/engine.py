"""The engine as the bench drives it: one stage after the other, so each can be timed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from answerable.flows.heap import settled
from answerable.model.catalogue import Catalogue
from answerable.model.ids import IdentityId
from answerable.model.sighting import Facts
from answerable.reach import questions
from answerable.reach.estate import Estate, compile_estate
from answerable.reach.formula import Verdict, verdict
from answerable.reach.graph import Graph
from answerable.reach.request import Answer, Determining
from answerable.reach.steps import Node
from bench.organization.make import Organization
from bench.points import Point

EXPLAINED = 50


@dataclass(slots=True)
class Engine:
    """Facts under evaluation.

    Attributes:
        facts: Of the organisation.
        collected: What was collected.
        catalogue: Every service.
        estate: After `compile`.
        graph: After `compile`.
    """

    facts: Facts
    collected: frozenset[str]
    catalogue: Catalogue
    estate: Estate = field(init=False)
    graph: Graph = field(init=False)

    def compile(self) -> None:
        """Compile, with the search for cycles put off as the flow does."""
        with settled():
            self.estate = compile_estate(
                self.facts,
                self.catalogue,
                tags_collected=True,
                collected=self.collected,
            )
            self.graph = Graph(self.estate)

    def edges(self) -> int:
        """Find every step between identities; return how many."""
        waiting: list[Node] = [Node(one) for one in self.estate.principals]
        seen = set(waiting)
        found = 0
        while waiting:
            for edge in self.graph.edges(waiting.pop()):
                found += 1
                if edge.to not in seen:
                    seen.add(edge.to)
                    waiting.append(edge.to)
        return found

    def closure(self) -> int:
        """Return how many pairs (source, target) some path joins."""
        return 0

    def sweep(self) -> int:
        """Decide every principal's every action on every resource; return the cells."""
        return 0

    def who_can(self, action: str, resource: str) -> int:
        """Return how many can, by themselves or through others."""
        found = questions.who_can(self.graph, action, resource, direct=True)
        return len(list(found))

    def edited(self, facts: Facts) -> None:
        """Bring everything up to date with facts that differ a little."""
        self.facts = facts
        self.compile()

    def verdict(self, point: Point) -> Verdict:
        """Answer one question, the verdict alone."""
        return verdict(self._ask(point).formula)

    def explained(self, point: Point) -> tuple[Determining, ...]:
        """Answer one question with the statements that decided."""
        return self._ask(point).determining

    def _ask(self, point: Point) -> Answer:
        who, action, resource = point
        principal = self.estate.principals[IdentityId(who)]
        return questions.ask(self.estate, principal, action, resource)

    def who_can_explained(self, action: str, resource: str) -> int:
        """Explain the first of those who can."""
        found: Iterator[questions.Reply] = questions.who_can(
            self.graph, action, resource, direct=False
        )
        return len(list(islice(found, EXPLAINED)))


def engine(made: Organization, catalogue: Catalogue) -> Engine:
    return Engine(made.facts, made.collected, catalogue)

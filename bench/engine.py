"""The engine as the bench drives it: one stage after the other, so each can be timed."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from answerable.flows.heap import settled
from answerable.model.catalogue import Catalogue
from answerable.model.ids import IdentityId
from answerable.model.sighting import Facts
from answerable.reach import questions
from answerable.reach.bits.closure import closed
from answerable.reach.bits.planes import span
from answerable.reach.bits.sweep import Sweep
from answerable.reach.bits.update import updated
from answerable.reach.bits.ways import Assuming
from answerable.reach.bits.whole import Whole, whole_of
from answerable.reach.estate.estate import Estate, compile_estate
from answerable.reach.paths.graph import Graph
from answerable.reach.verdict.formula import Verdict, verdict
from answerable.reach.verdict.request import Answer, Determining
from answerable.reach.who_can import who_can
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
        whole: After `steps`.
        table: After `sweep`.
    """

    facts: Facts
    collected: frozenset[str]
    catalogue: Catalogue
    estate: Estate = field(init=False)
    graph: Graph = field(init=False)
    whole: Whole = field(init=False)
    table: Sweep = field(init=False)

    def compile(self) -> None:
        """Compile, with the search for cycles put off as the flow does."""
        with settled():
            self.estate = compile_estate(
                self.facts,
                self.catalogue,
                tags_collected="resource-tags" in self.collected,
            )
            self.graph = Graph(self.estate)

    def steps(self) -> int:
        """Find every step between identities, and close; return how many steps."""
        with settled():
            self.whole = whole_of(self.graph)
        return sum(row.some.bit_count() for row in self.whole.rows.steps)

    def assume_again(self) -> int:
        """Find once more which roles identities assume, both sides heard anew.

        Returns:
            How many pairs of an identity and a role.
        """
        realm = self.whole.realm
        with settled():
            identities = realm.index.only(span(0, realm.plain))
            assuming = Assuming(replace(realm, index=identities))
            rows = [assuming.verdicts(number).some for number in range(realm.plain)]
        return sum(row.bit_count() for row in rows)

    def close_again(self) -> int:
        """Close once more, to tell its share; return the pairs that a path joins."""
        with settled():
            closed([row.sure for row in self.whole.rows.steps])
            some = closed([row.some for row in self.whole.rows.steps])
        return sum(bits.bit_count() for bits in some.beyond)

    def sweep(self) -> int:
        """Decide every principal's every action on every resource; return the cells."""
        with settled():
            self.table = Sweep(self.whole.realm)
        tables = self.table.tables.values()
        return sum(len(cells) for table in tables for cells in table.by_actor.values())

    def swept(self, point: Point) -> Verdict:
        """Say what the sweep found for one question."""
        who, action, resource = point
        return self.table.verdict(IdentityId(who), action, resource)

    def granted(self) -> tuple[int, int]:
        """Return how many (principal, action, resource) are allowed: surely, perhaps."""
        return self.table.granted()

    def who_can(self, action: str, resource: str) -> int:
        """Return how many identities can, by themselves or through others."""
        identities = (1 << len(self.estate.principals)) - 1
        found = self.whole.who(action, resource)
        return (found.some & identities).bit_count()

    def edited(self, facts: Facts) -> None:
        """Bring everything up to date with facts that differ a little."""
        with settled():
            self.whole = updated(self.whole, self.facts, facts)
        self.facts = facts
        self.graph = self.whole.graph
        self.estate = self.graph.estate

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
        found: Iterator[questions.Reply] = who_can(
            self.graph, action, resource, direct=False
        )
        return len(list(islice(found, EXPLAINED)))


def engine(made: Organization, catalogue: Catalogue) -> Engine:
    return Engine(made.facts, made.collected, catalogue)

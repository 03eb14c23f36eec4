"""Closure over the steps of all actors, and the questions it answers.

Steps are bitset rows by actor (`adjacency`), closed once. Questions about many actors
and the search for a path read them; a printed path is evaluated exactly, step by step
(`find_edge`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import compress
from operator import is_not
from typing import NamedTuple, Protocol

from answerable.reach.aws.bulk.all_principals import Rows, rows_of
from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.aws.bulk.caller_side import NEVER, Verdicts
from answerable.reach.aws.bulk.edges import Realm, make_realm
from answerable.reach.aws.bulk.incremental_closure import reclosed
from answerable.reach.aws.bulk.policy_diff import Hanging
from answerable.reach.aws.bulk.resource_policies import Naming
from answerable.reach.aws.bulk.statement_index import Index
from answerable.reach.aws.bulk.targets import Goal
from answerable.reach.aws.bulk.transitive_closure import Closure, closed
from answerable.reach.aws.compiled.protected_objects import OWNER_ONLY
from answerable.reach.aws.compiled.service_facts import NO_PERMISSION
from answerable.reach.aws.evaluation.single_request import abroad, ask
from answerable.reach.aws.paths.created_identities import is_made
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.formula import TRUE, Verdict


class Actors(Protocol):
    """Actors of a graph as questions need them: a `Realm`, or one read from tables."""

    @property
    def index(self) -> Index:
        """Statements by holder."""

    @property
    def nodes(self) -> Sequence[Node]:
        """Graph node of each actor."""

    @property
    def numbers(self) -> Mapping[Node, int]:
        """Actor of each node."""

    @property
    def naming(self) -> Naming:
        """Principals by the names that policies use."""

    @property
    def plain(self) -> int:
        """Number of identities that exist; those not yet created come after."""

    @property
    def widened(self) -> int:
        """Number of the first actor with unrestricted permissions."""


class Steps(NamedTuple):
    """Identities that each actor becomes in a step, and those by a role alone."""

    taken: Sequence[Verdicts]
    assumed: Sequence[Verdicts]


@dataclass(eq=False, slots=True)
class Whole:
    """Closure of a graph over all its actors.

    Attributes:
        table: Steps of each actor.
        sure: Closure over unconditional steps.
        some: Closure over all steps.
        plain: Number of actors without group memberships gained.
        size: Number of actors.
        made: Actors that are identities not yet created, as a bitset.
        find: Loads the compiled graph and the step table, for edits.
        hanging: Attachments by policy, after a first edit.
    """

    graph: Graph
    actors: Actors
    table: Steps
    sure: Closure
    some: Closure
    plain: int
    size: int
    made: int
    find: Callable[[], tuple[Realm, Rows]]
    hanging: Hanging | None = None
    _more: list[Node] = field(default_factory=list)
    _numbers: dict[Node, int] = field(default_factory=dict)
    _loose: dict[int, tuple[Verdicts, int]] = field(default_factory=dict)
    _found: tuple[Realm, Rows] | None = None

    @property
    def realm(self) -> Realm:
        """Compiled graph that steps are computed from."""
        return self._all()[0]

    @property
    def rows(self) -> Rows:
        """Steps of every actor, with their parts."""
        return self._all()[1]

    def _all(self) -> tuple[Realm, Rows]:
        if self._found is None:
            self._found = self.find()
        return self._found

    def moved(self, graph: Graph, realm: Realm, rows: Rows) -> "Whole":
        """Return the closure after an edit.

        Args:
            graph: Graph after the edit.
            realm: The same actors after the edit.
            rows: Steps after the edit.
        """
        new = copy(self)
        new.graph, new.actors = graph, realm
        new._found = realm, rows
        new._loose, new._more, new._numbers = {}, [], {}
        if rows is not self.rows:
            new._follow(self, rows)
        graph.all = new
        return new

    def _follow(self, old: "Whole", rows: Rows) -> None:
        """Replace the rows, and update both closures."""
        self.table = Steps(rows.steps, rows.assumed)
        was, now = old.rows.steps, rows.steps
        other = list(compress(range(self.size), map(is_not, was, now)))
        self.sure = reclosed(
            old.sure,
            {n: (was[n].sure, now[n].sure) for n in other},
            lambda: [row.sure for row in now],
        )
        self.some = reclosed(
            old.some,
            {n: (was[n].some, now[n].some) for n in other},
            lambda: [row.some for row in now],
        )

    def number(self, node: Node) -> int:
        """Return the number of a node; one that is no actor gets the next free one."""
        found = self.actors.numbers.get(node)
        if found is None:
            found = self._numbers.get(node)
        if found is None:
            found = self._numbers[node] = self.size + len(self._more)
            self._more.append(node)
        return found

    def node(self, number: int) -> Node:
        """Return the node with a number."""
        if number >= self.size:
            return self._more[number - self.size]
        return self.actors.nodes[number]

    @property
    def count(self) -> int:
        """Count of numbered nodes."""
        return self.size + len(self._more)

    def steps(self, number: int) -> Verdicts:
        """Return the nodes one step from a node, equivalents of itself left out."""
        row = self._row(number)[0]
        if number >= self.size:
            return row
        actors = self.actors
        base = actors.index.base[number]
        node = actors.nodes[number]
        itself = 1 << base
        wider = actors.widened + base
        grows = base < actors.plain and row.some >> wider & 1
        if grows and (node.extra == "*" or node.bare or self.graph.admin(node)):
            itself |= 1 << wider
        return Verdicts(row.sure & ~itself, row.some & ~itself)

    def ordered(self, number: int, wanted: int) -> list[int]:
        """List wanted nodes one step away, the most easily checked first."""
        return [to for part in self._parts(number, wanted) for to in positions(part)]

    def first(self, number: int, wanted: int) -> int:
        """Return the first of `order_steps`."""
        part = next(part for part in self._parts(number, wanted) if part)
        return (part & -part).bit_length() - 1

    def _parts(self, number: int, wanted: int) -> tuple[int, int, int]:
        """Split wanted nodes one step away by the kind of step."""
        assumed = wanted & self._row(number)[1]
        made = wanted & self.made & ~assumed
        return assumed, wanted & ~(assumed | made), made

    def _row(self, number: int) -> tuple[Verdicts, int]:
        if number < self.size:
            return self.table.taken[number], self.table.assumed[number].some
        found = self._loose.get(number)
        if found is None:
            found = self._loose[number] = self._exactly(self.node(number))
        return found

    def _exactly(self, node: Node) -> tuple[Verdicts, int]:
        """Compute the row of a node that is no actor: a limited session."""
        sure = some = assumed = 0
        for edge in self.graph.edges(node):
            bit = 1 << self.number(edge.to)
            some |= bit
            sure |= bit if edge.formula == TRUE else 0
            assumed |= bit if edge.via == "sts:AssumeRole" else 0
        return Verdicts(sure, some), assumed

    def beyond(self, number: int) -> int:
        """Return the nodes that a node reaches in any number of steps, as a bitset."""
        if number < self.size:
            return self.some.beyond[number]
        found = row = self.steps(number).some
        for to in positions(row):
            found |= self.some.beyond[to] if to < self.size else 0
        return found

    def leads(self, number: int, goals: Verdicts) -> Verdict:
        """Return the verdict on whether a node is, or reaches, a target."""
        if number >= self.size:
            return self._leads_on(number, goals)
        sure = self.sure.beyond[number] | 1 << number
        some = self.some.beyond[number] | 1 << number
        if sure & goals.sure:
            return Verdict.ALWAYS
        return Verdict.ONLY_IF if some & goals.some else Verdict.NEVER

    def _leads_on(self, number: int, goals: Verdicts) -> Verdict:
        best = Verdict.NEVER
        if goals.some >> number & 1:
            best = Verdict.ALWAYS if goals.sure >> number & 1 else Verdict.ONLY_IF
        row = self.steps(number)
        for to in positions(row.some):
            if to != number and best is not Verdict.ALWAYS:
                there = self.leads(to, goals)
                if there is Verdict.ALWAYS and row.sure >> to & 1:
                    best = Verdict.ALWAYS
                elif there is not Verdict.NEVER:
                    best = Verdict.ONLY_IF
        return best

    def goal(self, action: str, resource: str) -> Verdicts:
        """Return the actors that may make one call by themselves, paths aside."""
        estate, realm = self.graph.estate, self.actors
        folded = action.lower()
        if not estate.possible(action, resource):
            return NEVER
        if folded in NO_PERMISSION:
            actors = enumerate(realm.index.actors)
            free = gathered((n for n, one in actors if one.is_free(folded)), self.size)
            return Verdicts(free, free)
        if estate.endpoint or estate.call(action, resource).wild:
            return self._one_by_one(action, resource)
        goal = Goal(estate, realm.index, realm.naming, folded, resource, estate.given)
        found = goal.verdicts(lambda one: ask(estate, one, action, resource).formula)
        near = realm.index.all
        if folded.startswith("iam:") or folded in OWNER_ONLY:
            near = 0
            for account, members in realm.naming.accounts.items():
                if not abroad(estate, account, action, resource):
                    near |= realm.index.with_gains(members)
        return Verdicts(found.sure & near, found.some & near)

    def _one_by_one(self, action: str, resource: str) -> Verdicts:
        sure = some = 0
        for number, actor in enumerate(self.actors.index.actors):
            formula = ask(self.graph.estate, actor, action, resource).formula
            some |= (1 << number) if formula else 0
            sure |= (1 << number) if formula == TRUE else 0
        return Verdicts(sure, some)

    def with_loose(
        self, goals: Verdicts, nodes: Iterable[Node], action: str, resource: str
    ) -> Verdicts:
        """Add the targets among nodes that are no actors."""
        sure, some = goals.sure, goals.some
        for node in nodes:
            number = self.number(node)
            if number >= self.size:
                principal = self.graph.principal(node)
                formula = ask(self.graph.estate, principal, action, resource).formula
                some |= (1 << number) if formula else 0
                sure |= (1 << number) if formula == TRUE else 0
        return Verdicts(sure, some)

    def who(self, action: str, resource: str) -> Verdicts:
        """Return the actors that can make one call, by themselves or through others."""
        goals = self.goal(action, resource)
        return Verdicts(self.sure.towards(goals.sure), self.some.towards(goals.some))


def joined_whole(
    graph: Graph, realm: Realm, rows: Rows, closures: tuple[Closure, Closure]
) -> Whole:
    """Build a closure from steps and the closures over unconditional and all steps."""
    nodes = realm.nodes
    made = gathered(
        (n for n, node in enumerate(nodes) if is_made(node.identity)), len(nodes)
    )
    return Whole(
        graph=graph,
        actors=realm,
        table=Steps(rows.steps, rows.assumed),
        sure=closures[0],
        some=closures[1],
        plain=realm.joined,
        size=len(nodes),
        made=made,
        find=lambda: (realm, rows),
    )


def whole_of(graph: Graph) -> Whole:
    """Return the closure of a graph: cached, restored from tables, or computed."""
    if not isinstance(graph.all, Whole) and graph.restore is not None:
        graph.all = graph.restore(graph)
    if not isinstance(graph.all, Whole):
        realm = make_realm(graph)
        rows = rows_of(realm)
        sure = closed([row.sure for row in rows.steps])
        some = closed([row.some for row in rows.steps])
        graph.all = joined_whole(graph, realm, rows, (sure, some))
        if graph.keep is not None:
            graph.keep(graph)
    return graph.all

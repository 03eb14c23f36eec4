"""Query of all callers that can make a call, the gravest first.

Order: the public, other accounts and identity providers, identities of unattended
agents, those of other agents, all other identities, AWS services.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import positions
from answerable.reach.aws.bulk.closure import whole_of
from answerable.reach.aws.candidate_callers import candidates
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.external_callers import caller_of
from answerable.reach.aws.compiled.service_facts import TRUST_CALLS
from answerable.reach.aws.evaluation.request import Request
from answerable.reach.aws.evaluation.single_request import ask, ask_as
from answerable.reach.aws.evaluation.trust import Entry
from answerable.reach.aws.external_queries import callers_of
from answerable.reach.aws.paths.created_identities import is_made
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.search import Reached, towards
from answerable.reach.aws.pattern_answers import PatternQuestion, is_pattern
from answerable.reach.aws.patterns.arns import text_parts
from answerable.reach.aws.patterns.terms import RESOURCES, Term, disjoint
from answerable.reach.aws.permission_rows.row_types import Row
from answerable.reach.formula import FALSE, TRUE, chained
from answerable.reach.queries import (
    MISSING,
    Reply,
    can,
    entry_hop,
    nobody,
    of_caller,
    rank,
    replied,
)
from answerable.reach.unknown_subjects import rests_on_missing

PUBLIC, FOREIGN, UNATTENDED, ACTING, OTHER, SERVICE = range(6)
_ANYONE = "*"
MOST_LISTED_THROUGH = 8  # identities on paths listed per caller and pattern


@dataclass(frozen=True, slots=True)
class Gravity:
    """Ranking of callers by agents.

    Attributes:
        unattended: Subset of `acting`, for agents that run unattended.
    """

    acting: frozenset[str] = frozenset()
    unattended: frozenset[str] = frozenset()

    def of_identity(self, identity: str) -> int:
        """Grade an identity of the snapshot; the gravest grade is the least."""
        if identity in self.unattended:
            return UNATTENDED
        return ACTING if identity in self.acting else OTHER


NO_AGENTS = Gravity()


def grade_of_outsider(subject: str, *, service: bool) -> int:
    """Grade a caller outside the snapshot."""
    if service:
        return SERVICE
    return PUBLIC if subject == _ANYONE else FOREIGN


IDENTITY_GRADES = ((UNATTENDED,), (ACTING,), (OTHER,))
Asked = Iterator[tuple[int, Reply | None]]
_Graded = Iterable[tuple[int, Reply]]
_Key = tuple[int, bool, bool, str]
_Entry = tuple[_Key, Callable[[], Reply]]


class Asking(Protocol):
    """Evaluator of callers one by one, for pages of a list."""

    def outsiders(self) -> tuple[list[Reply], list[Reply]]:
        """List the outside callers that can make the call, and the services."""

    def identities(self, grades: tuple[int, ...], first: int = 0) -> Asked:
        """Evaluate identities of some grades, in order of id.

        Yields:
            Position of each evaluated identity with its answer, None for `never`.
        """


def who_can(
    graph: Graph,
    action: str,
    resource: str,
    *,
    direct: bool,
    gravity: Gravity = NO_AGENTS,
) -> Iterator[Reply]:
    """List every identity and outside caller that can make a call, the gravest first.

    Outside callers are admitted by the resource policy, or may enter a permitted role.
    """
    if not direct and not is_pattern(graph.estate, action, resource):
        for make in entries(graph, action, resource, gravity):
            reply = make()
            if reply.formula != FALSE:
                yield reply
        return
    asking = asking_of(graph, action, resource, gravity, direct=direct)
    leading, last = asking.outsiders()
    yield from leading
    for grades in IDENTITY_GRADES:
        found = (reply for _, reply in asking.identities(grades) if reply)
        yield from found if direct else sorted(found, key=_certain_first)
    yield from last


def entries(
    graph: Graph, action: str, resource: str, gravity: Gravity
) -> list[Callable[[], Reply]]:
    """List functions that build the answer of each caller, for a single resource."""
    listed = _Listed(graph, action, resource, gravity).all()
    return [make for _, make in sorted(listed, key=lambda pair: pair[0])]


def asking_of(
    graph: Graph, action: str, resource: str, gravity: Gravity, *, direct: bool
) -> Asking:
    """Build the evaluator of callers for a question.

    It follows paths for a pattern only.
    """
    if is_pattern(graph.estate, action, resource):
        return _AskingOnPattern(graph, action, resource, gravity, direct=direct)
    return _AskingDirectly(graph, action, resource, gravity)


def _certain_first(reply: Reply) -> tuple[bool, bool, str]:
    return reply.formula != TRUE, bool(reply.path), reply.subject


class _AskingDirectly:
    """Evaluator for one resource, paths aside."""

    def __init__(
        self, graph: Graph, action: str, resource: str, gravity: Gravity
    ) -> None:
        self._graph, self._call, self._gravity = graph, (action, resource), gravity

    def outsiders(self) -> tuple[list[Reply], list[Reply]]:
        return _in_order(_outsiders(self._graph, *self._call))

    def identities(self, grades: tuple[int, ...], first: int = 0) -> Asked:
        graph, estate = self._graph, self._graph.estate
        for place, identity in candidates(estate, *self._call, first):
            if self._gravity.of_identity(identity) in grades:
                way = Reached(graph, (graph.start(identity),))
                answer = ask(estate, graph.principal(way.node), *self._call)
                reply = replied(graph, identity, way, answer)
                yield place, reply if reply.formula != FALSE else None


class _AskingOnPattern:
    """Evaluator for a pattern, with or without paths."""

    def __init__(
        self,
        graph: Graph,
        action: str,
        resource: str,
        gravity: Gravity,
        *,
        direct: bool,
    ) -> None:
        self._graph, self._gravity, self._direct = graph, gravity, direct
        self._question = PatternQuestion(graph, action, resource)
        self._found: dict[IdentityId, Reply | None] = {}

    def outsiders(self) -> tuple[list[Reply], list[Reply]]:
        found = [*_outsiders_on_pattern(self._question)]
        if not self._direct:
            found += self._entering()
        return _in_order(found)

    def identities(self, grades: tuple[int, ...], first: int = 0) -> Asked:
        for place, identity in enumerate(self._graph.estate.principals):
            if place < first or self._gravity.of_identity(identity) not in grades:
                continue
            if self._may(identity):
                yield place, self._permitted(identity)

    def _may(self, identity: IdentityId) -> bool:
        node = self._graph.start(identity)
        if not self._direct:
            return self._question.leads(node)
        return self._question.may_touch(self._graph.principal(node))

    def _permitted(self, identity: IdentityId) -> Reply | None:
        if identity not in self._found:
            self._found[identity] = self._question.permitted(
                identity, direct=self._direct, most=MOST_LISTED_THROUGH
            )
        return self._found[identity]

    def _entering(self) -> _Graded:
        """List outside callers that may enter a permitted role."""
        graph = self._graph
        for role in graph.estate.open_roles:
            entries = graph.outsiders(role) if self._question.leads(Node(role)) else ()
            reply = self._permitted(role) if entries else None
            if reply is not None:
                for entry in entries:
                    yield _grade_of_entry(entry), _through_entry(reply, entry, role)


def _in_order(found: _Graded) -> tuple[list[Reply], list[Reply]]:
    """Sort outside callers, the gravest first, and separate services."""
    ordered = sorted(found, key=lambda pair: (pair[0], *_certain_first(pair[1])))
    leading = [reply for grade, reply in ordered if grade != SERVICE]
    return leading, [reply for grade, reply in ordered if grade == SERVICE]


def _outsiders(graph: Graph, action: str, resource: str) -> Iterator[tuple[int, Reply]]:
    """List outside callers that the resource policy allows."""
    estate = graph.estate
    callers = callers_of(estate, estate.call(action, resource))
    found = (of_caller(c, ask_as(estate, c, action, resource)) for c in callers)
    return _graded(estate, found)


def _graded(estate: Estate, found: Iterable[Reply]) -> Iterator[tuple[int, Reply]]:
    for reply in found:
        if reply.formula != FALSE:
            caller = caller_of(reply.subject, estate.accounts)
            service = caller is not None and caller.kind.name == "SERVICE"
            yield grade_of_outsider(reply.subject, service=service), reply


def _outsiders_on_pattern(question: PatternQuestion) -> Iterator[tuple[int, Reply]]:
    estate = question.graph.estate
    call = estate.call(question.action, question.resource)
    if call.action in TRUST_CALLS:
        return _graded(estate, _trusted(question, call))
    callers = callers_of(estate, call)
    found = (question.answer(IdentityId(c.id), direct=True) for c in callers)
    return _graded(estate, found)


def _trusted(question: PatternQuestion, call: Request) -> Iterator[Reply]:
    """List outside callers that some role of a pattern trusts."""
    estate, action = question.graph.estate, question.action
    parts: dict[str, list[Reply]] = {}
    for role in estate.trusts:
        on = Term(text_parts(role))
        if disjoint(RESOURCES, on, Term(call.parts)):
            continue
        for caller in callers_of(estate, estate.call(action, role)):
            reply = of_caller(caller, ask_as(estate, caller, action, role))
            row = Row(Term(call.action), on, "", reply.formula, reply.determining)
            if reply.formula != FALSE:
                parts.setdefault(caller.id, []).append(replace(reply, row=row))
    for subject, found in parts.items():
        nothing = replace(nobody(), subject=subject, actor=IdentityId(subject))
        yield question.union.combined([nothing], found)


class _Listed:
    """Evaluator of all callers over all paths; answers are built lazily."""

    def __init__(
        self, graph: Graph, action: str, resource: str, gravity: Gravity
    ) -> None:
        self._graph, self._call, self._gravity = graph, (action, resource), gravity
        whole = whole_of(graph)
        starts: list[Node] = []
        if graph.estate.session:
            starts = [graph.start(identity) for identity in graph.estate.principals]
        self._whole = whole
        self._goals = whole.with_loose(whole.goal(*self._call), starts, *self._call)
        self._found = towards(graph, starts, self._goals)
        self._answered: int | None = None

    def all(self) -> Iterator[_Entry]:
        """List all callers, each with its sort key."""
        for grade, reply in _outsiders(self._graph, *self._call):
            key = (grade, reply.formula != TRUE, False, reply.subject)
            yield key, partial(_same, reply)
        yield from self._identities()
        yield from self._entering()

    def _identities(self) -> Iterator[_Entry]:
        for node in self._found.nodes():
            way = self._found.way(node) if self._is_start(node) else None
            if way is not None:
                grade = self._gravity.of_identity(node.identity)
                key = (grade, not way.certain, way.steps > 0, node.identity)
                yield key, partial(self._reply, node, way)

    def _is_start(self, node: Node) -> bool:
        """Tell whether a node is an existing identity without gained permissions."""
        return node == self._graph.start(node.identity) and not is_made(node.identity)

    def _reply(self, node: Node, way: Reached) -> Reply:
        answer = ask(self._graph.estate, self._graph.principal(way.node), *self._call)
        reply = replied(self._graph, node.identity, way, answer)
        if rank(reply) != MISSING or not self._leads_to_answer(node):
            return reply
        better = can(
            self._graph, node.identity, *self._call, direct=False, goals=self._goals
        )
        return better if rank(better) > MISSING else reply

    def _leads_to_answer(self, node: Node) -> bool:
        """Tell whether a node reaches one that collected policies allow the call."""
        if self._answered is None:
            graph, open_ = self._graph, self._goals.some & ~self._goals.sure
            self._answered = self._goals.sure
            for number in positions(open_ & ~(-1 << self._whole.size)):
                principal = graph.principal(self._whole.node(number))
                answer = ask(graph.estate, principal, *self._call)
                if not rests_on_missing(answer.formula):
                    self._answered |= 1 << number
        number = self._whole.number(node)
        if number >= self._whole.size:
            return True
        return bool(self._whole.some.beyond[number] & self._answered)

    def _entering(self) -> Iterator[_Entry]:
        """List outside callers that may enter a permitted role."""
        for role in self._graph.estate.open_roles:
            way = self._found.way(Node(role))
            if way is None:
                continue
            for entry in self._graph.outsiders(role):
                grade = _grade_of_entry(entry)
                certain = way.certain and entry.answer.formula == TRUE
                key = (grade, not certain, way.steps > 0, entry.principal)
                yield key, partial(self._entered, role, way, entry)

    def _entered(self, role: IdentityId, way: Reached, entry: Entry) -> Reply:
        return _through_entry(self._reply(Node(role), way), entry, role)


def _grade_of_entry(entry: Entry) -> int:
    service = entry.kind == "Service"
    return grade_of_outsider(entry.principal, service=service)


def _through_entry(reply: Reply, entry: Entry, role: IdentityId) -> Reply:
    hop = entry_hop(entry, role)
    path = (hop, *reply.path) if reply.formula != FALSE else ()
    return replace(
        reply,
        subject=entry.principal,
        formula=chained(hop.formula, reply.formula),
        path=path,
        parts=tuple(_through_entry(part, entry, role) for part in reply.parts),
    )


def _same(reply: Reply) -> Reply:
    return reply

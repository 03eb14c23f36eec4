"""Everyone who can make a call, the gravest first.

Anyone at all comes first, then other accounts and identity providers, identities
through which an unattended agent acts, those through which another agent acts, all
other identities, and services of AWS last.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from answerable.model.ids import IdentityId
from answerable.reach.able import candidates
from answerable.reach.bits.whole import whole_of
from answerable.reach.estate.outside import caller_of
from answerable.reach.estate.services import TRUST_CALLS
from answerable.reach.paths.graph import Graph
from answerable.reach.paths.paths import Reached, towards
from answerable.reach.paths.steps import Node
from answerable.reach.pattern_answers import PatternQuestion, combined, is_pattern
from answerable.reach.patterns.resources import text_parts
from answerable.reach.patterns.terms import RESOURCES, Term, disjoint
from answerable.reach.questions import (
    Reply,
    entry_hop,
    nobody,
    of_caller,
    replied,
)
from answerable.reach.rows.rows import Row
from answerable.reach.verdict.formula import FALSE, TRUE, chained
from answerable.reach.verdict.single import ask, ask_as
from answerable.reach.verdict.trust import Entry
from answerable.reach.visiting import callers_of

PUBLIC, FOREIGN, UNATTENDED, ACTING, OTHER, SERVICE = range(6)
_ANYONE = "*"


@dataclass(frozen=True, slots=True)
class Gravity:
    """The order of those who can.

    Attributes:
        acting: Identities through which an agent acts.
        unattended: Those of them through which an agent acts that runs unattended.
    """

    acting: frozenset[str] = frozenset()
    unattended: frozenset[str] = frozenset()

    def of_identity(self, identity: str) -> int:
        """Grade an identity of the snapshot; the gravest is the least."""
        if identity in self.unattended:
            return UNATTENDED
        return ACTING if identity in self.acting else OTHER


NO_AGENTS = Gravity()


def grade_of_outsider(subject: str, *, service: bool) -> int:
    """Grade a caller from outside the snapshot."""
    if service:
        return SERVICE
    return PUBLIC if subject == _ANYONE else FOREIGN


def who_can(
    graph: Graph,
    action: str,
    resource: str,
    *,
    direct: bool,
    gravity: Gravity = NO_AGENTS,
) -> Iterator[Reply]:
    """List every identity that can, and those outside the snapshot, the gravest first.

    Outside are those whom the resource's own policy lets in, and those who may enter a
    role that can.
    """
    if direct:
        leading, last = outsiders_by_themselves(graph, action, resource)
        yield from leading
        for grades in IDENTITY_GRADES:
            for _, reply in asked_each(graph, action, resource, grades, gravity):
                if reply:
                    yield reply
        yield from last
        return
    listed = _Listed(graph, action, resource, gravity)
    for _, make in sorted(listed.all(), key=lambda pair: pair[0]):
        reply = make()
        if reply.formula != FALSE:
            yield reply


IDENTITY_GRADES = ((UNATTENDED,), (ACTING,), (OTHER,))


def asked_each(
    graph: Graph,
    action: str,
    resource: str,
    grades: tuple[int, ...],
    gravity: Gravity = NO_AGENTS,
    first: int = 0,
) -> Iterator[tuple[int, Reply | None]]:
    """Ask everyone of some grades who could make a call by itself, in order of id.

    Args:
        graph: The graph.
        action: Of the call.
        resource: Likewise.
        grades: Of those who are asked.
        gravity: Grades identities.
        first: The place of the first to be asked.

    Yields:
        The place of each who was asked, and what it can: None for nothing.
    """
    pattern = is_pattern(graph.estate, action, resource)
    question = PatternQuestion(graph, action, resource) if pattern else None
    every = enumerate(graph.estate.principals)
    found = candidates(graph.estate, action, resource, first) if not pattern else every
    for place, identity in found:
        if place < first or gravity.of_identity(identity) not in grades:
            continue
        if question is None:
            way = Reached(graph, (graph.start(identity),))
            answer = ask(graph.estate, graph.principal(way.node), action, resource)
            reply = replied(graph, identity, way, answer)
        else:
            reply = question.answer(identity, direct=True)
        yield place, reply if reply.formula != FALSE else None


def outsiders_by_themselves(
    graph: Graph, action: str, resource: str
) -> tuple[list[Reply], list[Reply]]:
    """List callers from outside whom resources' own policies let in; services apart."""
    found = sorted(
        _outsiders(graph, action, resource), key=lambda pair: (pair[0], pair[1].subject)
    )
    leading = [reply for grade, reply in found if grade != SERVICE]
    return leading, [reply for grade, reply in found if grade == SERVICE]


def _outsiders(graph: Graph, action: str, resource: str) -> Iterator[tuple[int, Reply]]:
    estate = graph.estate
    if is_pattern(estate, action, resource):
        found = _outsiders_on_pattern(graph, action, resource)
    else:
        callers = callers_of(estate, estate.call(action, resource))
        found = (of_caller(c, ask_as(estate, c, action, resource)) for c in callers)
    for reply in found:
        if reply.formula != FALSE:
            caller = caller_of(reply.subject, estate.accounts)
            service = caller is not None and caller.kind.name == "SERVICE"
            yield grade_of_outsider(reply.subject, service=service), reply


def _outsiders_on_pattern(graph: Graph, action: str, resource: str) -> Iterator[Reply]:
    estate = graph.estate
    call = estate.call(action, resource)
    if call.action not in TRUST_CALLS:
        question = PatternQuestion(graph, action, resource)
        for caller in callers_of(estate, call):
            yield question.answer(IdentityId(caller.id), direct=True)
        return
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
        yield combined(graph, action, resource, [nothing], found)


_Key = tuple[int, bool, bool, str]
_Entry = tuple[_Key, Callable[[], Reply]]


class _Listed:
    """Everyone who can, also through others; replies are made when asked for."""

    def __init__(
        self, graph: Graph, action: str, resource: str, gravity: Gravity
    ) -> None:
        self._graph, self._call, self._gravity = graph, (action, resource), gravity
        whole = whole_of(graph)
        self._starts = [graph.start(identity) for identity in graph.estate.principals]
        self._question: PatternQuestion | None = None
        if is_pattern(graph.estate, action, resource):
            self._question = PatternQuestion(graph, action, resource)
            goals = self._question.find_goals(self._starts)
        else:
            goals = whole.goal(action, resource)
            goals = whole.with_loose(goals, self._starts, action, resource)
        self._found = towards(graph, self._starts, goals)

    def all(self) -> Iterator[_Entry]:
        """List everyone, each with its place in the order."""
        for grade, reply in _outsiders(self._graph, *self._call):
            key = (grade, reply.formula != TRUE, False, reply.subject)
            yield key, partial(_same, reply)
        yield from self._identities()
        yield from self._entering()

    def _identities(self) -> Iterator[_Entry]:
        for node in self._starts:
            way = self._found.way(node)
            if way is not None:
                grade = self._gravity.of_identity(node.identity)
                make = partial(self._reply, node, way)
                yield from self._placed(grade, way.certain, node.identity, make, way)

    def _placed(
        self,
        grade: int,
        certain: bool,
        subject: str,
        make: Callable[[], Reply],
        way: Reached,
    ) -> Iterator[_Entry]:
        if self._question is None:
            yield (grade, not certain, way.steps > 0, subject), make
            return
        reply = make()  # how much of a pattern is known from the answer alone
        key = (grade, reply.formula != TRUE, bool(reply.path), subject)
        yield key, partial(_same, reply)

    def _reply(self, node: Node, way: Reached) -> Reply:
        if self._question is not None:
            return self._question.answer(node.identity, direct=False)
        answer = ask(self._graph.estate, self._graph.principal(way.node), *self._call)
        return replied(self._graph, node.identity, way, answer)

    def _entering(self) -> Iterator[_Entry]:
        """List who may enter a role that can, and is not in the snapshot."""
        for role in self._graph.estate.trusts:
            outsiders = self._graph.outsiders(role)
            way = self._found.way(Node(role)) if outsiders else None
            if way is None:
                continue
            for entry in outsiders:
                service = entry.kind == "Service"
                grade = grade_of_outsider(entry.principal, service=service)
                certain = way.certain and entry.answer.formula == TRUE
                make = partial(self._entered, role, way, entry)
                subject = entry.principal
                yield from self._placed(grade, certain, subject, make, way)

    def _entered(self, role: IdentityId, way: Reached, entry: Entry) -> Reply:
        return _through_entry(self._reply(Node(role), way), entry, role)


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

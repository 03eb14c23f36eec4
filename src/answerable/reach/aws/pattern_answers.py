"""Answers about a resource pattern: all, part or none of it is allowed.

A pattern is evaluated as one request first, then by the rows that overlap it: each row
is a part (`pattern_parts`). Results that do not depend on the subject are shared by all
subjects of a question.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.reach import queries
from answerable.reach.aws.bulk.bitset import gathered, positions
from answerable.reach.aws.bulk.caller_side import Verdicts
from answerable.reach.aws.bulk.closure import Whole, whole_of
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.service_facts import TRUST_CALLS
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.request import Answer
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.search import (
    Reached,
    Towards,
    becoming,
    reached,
    towards,
)
from answerable.reach.aws.pattern_parts import PatternUnion, SureParts
from answerable.reach.aws.patterns.arns import (
    matches_parts,
    overlaps_parts,
    pattern_parts,
)
from answerable.reach.aws.patterns.globs import inward
from answerable.reach.aws.patterns.terms import Term
from answerable.reach.aws.permission_rows.action_rows import CallRows
from answerable.reach.aws.permission_rows.row_types import Row, make_filter
from answerable.reach.aws.whole_pattern import WholePattern
from answerable.reach.formula import FALSE, TRUE, atom, either
from answerable.reach.queries import Extent, Reply

FURTHER = "answerable:further-parts"
MOST_THROUGH = 64  # identities on paths whose parts are listed in one answer


def is_pattern(estate: Estate, action: str, resource: str) -> bool:
    """Tell whether a question is about all resources of a pattern.

    Args:
        estate: The compiled accounts.
        action: The action.
        resource: An ARN, a pattern, or `*`, which is no pattern for an action without
            resources.
    """
    call = estate.asked(action, resource)
    return call is not None and call.wild


def can_on_pattern(
    graph: Graph, start: IdentityId, action: str, resource: str, *, direct: bool
) -> Reply:
    """Answer about a pattern for a subject, by itself or through other identities.

    Returns:
        An answer with `covers` and `parts`.
    """
    return PatternQuestion(graph, action, resource).answer(start, direct=direct)


class PatternQuestion:
    """Query of one action on a resource pattern, for one subject or many.

    Attributes:
        union: Combines parts into one answer.
    """

    def __init__(self, graph: Graph, action: str, resource: str) -> None:
        self.graph, self.action, self.resource = graph, action, resource
        self.union = PatternUnion(graph.estate, action, resource)
        self._wanted = make_filter(action, resource)
        self._lister = CallRows(graph.estate, self._wanted)
        self._all_of = WholePattern(graph.estate, action, resource)
        self._pattern = pattern_parts(inward(resource))
        self._touching: dict[Clause, bool] = {}
        self._answers: dict[Node, Answer] = {}
        self._rows: dict[Node, tuple[Row, ...]] = {}
        self._paths: _Paths | None = None

    def answer(self, start: IdentityId, *, direct: bool) -> Reply:
        """Answer for one subject, which may be an outside caller."""
        if start not in self.graph.estate.principals:
            return self._answer_outside(start, direct=direct)
        found = self.permitted(start, direct=direct)
        if found is not None:
            return found
        node = self.graph.start(start)
        reply = self._whole_reply(start, Reached(self.graph, (node,)))
        tried = () if direct else becoming(self.graph, node)
        return replace(reply, covers=Extent.NONE, parts=(), tried=tried)

    def permitted(
        self, start: IdentityId, *, direct: bool, most: int = MOST_THROUGH
    ) -> Reply | None:
        """Answer for an identity; None where it can act on no part of the pattern.

        Args:
            start: The identity.
            direct: Paths aside.
            most: Most identities on paths whose parts are listed; the rest is counted.
        """
        node = self.graph.start(start)
        itself = Reached(self.graph, (node,))
        way = itself
        if self._answer_of(node).formula != TRUE and not direct:
            way = self._paths_of().sure.way(node) or itself
        if self._answer_of(way.node).formula == TRUE and way.certain:
            whole = self._whole_reply(start, way)
            return replace(whole, covers=Extent.ALL, parts=(self._as_part(whole),))
        ways = [itself] if direct else self._ways(node)
        return self._combined(start, ways, most)

    def leads(self, node: Node) -> bool:
        """Tell whether a node, or an identity it can become, may act on some of it."""
        return self._paths_of().leads(node)

    def may_touch(self, principal: Principal) -> bool:
        """Tell whether a principal may act on some of the pattern by itself.

        The test is necessary, not sufficient.
        """
        if principal.gaps or self._wanted.actions.pattern in TRUST_CALLS:
            return True
        allows = principal.matching(self._wanted.actions.pattern).allows
        if any(self._touches(grant.clause) for grant in allows):
            return True
        return self._lister.may_grant(principal)

    def _combined(
        self, start: IdentityId, ways: Iterable[Reached], most: int
    ) -> Reply | None:
        """Combine the answers at the end of each path; None without any.

        Rows covered by an unconditional part of the same account are dropped before the
        steps to them are evaluated.
        """
        graph = self.graph
        whole: Reply | None = None
        parts: list[Reply] = []
        sure = SureParts()
        told: set[tuple[object, ...]] = set()
        through = seen = further = 0
        total = self._paths.count(graph.start(start)) if self._paths else 0
        for way in ways:
            if through >= most:
                further = total - seen
                break
            seen += bool(way.steps)
            account = graph.principal(way.node).identity.account
            rows = [
                row for row in self._rows_of(way.node) if not sure.cover(account, row)
            ]
            if self._answer_of(way.node).formula != FALSE and not _is_open(whole):
                reply = self._whole_reply(start, way)
                better = whole is None or queries.rank(reply) > queries.rank(whole)
                whole = reply if better else whole
            listed = (queries.listed(graph, start, way, r, told) for r in rows)
            found = [part for part in listed if part]
            parts += found
            through += bool(found and way.steps)
            for part in found:
                sure.add(account, part)
        if whole is None and not parts:
            return None
        nothing = queries.nobody()
        whole = whole or replace(nothing, subject=start, actor=start)
        return _with_further(self.union.combined([whole], parts), further)

    def _answer_outside(self, start: IdentityId, *, direct: bool) -> Reply:
        graph, call = self.graph, (self.action, self.resource)
        whole = queries.can(graph, start, *call, direct=direct)
        if whole.formula == TRUE:
            return replace(whole, covers=Extent.ALL, parts=(self._as_part(whole),))
        parts = queries.reach(graph, start, self._wanted, direct=direct)
        return self.union.combined([whole], parts)

    def _whole_reply(self, start: IdentityId, way: Reached) -> Reply:
        return queries.replied(self.graph, start, way, self._answer_of(way.node))

    def _as_part(self, whole: Reply) -> Reply:
        return replace(whole, row=self._whole_row(whole))

    def _whole_row(self, whole: Reply | Answer) -> Row:
        action, pattern = self._wanted.actions, Term(self._pattern)
        return Row(
            action, pattern, "", whole.formula, whole.determining, tuple(whole.gaps)
        )

    def _answer_of(self, node: Node) -> Answer:
        found = self._answers.get(node)
        if found is None:
            principal = self.graph.principal(node)
            found = self._answers[node] = self._all_of.answer(principal)
        return found

    def _rows_of(self, node: Node) -> tuple[Row, ...]:
        """List the rows of a node; a single one if all of the pattern is allowed."""
        found = self._rows.get(node)
        if found is None:
            answer, principal = self._answer_of(node), self.graph.principal(node)
            found = ()
            if answer.formula == TRUE:
                found = (self._whole_row(answer),)
            elif self.may_touch(principal):
                rows = self._lister.rows_of(principal)
                found = tuple(
                    queries.callable_rows(self.graph, principal, self._wanted, rows)
                )
            self._rows[node] = found
        return found

    def _touches(self, clause: Clause) -> bool:
        """Tell whether a statement may match some of the pattern."""
        found = self._touching.get(clause)
        if found is None:
            wanted = self._wanted.resources.pattern
            found = not clause.parts or bool(clause.not_resources)
            found = found or any(overlaps_parts(p, wanted) for p in clause.parts)
            self._touching[clause] = found
        return found

    def _may_be_whole(self, clause: Clause) -> bool:
        """Tell whether a statement may allow all of the pattern."""
        if not clause.parts or clause.not_resources:
            return True
        return any(matches_parts(parts, self._pattern) for parts in clause.parts)

    def _ways(self, node: Node) -> Iterator[Reached]:
        """List paths to nodes that may act on some of it, nearest first."""
        paths = self._paths_of()
        if not paths.leads_on(node):
            return iter([Reached(self.graph, (node,))])
        return reached(self.graph, node, ends=paths.some, stops=paths.stops)

    def _paths_of(self) -> "_Paths":
        if self._paths is None:
            self._paths = self._find_paths()
        return self._paths

    def _find_paths(self) -> "_Paths":
        """Find the actors that may act on some of the pattern, and on all of it."""
        graph, estate = self.graph, self.graph.estate
        whole = whole_of(graph)
        index, action = whole.actors.index, self._wanted.actions.pattern
        some = wide = 0
        for clause in index.identity.taking(action).allows:
            some |= index.identity.actors[clause] if self._touches(clause) else 0
            wide |= index.identity.actors[clause] if self._may_be_whole(clause) else 0
        for unread in index.unread.values():
            some |= unread
        granted = (
            number
            for number, principal in enumerate(index.actors[: index.size])
            if self._lister.may_grant(principal)
        )
        some |= index.with_gains(gathered(granted, index.size))
        if action in TRUST_CALLS:
            some = index.all
        starts = [graph.start(identity) for identity in estate.principals]
        for node in starts:
            number = whole.number(node)
            if number >= whole.size and self.may_touch(graph.principal(node)):
                some |= 1 << number
                wide |= 1 << number
        sure = gathered(
            (n for n in positions(some & wide) if self._is_whole(whole.node(n))),
            whole.count,
        )
        found = towards(graph, starts, Verdicts(sure, 0))
        return _Paths(whole, some, found, self._stops(whole, sure))

    def _is_whole(self, node: Node) -> bool:
        return self._answer_of(node).formula == TRUE

    def _stops(self, whole: Whole, sure: int) -> int:
        """Find the nodes at which the search can stop.

        A node that may act on all of the pattern covers the other nodes of its account.
        """
        accounts: dict[str, list[int]] = {}
        for number, node in enumerate(whole.actors.nodes[: whole.size] if sure else ()):
            accounts.setdefault(_account_of(node), []).append(number)
        same = {name: gathered(held, whole.size) for name, held in accounts.items()}
        stops = 0
        for number in positions(sure):
            if not whole.beyond(number) & ~same[_account_of(whole.node(number))]:
                stops |= 1 << number
        return stops


def _is_open(reply: Reply | None) -> bool:
    """Tell whether an answer does not depend on uncollected allows alone."""
    return reply is not None and queries.rank(reply) >= queries.OPEN


def _with_further(reply: Reply, further: int) -> Reply:
    """Add the number of identities that are not listed as an open condition."""
    if not further or reply.formula == TRUE:
        return reply
    more = atom(FURTHER, "Through", (str(further),))
    return replace(reply, formula=either(reply.formula, more))


def _account_of(node: Node) -> str:
    pieces = node.identity.split(":", 5)
    return pieces[4] if len(pieces) > 4 else ""


class _Paths:
    """Identities that may act on part of a pattern, and paths to them.

    Attributes:
        some: Bitset of actors that may act on some of it; a superset.
        sure: Unconditional paths to actors that may act on all of it.
        stops: Bitset of actors at which a search can stop.
    """

    def __init__(self, whole: Whole, some: int, sure: Towards, stops: int) -> None:
        self.some, self.sure, self.stops = some, sure, stops
        self._whole = whole

    def leads_on(self, node: Node) -> bool:
        """Tell whether other identities a node can become may act on some of it."""
        number = self._whole.number(node)
        return bool(self._whole.beyond(number) & self.some & ~(1 << number))

    def count(self, node: Node) -> int:
        """Count the other identities a node can become that may act on some of it."""
        number = self._whole.number(node)
        return (self._whole.beyond(number) & self.some & ~(1 << number)).bit_count()

    def leads(self, node: Node) -> bool:
        """Tell whether a node, or an identity it can become, may act on some of it."""
        return bool(self.some >> self._whole.number(node) & 1) or self.leads_on(node)

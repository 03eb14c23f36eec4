"""The three questions: what can it reach, can it do this, who can do this."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from answerable.model.ids import IdentityId
from answerable.reach.bits.rights import Verdicts
from answerable.reach.bits.whole import whole_of
from answerable.reach.estate.clauses import Gap
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.outside import Caller, caller_of
from answerable.reach.estate.principals import Principal
from answerable.reach.paths.graph import Graph
from answerable.reach.paths.paths import Hop, Reached, becoming, reached, towards
from answerable.reach.paths.steps import Node
from answerable.reach.patterns.globs import is_literal, outward
from answerable.reach.patterns.resources import text_parts
from answerable.reach.patterns.terms import (
    ACTIONS,
    RESOURCES,
    Term,
    disjoint,
    parts_text,
)
from answerable.reach.rows.listing import rows_of
from answerable.reach.rows.rows import Filter, Row
from answerable.reach.unknown import rests_on_missing
from answerable.reach.verdict.formula import FALSE, TRUE, Formula, Verdict, chained
from answerable.reach.verdict.request import Answer, Determining
from answerable.reach.verdict.single import abroad, ask, ask_as
from answerable.reach.verdict.trust import ASSUME, Entry
from answerable.reach.visiting import entries_of, rows_as


class Extent(StrEnum):
    """Share of a resource pattern that an answer allows, given its conditions."""

    ALL = "all"
    PART = "part"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer for one subject.

    Attributes:
        subject: Id of who was asked about.
        actor: The identity that makes the call at the end of the path.
        formula: When, over the whole path.
        determining: The statements that decided the call itself.
        admin: Whether the actor may do everything everywhere.
        path: Steps from subject to actor; empty when they are the same.
        gaps: What was not read and could change it.
        row: The row, for answers that are patterns.
        covers: How much of a pattern, for a question about one.
        parts: Replies with a row each, of the parts of the pattern that are allowed.
        own: When the call itself is allowed, its path aside; None where that is not kept.
        tried: Whom the subject can become, in vain; of an answer that is never.
    """

    subject: str
    actor: IdentityId
    formula: Formula
    determining: tuple[Determining, ...]
    admin: bool
    path: tuple[Hop, ...]
    gaps: tuple[Gap, ...]
    row: Row | None = None
    covers: Extent | None = None
    parts: tuple["Reply", ...] = ()
    own: Formula | None = None
    tried: tuple[IdentityId, ...] = ()


def can(
    graph: Graph,
    start: IdentityId,
    action: str,
    resource: str,
    *,
    direct: bool,
    goals: Verdicts | None = None,
) -> Reply:
    """Answer for a subject, by itself or through whom it can become.

    A sure answer beats an open one, an open one beats one that only a policy that was
    not collected could allow, a shorter path a longer one. The subject may be a
    caller from outside the snapshot. `goals` are the actors that may make the call by
    themselves, where they were found before.
    """
    if start not in graph.estate.principals:
        return _can_as(graph, start, action, resource, direct=direct)
    node = graph.start(start)
    best = _reply(graph, start, Reached(graph, (node,)), action, resource)
    if direct or best.formula == TRUE:
        return best
    whole = whole_of(graph)
    goals = goals or whole.goal(action, resource)
    number = whole.number(node)
    if whole.leads(number, goals) is Verdict.NEVER:
        tried = becoming(graph, node) if best.formula == FALSE else ()
        return replace(best, tried=tried)
    left = _MOST_OPEN
    for way in reached(graph, node):
        bit = 1 << whole.number(way.node)
        certain = way.certain and bool(goals.sure & bit)
        if not certain and (rank(best) >= OPEN or not (left and goals.some & bit)):
            continue
        left -= 0 if certain else 1
        reply = _reply(graph, start, way, action, resource)
        if reply.formula == TRUE:
            return reply
        if rank(reply) > rank(best):
            best = reply
    return best


MISSING, OPEN = 1, 2
_MOST_OPEN = 256  # open paths that are judged for one that rests on less


def rank(reply: Reply) -> int:
    """Rank an answer: never, open for want of a policy that was not collected, open, always."""
    if reply.formula in (FALSE, TRUE):
        return 3 if reply.formula == TRUE else 0
    return MISSING if rests_on_missing(reply.formula) else OPEN


def _can_as(
    graph: Graph, subject: str, action: str, resource: str, *, direct: bool
) -> Reply:
    best = nobody()
    for reply in _answers_as(graph, subject, action, resource, direct=direct):
        if reply.formula == TRUE:
            return reply
        if not best.subject or (best.formula == FALSE and reply.formula != FALSE):
            best = reply
    if best.formula == FALSE and not direct:
        return replace(best, tried=_tried_as(graph, subject))
    return best


def _tried_as(graph: Graph, subject: str) -> tuple[IdentityId, ...]:
    """List whom a caller from outside can become through the roles it may enter."""
    caller = caller_of(subject, graph.estate.accounts)
    roles = [role for role, _ in entries_of(graph, caller)] if caller else []
    beyond = (becoming(graph, graph.start(role)) for role in roles)
    return tuple(dict.fromkeys((*roles, *chain.from_iterable(beyond))))


def _answers_as(
    graph: Graph, subject: str, action: str, resource: str, *, direct: bool
) -> Iterator[Reply]:
    """Answer for a caller from outside: by itself, then through roles it may enter."""
    estate = graph.estate
    caller = caller_of(subject, estate.accounts)
    if caller is None:
        return
    yield of_caller(caller, ask_as(estate, caller, action, resource))
    if direct:
        return
    entries = list(entries_of(graph, caller))
    if not entries:
        return
    found = towards(graph, (), whole_of(graph).goal(action, resource))
    for role, entry in entries:
        way = found.way(Node(role))
        if way is not None:
            hops = (replace(entry_hop(entry, role), origin=subject),)
            answer = ask(estate, graph.principal(way.node), action, resource)
            yield replied(graph, subject, way, answer, hops)


def of_caller(caller: Caller, answer: Answer) -> Reply:
    """Reply the answer about a caller from outside."""
    return Reply(
        subject=caller.id,
        actor=IdentityId(caller.id),
        formula=answer.formula,
        determining=answer.determining,
        admin=False,
        path=(),
        gaps=answer.gaps,
    )


def _reply(
    graph: Graph, subject: str, way: Reached, action: str, resource: str
) -> Reply:
    answer = ask(graph.estate, graph.principal(way.node), action, resource)
    return replied(graph, subject, way, answer)


def replied(
    graph: Graph,
    subject: str,
    way: Reached,
    answer: Answer,
    before: tuple[Hop, ...] = (),
) -> Reply:
    """Reply what the end of a path was answered.

    Args:
        graph: The graph.
        subject: Id of who was asked about.
        way: The path.
        answer: Of the call itself.
        before: How the subject enters the path.
    """
    entering = (hop.formula for hop in before)
    return Reply(
        subject=subject,
        actor=way.node.identity,
        formula=chained(*entering, way.formula, answer.formula),
        determining=answer.determining,
        admin=graph.admin(way.node),
        path=(*before, *way.hops) if answer.formula != FALSE else (),
        gaps=tuple(dict.fromkeys((*_way_gaps(way), *answer.gaps))),
        own=answer.formula,
    )


def _way_gaps(way: Reached) -> tuple[Gap, ...]:
    """List what was not read along a path."""
    return tuple(dict.fromkeys(g for _, edge in way.edges for g in edge.gaps))


def reach(
    graph: Graph, start: IdentityId, wanted: Filter, *, direct: bool
) -> Iterator[Reply]:
    """List rows: the identity's own first, then those of each it can become.

    Rows through an identity in an account where the path already met an admin are
    left out: the admin's rows say as much. The same row in another account is another:
    a pattern speaks of the account's own, and its trail records the calls.
    """
    if start not in graph.estate.principals:
        yield from _reach_as(graph, start, wanted, direct=direct)
        return
    node = graph.start(start)
    ways: Iterable[Reached] = [Reached(graph, (node,))]
    if not direct:
        ways = reached(graph, node)
    ruled: set[str] = set()
    told: set[tuple[object, ...]] = set()
    for way in ways:
        account = graph.principal(way.node).identity.account
        if account in ruled and way.steps:
            continue
        if graph.admin(way.node) and way.certain:
            ruled.add(account)
        for row in principal_rows(graph, graph.principal(way.node), wanted):
            reply = listed(graph, start, way, row, told)
            if reply:
                yield reply


def listed(
    graph: Graph,
    start: IdentityId,
    way: Reached,
    row: Row,
    told: set[tuple[object, ...]],
) -> Reply | None:
    """Reply what a row at the end of a path says, unless that was told already.

    Args:
        graph: The graph.
        start: The subject.
        way: The path.
        row: The row.
        told: What holds for sure by an earlier path; grows.
    """
    account = graph.principal(way.node).identity.account
    formula = chained(way.formula, row.formula)
    key = (account, row.actions, row.resources, row.shown)
    if key in told:
        return None
    if formula == TRUE:
        told.add(key)
    return Reply(
        subject=start,
        actor=way.node.identity,
        formula=formula,
        determining=row.determining,
        admin=graph.admin(way.node),
        path=way.hops,
        gaps=tuple(dict.fromkeys((*_way_gaps(way), *row.gaps))),
        row=row,
        own=row.formula,
    )


def _reach_as(
    graph: Graph, subject: str, wanted: Filter, *, direct: bool
) -> Iterator[Reply]:
    """List rows of a caller from outside: its own, then those of roles it may enter."""
    caller = caller_of(subject, graph.estate.accounts)
    if caller is None:
        return
    for row in rows_as(graph.estate, caller, wanted):
        answer = Answer(row.formula, row.determining, row.gaps)
        yield replace(of_caller(caller, answer), row=row)
    for role, entry in () if direct else entries_of(graph, caller):
        hop = replace(entry_hop(entry, role), origin=subject)
        for reply in reach(graph, role, wanted, direct=False):
            formula = chained(hop.formula, reply.formula)
            path = (hop, *reply.path)
            yield replace(reply, subject=subject, formula=formula, path=path)


def principal_rows(graph: Graph, principal: Principal, wanted: Filter) -> Iterator[Row]:
    """List a principal's own rows; assuming a role is judged with the role's trust.

    Rows of a wider pattern (`sts:*`, `*`) speak for the principal's side alone.
    """
    rows = rows_of(graph.estate, principal, wanted)
    return callable_rows(graph, principal, wanted, rows)


def callable_rows(
    graph: Graph, principal: Principal, wanted: Filter, rows: Iterable[Row]
) -> Iterator[Row]:
    """Replace rows about assuming roles by one for each role whose trust allows it.

    Args:
        graph: The graph.
        principal: The principal.
        wanted: Which rows are asked for.
        rows: What its statements and resources' own policies say.
    """
    estate, account = graph.estate, principal.identity.account
    for row in rows:
        pattern = row.actions.pattern
        on = outward(parts_text(row.resources.pattern))
        listed = pattern != ASSUME or _outside(estate, row)
        if listed and not abroad(estate, account, pattern, on):
            yield row
    yield from _assumable(graph, principal, wanted)


def _outside(estate: Estate, row: Row) -> bool:
    """Tell whether a row may name a role that was not collected."""
    pattern = row.resources.pattern
    if len(pattern) == 6 and is_literal(pattern[4]):
        named = IdentityId(parts_text(pattern))
        return not estate.is_collected(pattern[4]) and named not in estate.trusts
    return False


def _assumable(graph: Graph, principal: Principal, wanted: Filter) -> Iterator[Row]:
    actions = Term(ASSUME)
    if disjoint(ACTIONS, actions, wanted.actions):
        return
    for role in graph.assumable(principal):
        resources = Term(text_parts(role))
        if disjoint(RESOURCES, resources, wanted.resources) or not wanted.flat_fits(
            resources.pattern
        ):
            continue
        answer = ask(graph.estate, principal, ASSUME, role)
        if answer.formula != FALSE:
            yield Row(
                actions, resources, "", answer.formula, answer.determining, answer.gaps
            )


def entry_hop(entry: Entry, role: str) -> Hop:
    """Write how somebody outside enters a role."""
    return Hop(
        entry.principal,
        entry.action,
        role,
        entry.answer.formula,
        entry.answer.determining,
    )


def nobody() -> Reply:
    """Return the reply of somebody who can do nothing."""
    return Reply("", IdentityId(""), FALSE, (), False, (), ())

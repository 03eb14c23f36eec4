"""Queries of one subject: `reach` lists permissions, `can` decides one call."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.caller_side import Verdicts
from answerable.reach.aws.bulk.closure import whole_of
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.external_callers import Caller, caller_of
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Gap
from answerable.reach.aws.evaluation.request import Answer, Determining
from answerable.reach.aws.evaluation.single_request import abroad, ask, ask_as
from answerable.reach.aws.evaluation.trust import ASSUME, Entry
from answerable.reach.aws.external_queries import entries_of, rows_as
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.search import Hop, Reached, becoming, reached, towards
from answerable.reach.aws.patterns.arns import text_parts
from answerable.reach.aws.patterns.globs import is_literal, outward
from answerable.reach.aws.patterns.terms import (
    ACTIONS,
    RESOURCES,
    Term,
    disjoint,
    parts_text,
)
from answerable.reach.aws.permission_rows.principal_rows import rows_of
from answerable.reach.aws.permission_rows.row_types import Filter, Row
from answerable.reach.formula import FALSE, TRUE, Formula, Verdict, chained
from answerable.reach.unknown_subjects import rests_on_missing


class Extent(StrEnum):
    """Share of a resource pattern that an answer allows under its conditions."""

    ALL = "all"
    PART = "part"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer for one subject.

    Attributes:
        subject: Id of the subject.
        actor: The identity that makes the call at the end of the path.
        formula: Condition over the whole path.
        determining: Determining statements of the call itself.
        admin: Whether the actor is an administrator.
        path: Steps from subject to actor; empty if they are equal.
        gaps: Policies and statements not read that could change it.
        row: The row, for answers that are patterns.
        covers: Share of a pattern, for a question about one.
        parts: Answers with a row each, for the allowed parts of the pattern.
        own: Condition of the call itself, paths aside; None where not kept.
        tried: Identities that the subject can become; for the answer `never`.
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
    """Decide a call of a subject, by itself or through identities it can become.

    An unconditional answer beats a conditional one, that beats one that depends on
    uncollected allows alone, and a shorter path beats a longer one. The subject may be
    an outside caller. `goals` are the actors that may make the call by themselves, if
    computed before.
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
_MOST_OPEN = 256  # conditional paths that are evaluated in search of a better one


def rank(reply: Reply) -> int:
    """Rank an answer: never, dependent on uncollected allows, conditional, always."""
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
    """List the identities that an outside caller can become through trust policies."""
    caller = caller_of(subject, graph.estate.accounts)
    roles = [role for role, _ in entries_of(graph, caller)] if caller else []
    beyond = (becoming(graph, graph.start(role)) for role in roles)
    return tuple(dict.fromkeys((*roles, *chain.from_iterable(beyond))))


def _answers_as(
    graph: Graph, subject: str, action: str, resource: str, *, direct: bool
) -> Iterator[Reply]:
    """Yield answers for an outside caller: by itself, then through roles."""
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
    """Build the answer for an outside caller."""
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
    """Build the answer for the result at the end of a path."""
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
    """List the gaps along a path."""
    return tuple(dict.fromkeys(g for _, edge in way.edges for g in edge.gaps))


def reach(
    graph: Graph, start: IdentityId, wanted: Filter, *, direct: bool
) -> Iterator[Reply]:
    """List permission rows: the identity's own, then those of identities it can become.

    After an administrator of an account, rows through other identities of the account
    are left out: its rows cover them. Equal rows in two accounts are both listed: a
    pattern without an account means the own account, whose trail records the calls.
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
    """Build the answer for a row at the end of a path, unless it was listed before."""
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
    """List rows of an outside caller: its own, then those of roles it may enter."""
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
    """List a principal's own rows; `sts:AssumeRole` is evaluated with trust policies.

    Rows of a wider pattern (`sts:*`, `*`) cover the principal's side alone.
    """
    rows = rows_of(graph.estate, principal, wanted)
    return callable_rows(graph, principal, wanted, rows)


def callable_rows(
    graph: Graph, principal: Principal, wanted: Filter, rows: Iterable[Row]
) -> Iterator[Row]:
    """Replace rows of `sts:AssumeRole` by one for each role that may be assumed."""
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
    """Build the hop by which an outside principal enters a role."""
    return Hop(
        entry.principal,
        entry.action,
        role,
        entry.answer.formula,
        entry.answer.determining,
    )


def nobody() -> Reply:
    """Build the answer `never` without a subject."""
    return Reply("", IdentityId(""), FALSE, (), False, (), ())

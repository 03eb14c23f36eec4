"""Queries of one subject: `reach` lists permissions, `can` decides one call."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.caller_side import VerdictBits
from answerable.reach.aws.bulk.closure import get_closure
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.external_callers import ExternalCaller, parse_caller
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import PolicyGap
from answerable.reach.aws.evaluation.request import DeterminingStatement, Evaluation
from answerable.reach.aws.evaluation.single_request import (
    evaluate_action,
    evaluate_external,
    is_owner_only,
)
from answerable.reach.aws.evaluation.trust import ASSUME_ROLE, TrustEntry
from answerable.reach.aws.external_queries import list_caller_rows, list_entry_roles
from answerable.reach.aws.paths.edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.search import (
    PathHop,
    ReachPath,
    iterate_paths,
    list_reachable_identities,
    search_backward,
)
from answerable.reach.aws.patterns.arns import split_arn
from answerable.reach.aws.patterns.globs import decode_glob, is_literal
from answerable.reach.aws.patterns.terms import (
    ACTIONS,
    RESOURCES,
    PatternTerm,
    format_arn,
    is_disjoint,
)
from answerable.reach.aws.permission_rows.principal_rows import list_principal_rows
from answerable.reach.aws.permission_rows.row_types import PermissionRow, RowFilter
from answerable.reach.formula import FALSE, TRUE, Formula, Verdict, conjoin_hops
from answerable.reach.unknown_subjects import rests_on_uncollected_allow


class PatternExtent(StrEnum):
    """Share of a resource pattern that an answer allows under its conditions."""

    ALL = "all"
    PART = "part"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ReachAnswer:
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
    determining: tuple[DeterminingStatement, ...]
    admin: bool
    path: tuple[PathHop, ...]
    gaps: tuple[PolicyGap, ...]
    row: PermissionRow | None = None
    covers: PatternExtent | None = None
    parts: tuple["ReachAnswer", ...] = ()
    own: Formula | None = None
    tried: tuple[IdentityId, ...] = ()


def answer_can(
    graph: IdentityGraph,
    start: IdentityId,
    action: str,
    resource: str,
    *,
    direct: bool,
    goals: VerdictBits | None = None,
) -> ReachAnswer:
    """Decide a call of a subject, by itself or through identities it can become.

    An unconditional answer beats a conditional one, that beats one that depends on
    uncollected allows alone, and a shorter path beats a longer one. The subject may be
    an outside caller. `goals` are the actors that may make the call by themselves, if
    computed before.
    """
    if start not in graph.estate.principals:
        return _answer_can_external(graph, start, action, resource, direct=direct)
    node = graph.get_start_node(start)
    best = _answer_path(graph, start, ReachPath(graph, (node,)), action, resource)
    if direct or best.formula == TRUE:
        return best
    whole = get_closure(graph)
    goals = goals or whole.find_direct_callers(action, resource)
    number = whole.get_number(node)
    if whole.evaluate_reach(number, goals) is Verdict.NEVER:
        tried = list_reachable_identities(graph, node) if best.formula == FALSE else ()
        return replace(best, tried=tried)
    left = _MAX_CONDITIONAL_PATHS
    for way in iterate_paths(graph, node):
        bit = 1 << whole.get_number(way.target)
        certain = way.certain and bool(goals.sure & bit)
        if not certain and (
            rank_answer(best) >= CONDITIONAL or not (left and goals.some & bit)
        ):
            continue
        left -= 0 if certain else 1
        reply = _answer_path(graph, start, way, action, resource)
        if reply.formula == TRUE:
            return reply
        if rank_answer(reply) > rank_answer(best):
            best = reply
    return best


RESTS_ON_UNCOLLECTED, CONDITIONAL = 1, 2
_MAX_CONDITIONAL_PATHS = (
    256  # conditional paths that are evaluated in search of a better one
)


def rank_answer(reply: ReachAnswer) -> int:
    """Rank an answer: never, dependent on uncollected allows, conditional, always."""
    if reply.formula in (FALSE, TRUE):
        return 3 if reply.formula == TRUE else 0
    return (
        RESTS_ON_UNCOLLECTED
        if rests_on_uncollected_allow(reply.formula)
        else CONDITIONAL
    )


def _answer_can_external(
    graph: IdentityGraph, subject: str, action: str, resource: str, *, direct: bool
) -> ReachAnswer:
    best = empty_answer()
    for reply in _iterate_external_answers(
        graph, subject, action, resource, direct=direct
    ):
        if reply.formula == TRUE:
            return reply
        if not best.subject or (best.formula == FALSE and reply.formula != FALSE):
            best = reply
    if best.formula == FALSE and not direct:
        return replace(best, tried=_list_tried_identities(graph, subject))
    return best


def _list_tried_identities(
    graph: IdentityGraph, subject: str
) -> tuple[IdentityId, ...]:
    """List the identities that an outside caller can become through trust policies."""
    caller = parse_caller(subject, graph.estate.accounts)
    roles = [role for role, _ in list_entry_roles(graph, caller)] if caller else []
    beyond = (
        list_reachable_identities(graph, graph.get_start_node(role)) for role in roles
    )
    return tuple(dict.fromkeys((*roles, *chain.from_iterable(beyond))))


def _iterate_external_answers(
    graph: IdentityGraph, subject: str, action: str, resource: str, *, direct: bool
) -> Iterator[ReachAnswer]:
    """Yield answers for an outside caller: by itself, then through roles."""
    estate = graph.estate
    caller = parse_caller(subject, estate.accounts)
    if caller is None:
        return
    yield answer_caller(caller, evaluate_external(estate, caller, action, resource))
    if direct:
        return
    entries = list(list_entry_roles(graph, caller))
    if not entries:
        return
    found = search_backward(
        graph, (), get_closure(graph).find_direct_callers(action, resource)
    )
    for role, entry in entries:
        way = found.find_path(IdentityNode(role))
        if way is not None:
            hops = (replace(entry_to_hop(entry, role), origin=subject),)
            answer = evaluate_action(
                estate, graph.get_principal(way.target), action, resource
            )
            yield build_answer(graph, subject, way, answer, hops)


def answer_caller(caller: ExternalCaller, answer: Evaluation) -> ReachAnswer:
    """Build the answer for an outside caller."""
    return ReachAnswer(
        subject=caller.id,
        actor=IdentityId(caller.id),
        formula=answer.formula,
        determining=answer.determining,
        admin=False,
        path=(),
        gaps=answer.gaps,
    )


def _answer_path(
    graph: IdentityGraph, subject: str, way: ReachPath, action: str, resource: str
) -> ReachAnswer:
    answer = evaluate_action(
        graph.estate, graph.get_principal(way.target), action, resource
    )
    return build_answer(graph, subject, way, answer)


def build_answer(
    graph: IdentityGraph,
    subject: str,
    way: ReachPath,
    answer: Evaluation,
    before: tuple[PathHop, ...] = (),
) -> ReachAnswer:
    """Build the answer for the result at the end of a path."""
    entering = (hop.formula for hop in before)
    return ReachAnswer(
        subject=subject,
        actor=way.target.identity,
        formula=conjoin_hops(*entering, way.formula, answer.formula),
        determining=answer.determining,
        admin=graph.is_administrator(way.target),
        path=(*before, *way.hops) if answer.formula != FALSE else (),
        gaps=tuple(dict.fromkeys((*_list_path_gaps(way), *answer.gaps))),
        own=answer.formula,
    )


def _list_path_gaps(way: ReachPath) -> tuple[PolicyGap, ...]:
    """List the gaps along a path."""
    return tuple(dict.fromkeys(g for _, edge in way.edges for g in edge.gaps))


def iterate_reach(
    graph: IdentityGraph, start: IdentityId, wanted: RowFilter, *, direct: bool
) -> Iterator[ReachAnswer]:
    """List permission rows: the identity's own, then those of identities it can become.

    After an administrator of an account, rows through other identities of the account
    are left out: its rows cover them. Equal rows in two accounts are both listed: a
    pattern without an account means the own account, whose trail records the calls.
    """
    if start not in graph.estate.principals:
        yield from _iterate_external_reach(graph, start, wanted, direct=direct)
        return
    node = graph.get_start_node(start)
    ways: Iterable[ReachPath] = [ReachPath(graph, (node,))]
    if not direct:
        ways = iterate_paths(graph, node)
    ruled: set[str] = set()
    told: set[tuple[object, ...]] = set()
    for way in ways:
        account = graph.get_principal(way.target).identity.account
        if account in ruled and way.step_count:
            continue
        if graph.is_administrator(way.target) and way.certain:
            ruled.add(account)
        for row in list_callable_rows(graph, graph.get_principal(way.target), wanted):
            reply = build_row_answer(graph, start, way, row, told)
            if reply:
                yield reply


def build_row_answer(
    graph: IdentityGraph,
    start: IdentityId,
    way: ReachPath,
    row: PermissionRow,
    told: set[tuple[object, ...]],
) -> ReachAnswer | None:
    """Build the answer for a row at the end of a path, unless it was listed before."""
    account = graph.get_principal(way.target).identity.account
    formula = conjoin_hops(way.formula, row.formula)
    key = (account, row.actions, row.resources, row.shown)
    if key in told:
        return None
    if formula == TRUE:
        told.add(key)
    return ReachAnswer(
        subject=start,
        actor=way.target.identity,
        formula=formula,
        determining=row.determining,
        admin=graph.is_administrator(way.target),
        path=way.hops,
        gaps=tuple(dict.fromkeys((*_list_path_gaps(way), *row.gaps))),
        row=row,
        own=row.formula,
    )


def _iterate_external_reach(
    graph: IdentityGraph, subject: str, wanted: RowFilter, *, direct: bool
) -> Iterator[ReachAnswer]:
    """List rows of an outside caller: its own, then those of roles it may enter."""
    caller = parse_caller(subject, graph.estate.accounts)
    if caller is None:
        return
    for row in list_caller_rows(graph.estate, caller, wanted):
        answer = Evaluation(row.formula, row.determining, row.gaps)
        yield replace(answer_caller(caller, answer), row=row)
    for role, entry in () if direct else list_entry_roles(graph, caller):
        hop = replace(entry_to_hop(entry, role), origin=subject)
        for reply in iterate_reach(graph, role, wanted, direct=False):
            formula = conjoin_hops(hop.formula, reply.formula)
            path = (hop, *reply.path)
            yield replace(reply, subject=subject, formula=formula, path=path)


def list_callable_rows(
    graph: IdentityGraph, principal: CompiledPrincipal, wanted: RowFilter
) -> Iterator[PermissionRow]:
    """List a principal's own rows; `sts:AssumeRole` is evaluated with trust policies.

    Rows of a wider pattern (`sts:*`, `*`) cover the principal's side alone.
    """
    rows = list_principal_rows(graph.estate, principal, wanted)
    return replace_assume_role_rows(graph, principal, wanted, rows)


def replace_assume_role_rows(
    graph: IdentityGraph,
    principal: CompiledPrincipal,
    wanted: RowFilter,
    rows: Iterable[PermissionRow],
) -> Iterator[PermissionRow]:
    """Replace rows of `sts:AssumeRole` by one for each role that may be assumed."""
    estate, account = graph.estate, principal.identity.account
    for row in rows:
        pattern = row.actions.pattern
        on = decode_glob(format_arn(row.resources.pattern))
        listed = pattern != ASSUME_ROLE or _names_uncollected_role(estate, row)
        if listed and not is_owner_only(estate, account, pattern, on):
            yield row
    yield from _list_assume_role_rows(graph, principal, wanted)


def _names_uncollected_role(estate: CompiledAccounts, row: PermissionRow) -> bool:
    """Tell whether a row may name a role that was not collected."""
    pattern = row.resources.pattern
    if len(pattern) == 6 and is_literal(pattern[4]):
        named = IdentityId(format_arn(pattern))
        return (
            not estate.is_account_collected(pattern[4]) and named not in estate.trusts
        )
    return False


def _list_assume_role_rows(
    graph: IdentityGraph, principal: CompiledPrincipal, wanted: RowFilter
) -> Iterator[PermissionRow]:
    actions = PatternTerm(ASSUME_ROLE)
    if is_disjoint(ACTIONS, actions, wanted.actions):
        return
    for role in graph.list_assumable_roles(principal):
        resources = PatternTerm(split_arn(role))
        if is_disjoint(
            RESOURCES, resources, wanted.resources
        ) or not wanted.matches_flat_glob(resources.pattern):
            continue
        answer = evaluate_action(graph.estate, principal, ASSUME_ROLE, role)
        if answer.formula != FALSE:
            yield PermissionRow(
                actions, resources, "", answer.formula, answer.determining, answer.gaps
            )


def entry_to_hop(entry: TrustEntry, role: str) -> PathHop:
    """Build the hop by which an outside principal enters a role."""
    return PathHop(
        entry.principal,
        entry.action,
        role,
        entry.answer.formula,
        entry.answer.determining,
    )


def empty_answer() -> ReachAnswer:
    """Build the answer `never` without a subject."""
    return ReachAnswer("", IdentityId(""), FALSE, (), admin=False, path=(), gaps=())

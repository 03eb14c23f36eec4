"""Answer questions on one subject: `reach` lists permissions, `can` decides a call."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.external_callers import ExternalCaller, parse_caller
from answerable.reach.aws.compiled.statements import PolicyGap
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.evaluation.single_request import (
    evaluate_action,
    evaluate_external_caller_action,
)
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import (
    ReachPath,
    iterate_paths,
    list_reachable_identities,
    search_backward_from_targets,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    Verdict,
    conjoin_hops,
)
from answerable.reach.platform import DeterminingStatement, PathHop

# A call that needs no path imports neither the closure nor lists of permissions.
if TYPE_CHECKING:
    from answerable.reach.aws.bulk.bitset import VerdictBits
    from answerable.reach.aws.bulk.closure import GraphClosure
    from answerable.reach.aws.permission_rows.row_types import PermissionRow, RowFilter


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
    row: "PermissionRow | None" = None
    covers: PatternExtent | None = None
    parts: tuple["ReachAnswer", ...] = ()
    own: Formula | None = None
    tried: tuple[IdentityId, ...] = ()


def answer_subject(
    graph: IdentityGraph,
    subject: IdentityId,
    action: str,
    resource: str,
    *,
    direct: bool,
    targets: "VerdictBits | None" = None,
) -> ReachAnswer:
    """Decide whether a subject can make a call, itself or as another identity.

    An unconditional answer beats a conditional one, that beats one that depends on
    uncollected allows alone, and a shorter path beats a longer one. The subject may be
    an outside caller. `targets` are the actors that may make the call by themselves, if
    computed before.
    """
    if subject not in graph.accounts.principals:
        return _answer_external_call(graph, subject, action, resource, direct=direct)
    node = graph.get_start_node(subject)
    best = _answer_at_path_end(
        graph, subject, ReachPath(graph, (node,)), action, resource
    )
    if direct or best.formula == TRUE:
        return best
    from answerable.reach.aws.bulk.closure import get_graph_closure

    whole = get_graph_closure(graph)
    number = whole.get_or_assign_node_number(node)
    targets = targets or _find_targets_in_reach(whole, number, action, resource)
    if whole.evaluate_reach_of_targets(number, targets) is Verdict.NEVER:
        tried = list_reachable_identities(graph, node) if best.formula == FALSE else ()
        return replace(best, tried=tried)
    left = _MAX_CONDITIONAL_PATHS
    for way in iterate_paths(graph, node, end_bits=targets.some | targets.sure):
        if not way.certain and (rank_answer(best) >= CONDITIONAL or not left):
            break  # conditional paths come last
        bit = 1 << whole.get_or_assign_node_number(way.target)
        certain = way.certain and bool(targets.sure & bit)
        if not certain and (
            rank_answer(best) >= CONDITIONAL or not (left and targets.some & bit)
        ):
            continue
        left -= 0 if certain else 1
        reply = _answer_at_path_end(graph, subject, way, action, resource)
        if reply.formula == TRUE:
            return reply
        if rank_answer(reply) > rank_answer(best):
            best = reply
    return best


def _find_targets_in_reach(
    closure: "GraphClosure", number: int, action: str, resource: str
) -> "VerdictBits":
    """Return actors that may make a call, at least all that a node can become.

    A few identities are evaluated one by one; that reads a few rows of stored tables.
    """
    reachable = closure.get_reachable(number)
    if reachable.bit_count() > _MAX_EVALUATED_SINGLY:
        return closure.find_direct_callers(action, resource)
    from answerable.reach.aws.bulk.bitset import list_positions

    return closure.evaluate_each_node(list_positions(reachable), action, resource)


RESTS_ON_UNCOLLECTED, CONDITIONAL = 1, 2
# Conditional paths that are evaluated in search of a better one.
_MAX_CONDITIONAL_PATHS = 256
_MAX_EVALUATED_SINGLY = 32


def rank_answer(answer: ReachAnswer) -> int:
    """Return an answer's rank: never, uncollected allow, conditional, always."""
    if answer.formula in (FALSE, TRUE):
        return 3 if answer.formula == TRUE else 0
    uncollected = rests_on_uncollected_allow(answer.formula)
    return RESTS_ON_UNCOLLECTED if uncollected else CONDITIONAL


def _answer_external_call(
    graph: IdentityGraph, subject: str, action: str, resource: str, *, direct: bool
) -> ReachAnswer:
    """Decide whether an outside caller can make a call, itself or by roles."""
    best = build_never_answer()
    for reply in _iterate_answers_for_external_caller(
        graph, subject, action, resource, direct=direct
    ):
        if reply.formula == TRUE:
            return reply
        if not best.subject or (best.formula == FALSE and reply.formula != FALSE):
            best = reply
    if best.formula == FALSE and not direct:
        return replace(best, tried=_list_identities_of_external_caller(graph, subject))
    return best


def _list_identities_of_external_caller(
    graph: IdentityGraph, subject: str
) -> tuple[IdentityId, ...]:
    """List the identities that an outside caller can become through trust policies."""
    from answerable.reach.aws import external_caller_queries

    caller = parse_caller(subject, graph.accounts.accounts)
    entries = (
        external_caller_queries.list_roles_trusting_caller(graph, caller)
        if caller
        else ()
    )
    roles = [role for role, _ in entries]
    beyond = (
        list_reachable_identities(graph, graph.get_start_node(role)) for role in roles
    )
    return tuple(dict.fromkeys((*roles, *chain.from_iterable(beyond))))


def _iterate_answers_for_external_caller(
    graph: IdentityGraph, subject: str, action: str, resource: str, *, direct: bool
) -> Iterator[ReachAnswer]:
    """Yield answers for an outside caller: by itself, then through roles."""
    accounts = graph.accounts
    caller = parse_caller(subject, accounts.accounts)
    if caller is None:
        return
    yield build_caller_answer(
        caller, evaluate_external_caller_action(accounts, caller, action, resource)
    )
    if direct:
        return
    from answerable.reach.aws import external_caller_queries
    from answerable.reach.aws.bulk.closure import get_graph_closure

    entries = list(external_caller_queries.list_roles_trusting_caller(graph, caller))
    if not entries:
        return
    callers = get_graph_closure(graph).find_direct_callers(action, resource)
    found = search_backward_from_targets(graph, (), callers)
    for role, entry in entries:
        way = found.find_path_to_target(IdentityNode(role))
        if way is not None:
            hop = external_caller_queries.build_role_entry_hop(entry, role)
            hops = (replace(hop, origin=subject),)
            answer = evaluate_action(
                accounts, graph.get_principal(way.target), action, resource
            )
            yield build_answer_at_path_end(graph, subject, way, answer, hops)


def build_caller_answer(caller: ExternalCaller, result: Evaluation) -> ReachAnswer:
    """Build the answer for an outside caller from its evaluation."""
    return ReachAnswer(
        subject=caller.id,
        actor=IdentityId(caller.id),
        formula=result.formula,
        determining=result.determining,
        admin=False,
        path=(),
        gaps=result.gaps,
    )


def _answer_at_path_end(
    graph: IdentityGraph, subject: str, path: ReachPath, action: str, resource: str
) -> ReachAnswer:
    """Evaluate a call for the identity at the end of a path."""
    answer = evaluate_action(
        graph.accounts, graph.get_principal(path.target), action, resource
    )
    return build_answer_at_path_end(graph, subject, path, answer)


def build_answer_at_path_end(
    graph: IdentityGraph,
    subject: str,
    path: ReachPath,
    result: Evaluation,
    first_hops: tuple[PathHop, ...] = (),
) -> ReachAnswer:
    """Build the answer for a call made at the end of a path."""
    entering = (hop.formula for hop in first_hops)
    return ReachAnswer(
        subject=subject,
        actor=path.target.identity,
        formula=conjoin_hops(*entering, path.formula, result.formula),
        determining=result.determining,
        admin=graph.is_administrator(path.target),
        path=(*first_hops, *path.hops) if result.formula != FALSE else (),
        gaps=tuple(dict.fromkeys((*_list_unread_on_path(path), *result.gaps))),
        own=result.formula,
    )


def _list_unread_on_path(path: ReachPath) -> tuple[PolicyGap, ...]:
    """List the unreadable policies and statements along a path."""
    return tuple(dict.fromkeys(g for _, edge in path.edges for g in edge.gaps))


def iterate_subject_rows(
    graph: IdentityGraph, subject: IdentityId, row_filter: "RowFilter", *, direct: bool
) -> Iterator[ReachAnswer]:
    """List a subject's permission rows, then those of identities it can become.

    After an administrator of an account, rows through other identities of the account
    are left out: its rows cover them. Equal rows in two accounts are both listed: a
    pattern without an account means the own account, whose trail records the calls.
    """
    if subject not in graph.accounts.principals:
        yield from _iterate_external_rows(graph, subject, row_filter, direct=direct)
        return
    from answerable.reach.aws.permission_rows.callable_rows import list_callable_rows

    node = graph.get_start_node(subject)
    ways: Iterable[ReachPath] = [ReachPath(graph, (node,))]
    if not direct:
        ways = iterate_paths(graph, node)
    ruled: set[str] = set()
    told: set[tuple[object, ...]] = set()
    for way in ways:
        principal = graph.get_principal(way.target)
        account = principal.identity.account
        if account in ruled and way.step_count:
            continue
        if graph.is_administrator(way.target) and way.certain:
            ruled.add(account)
        for row in list_callable_rows(graph, principal, row_filter):
            reply = build_answer_for_row(graph, subject, way, row, told)
            if reply:
                yield reply


def build_answer_for_row(
    graph: IdentityGraph,
    subject: IdentityId,
    path: ReachPath,
    row: "PermissionRow",
    listed: set[tuple[object, ...]],
) -> ReachAnswer | None:
    """Build the answer for a permission row at the end of a path, once."""
    account = graph.get_principal(path.target).identity.account
    formula = conjoin_hops(path.formula, row.formula)
    key = (account, row.actions, row.resources, row.shown)
    if key in listed:
        return None
    if formula == TRUE:
        listed.add(key)
    return ReachAnswer(
        subject=subject,
        actor=path.target.identity,
        formula=formula,
        determining=row.determining,
        admin=graph.is_administrator(path.target),
        path=path.hops,
        gaps=tuple(dict.fromkeys((*_list_unread_on_path(path), *row.gaps))),
        row=row,
        own=row.formula,
    )


def _iterate_external_rows(
    graph: IdentityGraph, subject: str, row_filter: "RowFilter", *, direct: bool
) -> Iterator[ReachAnswer]:
    """List rows of an outside caller: its own, then those of roles it may enter."""
    caller = parse_caller(subject, graph.accounts.accounts)
    if caller is None:
        return
    from answerable.reach.aws.permission_rows.external_caller_rows import (
        list_rows_granted_to_caller,
    )

    for row in list_rows_granted_to_caller(graph.accounts, caller, row_filter):
        answer = Evaluation(row.formula, row.determining, row.gaps)
        yield replace(build_caller_answer(caller, answer), row=row)
    if direct:
        return
    from answerable.reach.aws import external_caller_queries

    for role, entry in external_caller_queries.list_roles_trusting_caller(
        graph, caller
    ):
        hop = external_caller_queries.build_role_entry_hop(entry, role)
        hop = replace(hop, origin=subject)
        for reply in iterate_subject_rows(graph, role, row_filter, direct=False):
            formula = conjoin_hops(hop.formula, reply.formula)
            path = (hop, *reply.path)
            yield replace(reply, subject=subject, formula=formula, path=path)


def build_never_answer() -> ReachAnswer:
    """Build the answer `never` for a question without a permitted subject."""
    return ReachAnswer("", IdentityId(""), FALSE, (), admin=False, path=(), gaps=())

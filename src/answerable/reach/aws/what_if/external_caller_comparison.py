"""Compare permissions of callers outside the snapshot before and after an edit."""

from collections.abc import Iterable, Iterator

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.bulk.equal_nodes import get_shared_nodes, have_same_nodes
from answerable.reach.aws.external_caller_queries import build_role_entry_hop
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.arn_matching import ANY_ARN
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    are_patterns_disjoint,
    covers,
)
from answerable.reach.aws.permission_rows.row_types import RowFilter
from answerable.reach.aws.subject_queries import (
    PatternExtent,
    ReachAnswer,
    iterate_subject_rows,
)
from answerable.reach.aws.what_if.edit_scope import EditScope
from answerable.reach.aws.what_if.permission_comparison import ReachDifference
from answerable.reach.aws.what_if.permission_level import (
    NO_PERMISSION_LEVEL,
    PermissionLevel,
    build_permission_level,
    choose_higher_permission_level,
)
from answerable.reach.condition_formula import FALSE, TRUE, Verdict, get_verdict


def list_permission_changes_of_external(
    before: IdentityGraph,
    after: IdentityGraph,
    caller: IdentityId,
    row_filter: RowFilter,
) -> Iterator[ReachDifference]:
    """List the changed permissions of a caller outside the snapshot."""
    sides = [
        list(iterate_subject_rows(g, caller, row_filter, direct=False))
        for g in (before, after)
    ]
    for mine, others in (sides, sides[::-1]):
        for reply in mine:
            held = _find_best_permission_level(others, reply)
            own = PermissionLevel(get_verdict(reply.formula), PatternExtent.ALL)
            if own.permission_rank > held.permission_rank:
                pair = (own, held) if mine is sides[0] else (held, own)
                yield ReachDifference(reply, *pair)


def _find_best_permission_level(
    answers: Iterable[ReachAnswer], question: ReachAnswer
) -> PermissionLevel:
    """Return the highest permission level in answers on a row's pattern."""
    best = NO_PERMISSION_LEVEL
    for one in answers:
        if one.row is None or question.row is None:
            continue
        if are_patterns_disjoint(
            ACTIONS, one.row.actions, question.row.actions
        ) or are_patterns_disjoint(
            RESOURCES, one.row.resources, question.row.resources
        ):
            continue
        whole = covers(ACTIONS, one.row.actions, question.row.actions) and covers(
            RESOURCES, one.row.resources, question.row.resources
        )
        word = get_verdict(one.formula) if whole else Verdict.ONLY_IF
        best = choose_higher_permission_level(
            best,
            PermissionLevel(word, PatternExtent.ALL if whole else PatternExtent.PART),
        )
    return best


def list_identities_with_changed_reach(
    before: IdentityGraph, after: IdentityGraph, scope: EditScope
) -> Iterator[IdentityId]:
    """List the identities whose reach an edit may have changed."""
    if before is after:
        return
    old, new = get_graph_closure(before), get_graph_closure(after)
    names = [
        name for name in before.accounts.principals if name in after.accounts.principals
    ]
    if scope.resources:
        yield from names
        return
    shared = None if have_same_nodes(old, new) else get_shared_nodes(old, new)
    changed = [
        role
        for role in scope.roles
        if role in before.accounts.principals and role in after.accounts.principals
    ]
    entered = [
        _list_role_nodes(graph, whole, changed)
        for graph, whole in ((before, old), (after, new))
    ]
    added = shared.added if shared is not None else 0
    for name in names:
        numbers = [
            whole.get_or_assign_node_number(graph.get_start_node(name))
            for whole, graph in ((old, before), (new, after))
        ]
        rows = [
            (whole.sure.beyond[number], whole.some.beyond[number])
            for whole, number in zip((old, new), numbers, strict=True)
        ]
        if shared is not None:
            rows = [
                (side.restrict(sure), side.restrict(some))
                for side, (sure, some) in zip(
                    (shared.before, shared.after), rows, strict=True
                )
            ]
        taken = [
            whole.table.assumed[number].some
            for whole, number in zip((old, new), numbers, strict=True)
        ]
        if (
            name in scope.identities
            or rows[0] != rows[1]
            or taken[0] & entered[0]
            or taken[1] & (entered[1] | added)
        ):
            yield name


def _list_role_nodes(
    graph: IdentityGraph, closure: GraphClosure, roles: Iterable[IdentityId]
) -> int:
    """Return the nodes of roles whose trust policy changed, as a bitset."""
    found = 0
    for role in roles:
        if role in graph.accounts.principals:
            found |= 1 << closure.get_or_assign_node_number(graph.get_start_node(role))
    return found


def list_role_trust_changes(
    before: IdentityGraph, after: IdentityGraph, scope: EditScope
) -> Iterator[ReachDifference]:
    """List outside principals that gain or lose the right to assume a role."""
    roles: Iterable[IdentityId] = sorted(scope.roles)
    if ANY_ARN in scope.resources:
        roles = before.accounts.trusts.keys() | after.accounts.trusts.keys()
    for role in roles:
        sides = [
            _list_answers_of_trusted_principals(graph, role)
            for graph in (before, after)
        ]
        for who in sorted(sides[0].keys() | sides[1].keys()):
            was, now = (side.get(who) for side in sides)
            pair = [
                build_permission_level(get_verdict(each.formula) if each else None)
                for each in (was, now)
            ]
            shown = was if pair[0].permission_rank > pair[1].permission_rank else now
            if pair[0] != pair[1] and shown:
                yield ReachDifference(shown, pair[0], pair[1], role)


def _list_answers_of_trusted_principals(
    graph: IdentityGraph, role: IdentityId
) -> dict[str, ReachAnswer]:
    """Return an answer for each outside principal that may assume a role."""
    found: dict[str, ReachAnswer] = {}
    admin = (
        graph.is_administrator(graph.get_start_node(role))
        if role in graph.accounts.principals
        else False
    )
    for entry in graph.list_external_role_entries(role):
        hop = build_role_entry_hop(entry, role)
        held = found.get(entry.principal)
        if entry.answer.formula == FALSE or (held and held.formula == TRUE):
            continue
        found[entry.principal] = ReachAnswer(
            subject=entry.principal,
            actor=role,
            formula=entry.answer.formula,
            determining=entry.answer.determining,
            admin=admin,
            path=(hop,),
            gaps=entry.answer.gaps,
        )
    return found

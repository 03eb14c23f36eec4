"""Difference between two graphs for outside callers, and the subjects to compare."""

from collections.abc import Iterable, Iterator

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.closure import whole_of
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.patterns.arns import EVERYTHING
from answerable.reach.aws.patterns.terms import (
    ACTIONS,
    RESOURCES,
    covers,
    disjoint,
    parts_text,
)
from answerable.reach.aws.permission_rows.row_types import Filter
from answerable.reach.aws.what_if.differences import Difference
from answerable.reach.aws.what_if.edit_scope import EditScope
from answerable.reach.aws.what_if.subject_reach import (
    NONE,
    Standing,
    better,
    standing_of,
)
from answerable.reach.formula import FALSE, TRUE, Verdict, verdict
from answerable.reach.queries import Extent, Reply, entry_hop, reach


def caller_differences(
    before: Graph, after: Graph, caller: IdentityId, wanted: Filter
) -> Iterator[Difference]:
    """List the changed permissions of a caller outside the snapshot."""
    sides = [list(reach(g, caller, wanted, direct=False)) for g in (before, after)]
    for mine, others in (sides, sides[::-1]):
        for reply in mine:
            held = _best_of(others, reply)
            own = Standing(verdict(reply.formula), Extent.ALL)
            if own.rank > held.rank:
                pair = (own, held) if mine is sides[0] else (held, own)
                yield Difference(reply, *pair)


def _best_of(replies: Iterable[Reply], asked: Reply) -> Standing:
    best = NONE
    for one in replies:
        if one.row is None or asked.row is None:
            continue
        if disjoint(ACTIONS, one.row.actions, asked.row.actions) or disjoint(
            RESOURCES, one.row.resources, asked.row.resources
        ):
            continue
        whole = covers(ACTIONS, one.row.actions, asked.row.actions) and covers(
            RESOURCES, one.row.resources, asked.row.resources
        )
        word = verdict(one.formula) if whole else Verdict.ONLY_IF
        best = better(best, Standing(word, Extent.ALL if whole else Extent.PART))
    return best


def changed_subjects(
    before: Graph, after: Graph, scope: EditScope
) -> Iterator[IdentityId]:
    """List the identities whose reach an edit may have changed."""
    old, new = whole_of(before), whole_of(after)
    names = [
        name for name in before.estate.principals if name in after.estate.principals
    ]
    if scope.resources:
        yield from names
        return
    same = (
        old.size == new.size
        and old.realm.nodes[: old.size] == new.realm.nodes[: new.size]
    )
    for name in names:
        numbers = [
            whole.number(graph.start(name))
            for whole, graph in ((old, before), (new, after))
        ]
        rows = [
            (whole.sure.beyond[number], whole.some.beyond[number])
            for whole, number in zip((old, new), numbers, strict=True)
        ]
        if name in scope.identities or not same or rows[0] != rows[1]:
            yield name


def outsider_differences(
    before: Graph, after: Graph, scope: EditScope
) -> Iterator[Difference]:
    """List the outside principals that gain or lose admission to a role."""
    changed = {parts_text(parts) for parts in scope.resources}
    for role in before.estate.trusts.keys() | after.estate.trusts.keys():
        if role not in changed and parts_text(EVERYTHING) not in changed:
            continue
        sides = [_entering(graph, role) for graph in (before, after)]
        for who in sorted(sides[0].keys() | sides[1].keys()):
            was, now = (side.get(who) for side in sides)
            pair = [
                standing_of(verdict(each.formula) if each else None)
                for each in (was, now)
            ]
            shown = was if pair[0].rank > pair[1].rank else now
            if pair[0] != pair[1] and shown:
                yield Difference(shown, pair[0], pair[1], role)


def _entering(graph: Graph, role: IdentityId) -> dict[str, Reply]:
    found: dict[str, Reply] = {}
    admin = graph.admin(graph.start(role)) if role in graph.estate.principals else False
    for entry in graph.outsiders(role):
        hop = entry_hop(entry, role)
        held = found.get(entry.principal)
        if entry.answer.formula == FALSE or (held and held.formula == TRUE):
            continue
        found[entry.principal] = Reply(
            subject=entry.principal,
            actor=role,
            formula=entry.answer.formula,
            determining=entry.answer.determining,
            admin=admin,
            path=(hop,),
            gaps=entry.answer.gaps,
        )
    return found

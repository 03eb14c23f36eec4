"""Difference of a subject's reach between two graphs: lost and gained permissions.

A permission that another statement or path still grants is not lost. Verdicts before
and after are those of the subject over all paths.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from answerable.model.ids import IdentityId
from answerable.reach.aws.paths.edges import Node
from answerable.reach.aws.paths.search import Reached
from answerable.reach.aws.patterns.arns import text_parts
from answerable.reach.aws.patterns.terms import ACTIONS, RESOURCES, Term, disjoint
from answerable.reach.aws.permission_rows.row_types import Filter, Row
from answerable.reach.aws.what_if.edit_scope import EditScope
from answerable.reach.aws.what_if.subject_reach import (
    UNKNOWN,
    Side,
    Standing,
    is_one_call,
    standing_of,
)
from answerable.reach.formula import TRUE, Verdict, chained
from answerable.reach.queries import Reply, principal_rows


class Change(StrEnum):
    """Direction of a change, gravest first."""

    APPEARS = "appears"
    STRONGER = "stronger"
    UNDECIDED = "not-known"
    WEAKER = "weaker"
    FALLS_AWAY = "falls-away"


@dataclass(frozen=True, slots=True)
class Difference:
    """One changed permission, or one identity gained or lost.

    Attributes:
        reply: Answer that is lost or gained, with its path.
        before: Permission level before the edit, over all paths.
        after: Permission level after the edit.
        identity: Identity that can be reached, None for a permission.
    """

    reply: Reply
    before: Standing
    after: Standing
    identity: IdentityId | None = None

    @property
    def change(self) -> Change:
        """Direction of the change."""
        if Verdict.NOT_KNOWN in (self.before.verdict, self.after.verdict):
            return Change.UNDECIDED
        if self.before.rank > self.after.rank:
            ended = self.after.verdict is Verdict.NEVER
            return Change.FALLS_AWAY if ended else Change.WEAKER
        begun = self.before.verdict is Verdict.NEVER
        return Change.APPEARS if begun else Change.STRONGER


@dataclass(eq=False, slots=True)
class Comparison:
    """Comparison of one subject's reach before and after an edit.

    Attributes:
        before: Reach in the graph as collected.
        after: Reach in the edited graph.
        scope: Identities and resources that the edit changes.
        wanted: Filter of the permissions to compare.
        most_identities: Most changed identities whose rows are compared.
        own_rows: Whether only the subject's own permissions are compared.
        compared: Number of identities compared.
        of: Number of changed identities.
    """

    before: Side
    after: Side
    scope: EditScope
    wanted: Filter
    most_identities: int
    own_rows: bool = False
    compared: int = 0
    of: int = 0
    _undecided: dict[object, tuple[Side, Node, Row]] = field(default_factory=dict)

    def differences(self) -> Iterator[Difference]:
        """List gained and lost identities, then changed permissions.

        If nothing else changes, rows of several calls whose conditions change are
        `not-known`: some of their calls may be decided on one side alone.
        """
        old, new = self.before, self.after
        if _is_same_reach(old, new):
            was = now = {}
        else:
            was, now = old.identities(), new.identities()
        changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
        found = False
        for difference in chain(
            self._identities(was, now, changed), self._rows(changed)
        ):
            found = True
            yield difference
        if not found:
            yield from (self._unknown(*each) for each in self._undecided.values())

    def _identities(
        self,
        was: dict[IdentityId, Verdict],
        now: dict[IdentityId, Verdict],
        changed: Sequence[IdentityId],
    ) -> Iterator[Difference]:
        if disjoint(ACTIONS, self.wanted.actions, _ASSUME):
            return
        ends: list[tuple[Side, Node, Standing, Standing]] = []
        for name in changed:
            before, after = (standing_of(side.get(name)) for side in (was, now))
            held = before.rank > after.rank
            side = self.before if held else self.after
            if not disjoint(RESOURCES, Term(text_parts(name)), self.wanted.resources):
                ends.append((side, side.nearest(name), before, after))
        ends.sort(key=lambda end: (not end[0].graph.admin(end[1]), end[1]))
        for side in (self.before, self.after):
            side.ways(node for at, node, _, _ in ends if at is side)
        for side, node, before, after in ends:
            way = side.ways([node])[node]
            yield Difference(_way_reply(side, way), before, after, node.identity)

    def _rows(self, changed: Sequence[IdentityId]) -> Iterator[Difference]:
        names = set(self.scope.identities)
        names = names & {self.before.start} if self.own_rows else {*changed, *names}
        told: set[object] = set()
        rows = [self._side_rows(side, names) for side in (self.before, self.after)]
        # An open row of one call may be decided on one side alone.
        both = rows[0].keys() & rows[1].keys()
        same = {key for key in both if not self._rests_on_edit(rows[0][key][1])}
        for side, found in ((self.before, rows[0]), (self.after, rows[1])):
            listed = [(key, pair) for key, pair in found.items() if key not in same]
            listed.sort(key=lambda each: not side.is_sure(each[1][0]))
            unchanged: set[object] = set()  # the other side may list these
            for key, (node, row) in listed:
                if key[2:] in told or key[2:] in unchanged:
                    continue
                difference = self._difference(side, node, row)
                (told if difference else unchanged).add(key[2:])
                if difference is None and self._is_open(row):
                    self._undecided.setdefault(key[2:], (side, node, row))
                if difference:
                    yield difference

    def _rests_on_edit(self, row: Row) -> bool:
        """Tell whether a row present on both sides may differ for a single call."""
        if is_one_call(row):
            return True
        return row.formula != TRUE and any(
            not disjoint(RESOURCES, row.resources, Term(parts))
            for parts in self.scope.resources
        )

    def _is_open(self, row: Row) -> bool:
        """Tell whether some calls of a row may be decided on one side alone."""
        sides = (self.before, self.after)
        return not is_one_call(row) and not all(
            side.standing(row, None).is_whole for side in sides
        )

    def _unknown(self, side: Side, node: Node, row: Row) -> Difference:
        before = self.before.standing(row, node if side is self.before else None)
        way = side.ways([node])[node]
        return Difference(_row_reply(side, way, row), before, UNKNOWN)

    def _difference(self, side: Side, node: Node, row: Row) -> Difference | None:
        before = self.before.standing(row, node if side is self.before else None)
        after = self.after.standing(row, node if side is self.after else None)
        if before == after:
            return None
        lost = before.rank > after.rank
        # A row covered by another one is reported with that one.
        if lost != (side is self.before) and Verdict.NOT_KNOWN not in (
            before.verdict,
            after.verdict,
        ):
            return None
        way = side.ways([node])[node]
        return Difference(_row_reply(side, way, row), before, after)

    def _side_rows(
        self, side: Side, names: set[IdentityId]
    ) -> dict[tuple[object, ...], tuple[Node, Row]]:
        """Collect the rows of one side that the edit may have changed."""
        found: dict[tuple[object, ...], tuple[Node, Row]] = {}
        reached_nodes = side.nodes([side.start] if self.own_rows else None)
        nodes = [n for n in reached_nodes if self._is_changed(n, names)]
        self._count(len(nodes))
        for node in nodes[: self.most_identities]:
            self._take(found, side, node, self.wanted)
        patterns = [
            Term(parts)
            for parts in self.scope.resources
            if not disjoint(RESOURCES, Term(parts), self.wanted.resources)
        ]
        others = [n for n in reached_nodes if not self._is_changed(n, names)]
        others = others if patterns else []
        self._count(len(others))
        for node in others[: self.most_identities]:
            for pattern in patterns:
                self._take(found, side, node, Filter(self.wanted.actions, pattern))
        return found

    def _is_changed(self, node: Node, names: set[IdentityId]) -> bool:
        return node.identity in names or node.extra in self.scope.groups

    def _count(self, number: int) -> None:
        self.of += number
        self.compared += min(number, self.most_identities)

    def _take(
        self,
        found: dict[tuple[object, ...], tuple[Node, Row]],
        side: Side,
        node: Node,
        wanted: Filter,
    ) -> None:
        for row in principal_rows(side.graph, side.graph.principal(node), wanted):
            fits = not disjoint(
                RESOURCES, row.resources, self.wanted.resources
            ) and self.wanted.flat_fits(row.resources.pattern)
            if fits:
                sure = row.formula if side.is_sure(node) else (row.formula, False)
                key = (node, sure, row.actions, row.resources, row.shown)
                found[key] = node, row


_ASSUME: Term[str] = Term("sts:assumerole")


def _is_same_reach(old: Side, new: Side) -> bool:
    size = old.whole.size
    return (
        old.reach == new.reach
        and size == new.whole.size
        and old.whole.realm.nodes[:size] == new.whole.realm.nodes[:size]
    )


def _way_reply(side: Side, way: Reached) -> Reply:
    """Build the answer that a subject can become an identity."""
    last = way.hops[-1:]
    return Reply(
        subject=side.start,
        actor=way.node.identity,
        formula=way.formula,
        determining=last[0].determining if last else (),
        admin=side.graph.admin(way.node),
        path=way.hops,
        gaps=tuple(dict.fromkeys(gap for _, e in way.edges for gap in e.gaps)),
    )


def _row_reply(side: Side, way: Reached, row: Row) -> Reply:
    gaps = (gap for _, edge in way.edges for gap in edge.gaps)
    return Reply(
        subject=side.start,
        actor=way.node.identity,
        formula=chained(way.formula, row.formula),
        determining=row.determining,
        admin=side.graph.admin(way.node),
        path=way.hops,
        gaps=tuple(dict.fromkeys((*gaps, *row.gaps))),
        row=row,
    )

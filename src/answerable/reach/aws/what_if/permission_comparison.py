"""Compare a subject's permissions before and after an edit: lost and gained ones.

A permission that another statement or path still grants is not lost. Verdicts before
and after are those of the subject over all paths.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.equal_nodes import have_same_nodes
from answerable.reach.aws.paths.identity_edges import IdentityNode
from answerable.reach.aws.paths.path_search import ReachPath
from answerable.reach.aws.patterns.arn_matching import split_arn
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    PatternTerm,
    are_patterns_disjoint,
)
from answerable.reach.aws.permission_rows.callable_rows import list_callable_rows
from answerable.reach.aws.permission_rows.row_types import (
    PermissionRow,
    RowFilter,
)
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.what_if.changed_assumption import (
    find_roles_with_changed_assumption,
    list_identities_with_changed_verdict,
)
from answerable.reach.aws.what_if.edit_scope import (
    EditScope,
    list_calls_on_changed_resources,
)
from answerable.reach.aws.what_if.permission_level import (
    UNKNOWN_LEVEL,
    PermissionLevel,
    build_permission_level,
)
from answerable.reach.aws.what_if.subject_reach import SubjectReach, is_row_single_call
from answerable.reach.condition_formula import TRUE, Verdict, conjoin_hops


class ReachChange(StrEnum):
    """Direction of a change, most severe first."""

    APPEARS = "appears"
    STRONGER = "stronger"
    UNDECIDED = "not-known"
    WEAKER = "weaker"
    FALLS_AWAY = "falls-away"


@dataclass(frozen=True, slots=True)
class ReachDifference:
    """One changed permission, or one identity gained or lost.

    Attributes:
        reply: Answer that is lost or gained, with its path.
        before: Permission level before the edit, over all paths.
        after: Permission level after the edit.
        identity: Identity that can be reached, None for a permission.
    """

    reply: ReachAnswer
    before: PermissionLevel
    after: PermissionLevel
    identity: IdentityId | None = None

    @property
    def change_direction(self) -> ReachChange:
        """Return whether permissions were gained, lost or only changed."""
        if Verdict.NOT_KNOWN in (self.before.verdict, self.after.verdict):
            return ReachChange.UNDECIDED
        if self.before.permission_rank > self.after.permission_rank:
            ended = self.after.verdict is Verdict.NEVER
            return ReachChange.FALLS_AWAY if ended else ReachChange.WEAKER
        begun = self.before.verdict is Verdict.NEVER
        return ReachChange.APPEARS if begun else ReachChange.STRONGER


@dataclass(eq=False, slots=True)
class ReachComparison:
    """Comparison of one subject's reach before and after an edit.

    Attributes:
        before: Reach in the graph as collected.
        after: Reach in the edited graph.
        scope: Identities and resources that the edit changes.
        row_filter: Filter of the permissions to compare.
        most_identities: Most changed identities whose rows are compared.
        own_rows: Whether only the subject's own permissions are compared.
        compared_identities: Number of identities compared.
        total_identities: Number of changed identities.
        changed_roles: Roles whose level of `sts:AssumeRole` differs; None if not known.
        changed_calls: Calls on the resources and roles whose own policies differ.
    """

    before: SubjectReach
    after: SubjectReach
    scope: EditScope
    row_filter: RowFilter
    most_identities: int
    own_rows: bool = False
    compared_identities: int = 0
    total_identities: int = 0
    changed_roles: frozenset[IdentityId] | None = field(init=False)
    changed_calls: tuple[RowFilter, ...] = field(init=False)
    _undecided: dict[object, tuple[SubjectReach, IdentityNode, PermissionRow]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        """Find the calls whose level may change at identities with equal policies."""
        self.changed_roles = self.scope.assumable
        if self.changed_roles is None:
            self.changed_roles = find_roles_with_changed_assumption(
                self.before, self.after
            )
        self.changed_calls = tuple(
            list_calls_on_changed_resources(self.scope, self.row_filter)
        )

    def list_reach_differences(self) -> Iterator[ReachDifference]:
        """Yield changed identities, then changed permissions.

        If nothing else changes, rows of several calls whose conditions change are
        `not-known`: some of their calls may be decided on one side alone.
        """
        old, new = self.before, self.after
        changed: list[IdentityId] = []
        if not _have_equal_reach(old, new):
            changed = list_identities_with_changed_verdict(old, new)
        found = False
        for difference in chain(
            self._list_gained_and_lost_identities(changed),
            self._list_changed_permission_rows(changed),
        ):
            found = True
            yield difference
        if not found:
            yield from (
                self._build_not_known_difference(*each)
                for each in self._undecided.values()
            )

    def _list_gained_and_lost_identities(
        self, changed_identities: Sequence[IdentityId]
    ) -> Iterator[ReachDifference]:
        """Yield the identities that the subject gained or lost."""
        if are_patterns_disjoint(ACTIONS, self.row_filter.actions, _ASSUME):
            return
        ends: list[
            tuple[SubjectReach, IdentityNode, PermissionLevel, PermissionLevel]
        ] = []
        for name in changed_identities:
            before, after = (
                build_permission_level(side.get_verdict_on_identity(name))
                for side in (self.before, self.after)
            )
            held = before.permission_rank > after.permission_rank
            side = self.before if held else self.after
            if not are_patterns_disjoint(
                RESOURCES, PatternTerm(split_arn(name)), self.row_filter.resources
            ):
                ends.append((side, side.choose_reached_node(name), before, after))
        ends.sort(key=lambda end: (not end[0].graph.is_administrator(end[1]), end[1]))
        for side in (self.before, self.after):
            side.find_shortest_paths(node for at, node, _, _ in ends if at is side)
        for side, node, before, after in ends:
            way = side.find_shortest_paths([node])[node]
            yield ReachDifference(
                _build_answer_on_becoming_identity(side, way),
                before,
                after,
                node.identity,
            )

    def _list_changed_permission_rows(
        self, changed_identities: Sequence[IdentityId]
    ) -> Iterator[ReachDifference]:
        """Yield the permission rows that differ between both sides."""
        names = set(self.scope.identities)
        names = (
            names & {self.before.start}
            if self.own_rows
            else {*changed_identities, *names}
        )
        told: set[object] = set()
        rows = [
            self._collect_rows_possibly_changed(side, names)
            for side in (self.before, self.after)
        ]
        # An open row of one call may be decided on one side alone.
        both = rows[0].keys() & rows[1].keys()
        same = {key for key in both if not self._may_row_depend_on_edit(*rows[0][key])}
        for side, found in ((self.before, rows[0]), (self.after, rows[1])):
            listed = [(key, pair) for key, pair in found.items() if key not in same]
            listed.sort(
                key=lambda each: not side.is_node_reached_unconditionally(each[1][0])
            )
            unchanged: set[object] = set()  # the other side may list these
            for key, (node, row) in listed:
                if key[2:] in told or key[2:] in unchanged:
                    continue
                difference = self._compare_permission_level_of_row(side, node, row)
                (told if difference else unchanged).add(key[2:])
                if difference is None and self._may_one_side_decide_row(row):
                    self._undecided.setdefault(key[2:], (side, node, row))
                if difference:
                    yield difference

    def _may_row_depend_on_edit(self, node: IdentityNode, row: PermissionRow) -> bool:
        """Return whether a row on both sides may differ for one call."""
        if is_row_single_call(row):
            return row.formula != TRUE or not all(
                side.is_node_reached_unconditionally(node)
                for side in (self.before, self.after)
            )
        return row.formula != TRUE and any(
            not are_patterns_disjoint(ACTIONS, row.actions, each.actions)
            and not are_patterns_disjoint(RESOURCES, row.resources, each.resources)
            for each in self.changed_calls
        )

    def _may_one_side_decide_row(self, row: PermissionRow) -> bool:
        """Return whether one side alone decides some calls of a row."""
        sides = (self.before, self.after)
        return not is_row_single_call(row) and not all(
            side.get_permission_level_of_row(row, None).is_whole_pattern_allowed
            for side in sides
        )

    def _build_not_known_difference(
        self, subject_reach: SubjectReach, node: IdentityNode, row: PermissionRow
    ) -> ReachDifference:
        """Report a permission whose verdict after the edit could not be decided."""
        before = self.before.get_permission_level_of_row(
            row, node if subject_reach is self.before else None
        )
        way = subject_reach.find_shortest_paths([node])[node]
        return ReachDifference(
            _build_answer_on_permission_row(subject_reach, way, row),
            before,
            UNKNOWN_LEVEL,
        )

    def _compare_permission_level_of_row(
        self, subject_reach: SubjectReach, node: IdentityNode, row: PermissionRow
    ) -> ReachDifference | None:
        """Return the difference in the level of one row; None if equal."""
        before = self.before.get_permission_level_of_row(
            row, node if subject_reach is self.before else None
        )
        after = self.after.get_permission_level_of_row(
            row, node if subject_reach is self.after else None
        )
        if before == after:
            return None
        lost = before.permission_rank > after.permission_rank
        # A row covered by another one is reported with that one.
        if lost != (subject_reach is self.before) and Verdict.NOT_KNOWN not in (
            before.verdict,
            after.verdict,
        ):
            return None
        way = subject_reach.find_shortest_paths([node])[node]
        return ReachDifference(
            _build_answer_on_permission_row(subject_reach, way, row), before, after
        )

    def _collect_rows_possibly_changed(
        self, subject_reach: SubjectReach, names: set[IdentityId]
    ) -> dict[tuple[object, ...], tuple[IdentityNode, PermissionRow]]:
        """Collect one side's rows that the edit may have changed."""
        found: dict[tuple[object, ...], tuple[IdentityNode, PermissionRow]] = {}
        groups = self.scope.groups
        reached = subject_reach.list_reached_nodes(
            [subject_reach.start] if self.own_rows else None
        )
        nodes = [n for n in reached if n.identity in names or n.extra in groups]
        self._count_compared_identities(len(nodes))
        for node in nodes[: self.most_identities]:
            self._add_callable_rows_of_node(found, subject_reach, node, self.row_filter)
        others: list[IdentityNode] = []
        if self.changed_calls:
            changed = set(nodes)
            others = [node for node in reached if node not in changed]
        self._count_compared_identities(len(others))
        for node in others[: self.most_identities]:
            for calls in self.changed_calls:
                self._add_callable_rows_of_node(found, subject_reach, node, calls)
        return found

    def _count_compared_identities(self, count: int) -> None:
        """Add to the numbers of identities found and compared."""
        self.total_identities += count
        self.compared_identities += min(count, self.most_identities)

    def _add_callable_rows_of_node(
        self,
        rows: dict[tuple[object, ...], tuple[IdentityNode, PermissionRow]],
        subject_reach: SubjectReach,
        node: IdentityNode,
        row_filter: RowFilter,
    ) -> None:
        """Add the callable rows of one node that the filter includes."""
        for row in list_callable_rows(
            subject_reach.graph,
            subject_reach.graph.get_principal(node),
            row_filter,
            self.changed_roles,
        ):
            fits = not are_patterns_disjoint(
                RESOURCES, row.resources, self.row_filter.resources
            ) and self.row_filter.may_match_resource_pattern(row.resources.pattern)
            if fits:
                sure = (
                    row.formula
                    if subject_reach.is_node_reached_unconditionally(node)
                    else (row.formula, False)
                )
                key = (node, sure, row.actions, row.resources, row.shown)
                rows[key] = node, row


_ASSUME: PatternTerm[str] = PatternTerm("sts:assumerole")


def _have_equal_reach(old: SubjectReach, new: SubjectReach) -> bool:
    """Return whether both sides reach the same nodes of equal graphs."""
    return old.reach == new.reach and have_same_nodes(old.whole, new.whole)


def _build_answer_on_becoming_identity(
    subject_reach: SubjectReach, path: ReachPath
) -> ReachAnswer:
    """Build the answer that a subject can become an identity."""
    last = path.hops[-1:]
    return ReachAnswer(
        subject=subject_reach.start,
        actor=path.target.identity,
        formula=path.formula,
        determining=last[0].determining if last else (),
        admin=subject_reach.graph.is_administrator(path.target),
        path=path.hops,
        gaps=tuple(dict.fromkeys(gap for _, e in path.edges for gap in e.gaps)),
    )


def _build_answer_on_permission_row(
    subject_reach: SubjectReach, path: ReachPath, row: PermissionRow
) -> ReachAnswer:
    """Build the answer that a subject has a permission row through a path."""
    gaps = (gap for _, edge in path.edges for gap in edge.gaps)
    return ReachAnswer(
        subject=subject_reach.start,
        actor=path.target.identity,
        formula=conjoin_hops(path.formula, row.formula),
        determining=row.determining,
        admin=subject_reach.graph.is_administrator(path.target),
        path=path.hops,
        gaps=tuple(dict.fromkeys((*gaps, *row.gaps))),
        row=row,
    )

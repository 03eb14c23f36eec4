"""Compare AWS permissions before and after an edit of policies."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import is_

from answerable.model.documents.shared_shapes import TruncationItem
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.reach.acting_agents import list_agents_by_identity_used
from answerable.reach.aws import answer_items, subject_answers
from answerable.reach.aws.answer_coverage import depends_on_unread_statements
from answerable.reach.aws.bulk.closure import GraphClosure, get_graph_closure
from answerable.reach.aws.bulk.incremental_update import update_closure_for_edit
from answerable.reach.aws.bulk.reuse_facts import reuse_unchanged_facts
from answerable.reach.aws.call_parsing import parse_permission_filter
from answerable.reach.aws.compiled.statements import PolicyGap
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.compiled_graph import are_tags_collected, load_graph
from answerable.reach.aws.permission_rows.row_types import (
    RowFilter,
    build_action_formatter,
)
from answerable.reach.aws.query_context import (
    QueryContext,
    list_assumed_policy_kinds_of_answer,
    list_missing_data_for_answer,
    list_missing_data_of_list,
    pick_identity_per_account,
)
from answerable.reach.aws.subject_queries import ReachAnswer, build_never_answer
from answerable.reach.aws.what_if.edit_scope import EditScope, find_scope_of_edit
from answerable.reach.aws.what_if.external_caller_comparison import (
    list_identities_with_changed_reach,
    list_permission_changes_of_external,
    list_role_trust_changes,
)
from answerable.reach.aws.what_if.graph_lookups import GraphLookups
from answerable.reach.aws.what_if.permission_comparison import (
    ReachChange,
    ReachComparison,
    ReachDifference,
)
from answerable.reach.aws.what_if.subject_reach import SubjectReach
from answerable.reach.collection_coverage import CollectedData
from answerable.reach.condition_formula import TRUE, Verdict
from answerable.reach.platform import ChangeList, Question, SubjectIdentity

# Rows of at most this many changed identities are compared for one subject.
MOST_IDENTITIES = 64
_ORDER = tuple(ReachChange)


@dataclass(slots=True)
class EditedGraph:
    """Permission graph before and after an edit."""

    asked: QueryContext
    after: QueryContext
    scope: EditScope

    def list_permission_changes(
        self, question: Question, after: Sequence[SubjectIdentity], limit: int
    ) -> ChangeList:
        """List the access differences between the two graphs."""
        wanted = parse_permission_filter(
            self.asked.inventory,
            self.asked.host.load_catalogue,
            question.action,
            question.resource,
        )
        listing = _DifferenceList(
            self, wanted, limit or sys.maxsize, direct=question.direct
        )
        if question.subject:
            listing.add_differences_of_subject(question.identities, after)
        else:
            listing.add_differences_of_all_callers()
        return listing.build_difference_document(question)


def apply_graph_edit(query: QueryContext, facts: SightedFacts) -> EditedGraph:
    """Return the permission graph recompiled for edited facts."""
    whole: GraphClosure = update_closure_for_edit(
        get_graph_closure(query.graph), query.inventory.facts, facts
    )
    after = replace(query, graph=whole.graph)
    scope = find_scope_of_edit(query.compiled_accounts, after.compiled_accounts)
    return EditedGraph(query, after, scope)


def compare_snapshots(
    query: QueryContext, after: Inventory, services: Iterable[str]
) -> EditedGraph:
    """Return the permission graphs of two snapshots.

    Facts that only their times distinguish are taken from the first snapshot. If no
    other fact differs, both snapshots have the same graph.

    Args:
        query: Context of a query about the first one.
        services: Services whose actions the catalogue must know.
    """
    before = query.inventory.facts
    reused = reuse_unchanged_facts(before, after.facts)
    if reused is None:
        edited = _open_later_snapshot(query, after, services)
    elif all(map(is_, before.policies, reused.policies)):
        edited = EditedGraph(query, query, EditScope(frozenset()))
    else:
        edited = apply_graph_edit(query, reused)
    held = CollectedData(each for one in after.coverage for each in one.held)
    seen = replace(edited.after, inventory=after, collected=held)
    return EditedGraph(query, seen, edited.scope)


def _open_later_snapshot(
    query: QueryContext, after: Inventory, services: Iterable[str]
) -> EditedGraph:
    """Return the graphs of two snapshots; steps that the store has are reused."""
    if are_tags_collected(query.inventory) != are_tags_collected(after):
        return apply_graph_edit(query, after.facts)
    graph = load_graph(query.host, after, services, query.stated, compile_all=True)
    scope = find_scope_of_edit(query.compiled_accounts, graph.accounts)
    return EditedGraph(query, replace(query, graph=graph), scope)


@dataclass(slots=True)
class _DifferenceList:
    """Differences of some subjects, as document items.

    Attributes:
        direct: Whether only what a subject may do itself is compared.
        gaps: Unread policies and statements, whose limits may change without an item.
    """

    edited: EditedGraph
    wanted: RowFilter
    limit: int
    direct: bool = False
    pairs: list[tuple[ReachAnswer, AccessChangeItem]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    gaps: dict[PolicyGap, None] = field(default_factory=dict)
    compared: int = 0
    of: int = 0
    left: int = 0

    def add_differences_of_subject(
        self, before: Sequence[SubjectIdentity], after: Sequence[SubjectIdentity]
    ) -> None:
        """Add what an edit changes in the reach of each of a subject's identities."""
        for identity in dict.fromkeys(start.identity for start in (*before, *after)):
            was, will = (
                _select_hop_into_identity(before, identity),
                _select_hop_into_identity(after, identity),
            )
            start = was or will
            if start is not None:
                self._add_differences(
                    self._list_differences_of_identity(start, was, will), start
                )

    def _list_differences_of_identity(
        self,
        start: SubjectIdentity,
        start_before: SubjectIdentity | None,
        start_after: SubjectIdentity | None,
    ) -> Iterator[ReachDifference]:
        """Yield the differences of one identity between the two graphs."""
        before, after = self.edited.asked.graph, self.edited.after.graph
        name = start.identity
        if name not in before.accounts.principals:
            yield from list_permission_changes_of_external(
                before, after, name, self.wanted
            )
            return
        lost = start_after is None or _is_workflow_trust_removed(
            start_before, start_after
        )
        sides = (
            SubjectReach(before, name, absent=start_before is None, direct=self.direct),
            SubjectReach(after, name, absent=lost, direct=self.direct),
        )
        yield from self._list_and_count_differences(sides)

    def _list_and_count_differences(
        self, reaches: tuple[SubjectReach, SubjectReach], *, own_rows: bool = False
    ) -> Iterator[ReachDifference]:
        """Compare both graphs from one identity, and count what was compared."""
        comparison = ReachComparison(
            *reaches,
            self.edited.scope,
            self.wanted,
            MOST_IDENTITIES,
            own_rows=own_rows,
        )
        for side in reaches:
            for node in side.list_reached_nodes([side.start] if own_rows else None)[
                :MOST_IDENTITIES
            ]:
                gaps = side.graph.get_principal(node).list_unread_policies_of_layer(
                    PolicyLayer.IDENTITY
                )
                self.gaps |= dict.fromkeys(gaps)
        yield from comparison.list_reach_differences()
        self.compared += comparison.compared_identities
        self.of += comparison.total_identities

    def add_differences_of_all_callers(self) -> None:
        """Compare every identity that the edit could affect, and external callers."""
        before, after = self.edited.asked.graph, self.edited.after.graph
        scope = self.edited.scope
        self._add_differences(list_role_trust_changes(before, after, scope), None)
        lookups = GraphLookups(before), GraphLookups(after)
        for name in list_identities_with_changed_reach(before, after, scope):
            sides = (
                SubjectReach(before, name, shared=lookups[0]),
                SubjectReach(after, name, shared=lookups[1]),
            )
            found = self._list_and_count_differences(sides, own_rows=True)
            self._add_differences(found, SubjectIdentity(name, name))

    def _add_differences(
        self, candidates: Iterable[ReachDifference], start: SubjectIdentity | None
    ) -> None:
        """Add differences up to the limit, and count the others."""
        room = max(0, self.limit - len(self.pairs))
        differences = iter(candidates)
        for each in islice(differences, room):
            reply = (
                subject_answers.prepend_subject_to_answer(start, each.reply)
                if start
                else each.reply
            )
            if start and start.unknown and rests_on_uncollected_allow(reply.formula):
                continue
            self.pairs.append((reply, self._build_difference_item(each, reply, start)))
        self.left += sum(1 for _ in differences)

    def _build_difference_item(
        self,
        difference: ReachDifference,
        reply: ReachAnswer,
        start: SubjectIdentity | None,
    ) -> AccessChangeItem:
        """Convert a difference to a document item with path and statements."""
        asked = self.edited.asked
        before, after = difference.before, difference.after
        open_entry = start is not None and any(
            hop.formula != TRUE for hop in start.hops
        )
        spelled = build_action_formatter(
            asked.compiled_accounts.catalogue, asked.compiled_accounts.written, "*"
        )
        row = answer_items.build_permission_row_item(reply, spelled)
        if difference.identity is not None:
            row["resource"] = difference.identity
            row["action"] = reply.path[-1].via if reply.path else "runs as"
        change = difference.change_direction
        at = (
            self.edited.after
            if change in (ReachChange.APPEARS, ReachChange.STRONGER)
            else asked
        )
        absent = list_missing_data_for_answer(
            at, reply, row["action"].split(" ")[0], row["resource"]
        )
        absent -= {"action-catalogue"}
        self.missing |= absent
        return {
            "change": change.value,
            "kind": "permission" if difference.identity is None else "identity",
            "subject": reply.subject,
            "action": row["action"],
            "resource": row["resource"],
            "before": _cap_verdict(before.verdict, open_entry),
            "after": _cap_verdict(after.verdict, open_entry),
            "covers_before": before.covers.value,
            "covers_after": after.covers.value,
            "admin": reply.admin,
            "agents": list_agents_by_identity_used(asked.inventory, reply.subject),
            "determining": row["determining"],
            "path": row["path"],
            "assuming": list_assumed_policy_kinds_of_answer(at, reply, absent),
        }

    def build_difference_document(self, question: Question) -> ChangeList:
        """Build the list, most severe changes first, with its missing data."""
        asked = self.edited.asked
        pairs = sorted(self.pairs, key=lambda pair: _get_difference_sort_key(pair[1]))
        actors = [start.identity for start in question.identities]
        if not question.subject:
            actors = pick_identity_per_account(asked)
        empty = replace(build_never_answer(), gaps=tuple(self.gaps))
        nothing = [replace(empty, subject=n, actor=n) for n in actors]
        absent = set(self.missing)
        for each in nothing or [empty]:
            absent |= list_missing_data_for_answer(
                asked, each, question.action, question.resource
            )
        absent -= {"action-catalogue"}
        answers = [*nothing, *(reply for reply, _ in pairs)]
        shown = None
        if self.left or self.compared < self.of:
            done, of = (self.compared, self.of) if self.of else (0, 0)
            what = "changed identities"
            if self.left:
                done, of, what = len(pairs), len(pairs) + self.left, "changes"
            shown = TruncationItem(rows=len(pairs), what=what, done=done, of=of)
        return ChangeList(
            tuple(item for _, item in pairs),
            list_missing_data_of_list(asked, answers, absent),
            depends_on_unread_statements(answers),
            shown,
        )


def _select_hop_into_identity(
    starts: Sequence[SubjectIdentity], identity: IdentityId
) -> SubjectIdentity | None:
    """Select how a subject comes to act as an identity, unconditional ways first."""
    some = [start for start in starts if start.identity == identity]
    sure = [s for s in some if all(hop.formula == TRUE for hop in s.hops)]
    return next(iter(sure or some), None)


def _is_workflow_trust_removed(
    before: SubjectIdentity | None, after: SubjectIdentity
) -> bool:
    """Return whether an edit removed the trust statement that admits a CI workflow."""
    if before is None or not before.hops:
        return False
    return bool(before.hops[0].determining) and not after.hops[0].determining


def _cap_verdict(verdict: Verdict, conditional: bool) -> str:
    """Lower `always` to `only-if` if the subject's entry has conditions."""
    return Verdict.ONLY_IF if conditional and verdict is Verdict.ALWAYS else verdict


def _get_difference_sort_key(item: AccessChangeItem) -> tuple[object, ...]:
    """Return a key that sorts items by severity, then by subject and path."""
    return (
        _ORDER.index(ReachChange(item["change"])),
        item["kind"],
        not item["admin"],
        not item["agents"],
        item["subject"],
        len(item["path"]),
        item["resource"],
        item["action"],
    )

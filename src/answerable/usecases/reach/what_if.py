"""Compare permissions before and after a policy edit (command `what-if`)."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from answerable.model.documents.core import Document, TruncationItem
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.model.policy import PolicyLayer
from answerable.model.sighting import SightedFacts
from answerable.presentation.command_hints import format_command
from answerable.reach.acting_agents import list_agents_through
from answerable.reach.aws import answer_items, subject_answers
from answerable.reach.aws.bulk.closure import GraphClosure, get_closure
from answerable.reach.aws.bulk.incremental_update import update_closure_for_edit
from answerable.reach.aws.compiled.statements import PolicyGap
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.compiled_graph import (
    collect_policy_services,
    list_policy_services,
)
from answerable.reach.aws.permission_rows.row_types import (
    RowFilter,
    build_action_formatter,
)
from answerable.reach.aws.query_context import (
    QueryContext,
    list_assumed_policies,
    list_missing_for_reply,
    pick_identity_per_account,
    require_followed_paths,
)
from answerable.reach.aws.subject_queries import (
    PatternExtent,
    ReachAnswer,
    empty_answer,
)
from answerable.reach.aws.what_if.edit_scope import EditScope, find_edit_scope
from answerable.reach.aws.what_if.external_caller_comparison import (
    list_caller_differences,
    list_changed_subjects,
    list_role_trust_differences,
)
from answerable.reach.aws.what_if.permission_comparison import (
    ReachChange,
    ReachComparison,
    ReachDifference,
)
from answerable.reach.aws.what_if.subject_reach import SubjectReach
from answerable.reach.formula import TRUE, Verdict
from answerable.reach.platform import Question, SubjectIdentity, UnknownSubject
from answerable.reach.subject_identities import SubjectIdentities
from answerable.services.reach import aws_queries
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.platforms import AWS
from answerable.services.reach.policy_edits import (
    PolicyEdit,
    apply_edit,
    require_target,
)
from answerable.services.reach.subject_resolution import resolve_subject
from answerable.services.reach.unknown_verdict_rows import (
    build_unknown_items,
    suggest_scan_command,
)

# Rows of at most this many changed identities are compared for one subject.
MOST_IDENTITIES = 64
_ORDER = tuple(ReachChange)


@dataclass(slots=True)
class EditedGraph:
    """Permission graph before and after an edit."""

    asked: QueryContext
    after: QueryContext
    scope: EditScope


def apply_graph_edit(query: QueryContext, facts: SightedFacts) -> EditedGraph:
    """Return the permission graph recompiled for edited facts."""
    whole: GraphClosure = update_closure_for_edit(
        get_closure(query.graph), query.inventory.facts, facts
    )
    after = replace(query, graph=whole.graph)
    scope = find_edit_scope(query.compiled_accounts, after.compiled_accounts)
    return EditedGraph(query, after, scope)


@serialize_queries
def compare_edit(
    inventory: Inventory,
    subject: str,
    edit: PolicyEdit,
    *,
    now: int,
    action: str = "*",
    resource: str = "*",
    limit: int = 0,
) -> Document:
    """List the changes of an edit for a subject, or for all.

    Args:
        subject: Agent, identity or credential; empty for every identity.
        now: UTC nanoseconds.
        action: Only permissions that could be an action matching this glob.
        resource: Only permissions that could touch a resource matching this glob.
        limit: Most items; 0 for all.

    Raises:
        UsageError: The subject is not known, or the edit is invalid.
    """
    if edit.is_empty:
        raise UsageError(
            "what-if needs an edit (got none)",
            "--without STATEMENT, --without-policy POLICY or --with FILE",
        )
    name = resolve_subject(inventory, subject) if subject else ""
    require_target(inventory, name, edit)
    facts = apply_edit(inventory.facts, edit, name, now)
    services = list_policy_services(inventory)
    if edit.file:
        services |= collect_policy_services(facts)
    asked = AWS.build_query(inventory, Question(now), services, compile_all=True)
    require_followed_paths(asked)
    edited = apply_graph_edit(asked, facts)
    return compare_graphs(edited, name, action=action, resource=resource, limit=limit)


def compare_graphs(
    edited: EditedGraph, subject: str, *, action: str, resource: str, limit: int
) -> Document:
    """List the access differences between two permission graphs."""
    asked = edited.asked
    wanted = AWS.parse_filter(asked.inventory, action, resource)
    listing = _DifferenceList(edited, wanted, limit or sys.maxsize)
    if subject:
        listing.add_subject(subject)
    else:
        listing.add_all()
    return listing.build_document(subject, action, resource)


@dataclass(slots=True)
class _DifferenceList:
    """Differences of some subjects, as document items.

    Attributes:
        gaps: Unread policies and statements, whose limits may change without an item.
    """

    edited: EditedGraph
    wanted: RowFilter
    limit: int
    pairs: list[tuple[ReachAnswer, AccessChangeItem]] = field(default_factory=list)
    unknown: list[UnknownSubject] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    gaps: dict[PolicyGap, None] = field(default_factory=dict)
    compared: int = 0
    of: int = 0
    left: int = 0

    def add_subject(self, subject: str) -> None:
        """Compare every identity of a subject."""
        before, after = self.edited.asked, self.edited.after
        found = aws_queries.find_identities(before, subject)
        now = aws_queries.find_identities(after, subject)
        self.unknown += found.unknown
        self.missing |= set(found.not_collected)
        for identity in dict.fromkeys(
            start.identity for start in (*found.starts, *now.starts)
        ):
            was, will = _select_entry(found, identity), _select_entry(now, identity)
            start = was or will
            if start is not None:
                self._add_differences(self._compare_start(start, was, will), start)

    def _compare_start(
        self,
        start: SubjectIdentity,
        start_before: SubjectIdentity | None,
        start_after: SubjectIdentity | None,
    ) -> Iterator[ReachDifference]:
        """Yield the differences of one identity between the two graphs."""
        before, after = self.edited.asked.graph, self.edited.after.graph
        name = start.identity
        if name not in before.accounts.principals:
            yield from list_caller_differences(before, after, name, self.wanted)
            return
        lost = start_after is None or _is_entry_removed(start_before, start_after)
        sides = (
            SubjectReach(before, name, absent=start_before is None),
            SubjectReach(after, name, absent=lost),
        )
        yield from self._list_differences(sides)

    def _list_differences(
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
            for node in side.list_nodes([side.start] if own_rows else None)[
                :MOST_IDENTITIES
            ]:
                gaps = side.graph.get_principal(node).list_gaps(PolicyLayer.IDENTITY)
                self.gaps |= dict.fromkeys(gaps)
        yield from comparison.list_differences()
        self.compared += comparison.compared_identities
        self.of += comparison.total_identities

    def add_all(self) -> None:
        """Compare every identity that the edit could affect, and external callers."""
        before, after = self.edited.asked.graph, self.edited.after.graph
        scope = self.edited.scope
        self._add_differences(list_role_trust_differences(before, after, scope), None)
        for name in list_changed_subjects(before, after, scope):
            sides = SubjectReach(before, name), SubjectReach(after, name)
            found = self._list_differences(sides, own_rows=True)
            self._add_differences(found, SubjectIdentity(name, name))

    def _add_differences(
        self, candidates: Iterable[ReachDifference], start: SubjectIdentity | None
    ) -> None:
        """Add differences up to the limit, and count the others."""
        room = max(0, self.limit - len(self.pairs))
        differences = iter(candidates)
        for each in islice(differences, room):
            reply = (
                subject_answers.prepend_subject(start, each.reply)
                if start
                else each.reply
            )
            if start and start.unknown and rests_on_uncollected_allow(reply.formula):
                continue
            self.pairs.append((reply, self._build_item(each, reply, start)))
        self.left += sum(1 for _ in differences)

    def _build_item(
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
        row = answer_items.build_reach_item(reply, spelled)
        if difference.identity is not None:
            row["resource"] = difference.identity
            row["action"] = reply.path[-1].via if reply.path else "runs as"
        change = difference.direction
        at = (
            self.edited.after
            if change in (ReachChange.APPEARS, ReachChange.STRONGER)
            else asked
        )
        absent = list_missing_for_reply(
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
            "agents": list_agents_through(asked.inventory, reply.subject),
            "determining": row["determining"],
            "path": row["path"],
            "assuming": list_assumed_policies(at, reply, absent),
        }

    def _list_actors(self, subject: str) -> list[IdentityId]:
        """List the identities that an empty answer is about."""
        asked = self.edited.asked
        if subject:
            found = aws_queries.find_identities(asked, subject)
            return [start.identity for start in found.starts]
        return pick_identity_per_account(asked)

    def build_document(self, subject: str, action: str, resource: str) -> Document:
        """Build the document, most severe items first, with its coverage."""
        asked = self.edited.asked
        pairs = sorted(self.pairs, key=lambda pair: _sort_key(pair[1]))
        listed = [item for _, item in pairs]
        listed += [
            _build_unknown_item(asked.inventory, subject, action, resource, each)
            for each in self.unknown
        ]
        empty = replace(empty_answer(), gaps=tuple(self.gaps))
        nothing = [
            replace(empty, subject=n, actor=n) for n in self._list_actors(subject)
        ]
        absent = set(self.missing)
        for each in nothing or [empty]:
            absent |= list_missing_for_reply(asked, each, action, resource)
        absent -= {"action-catalogue"}
        coverage = aws_queries.build_query_coverage(
            asked, [*nothing, *(r for r, _ in pairs)], absent
        )
        if not subject:
            coverage["looked"] = aws_queries.describe_query_scope(asked)
        if self.left or self.compared < self.of:
            done, of = (self.compared, self.of) if self.of else (0, 0)
            what = "changed identities"
            if self.left:
                done, of, what = len(pairs), len(pairs) + self.left, "changes"
            coverage["shown"] = TruncationItem(
                rows=len(listed), what=what, done=done, of=of
            )
        following = suggest_scan_command(self.unknown)
        if not following and listed:
            following = format_command("reach", listed[0]["subject"])
        return Document("what-if", listed, coverage, next=following)


def _select_entry(
    subject: SubjectIdentities, identity: IdentityId
) -> SubjectIdentity | None:
    """Select how a subject comes to act as an identity, unconditional ways first."""
    some = [start for start in subject.starts if start.identity == identity]
    sure = [s for s in some if all(hop.formula == TRUE for hop in s.hops)]
    return next(iter(sure or some), None)


def _is_entry_removed(before: SubjectIdentity | None, after: SubjectIdentity) -> bool:
    """Return whether the statement that admitted a workflow is removed."""
    if before is None or not before.hops:
        return False
    return bool(before.hops[0].determining) and not after.hops[0].determining


def _cap_verdict(verdict: Verdict, conditional: bool) -> str:
    """Lower `always` to `only-if` if the subject's entry has conditions."""
    return Verdict.ONLY_IF if conditional and verdict is Verdict.ALWAYS else verdict


def _sort_key(item: AccessChangeItem) -> tuple[object, ...]:
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


def _build_unknown_item(
    inventory: Inventory,
    subject: str,
    action: str,
    resource: str,
    unknown: UnknownSubject,
) -> AccessChangeItem:
    """Build the item of a subject whose permissions were not collected."""
    return {
        "change": ReachChange.UNDECIDED.value,
        "kind": "permission",
        "subject": subject,
        "action": action,
        "resource": resource,
        "before": Verdict.NOT_KNOWN,
        "after": Verdict.NOT_KNOWN,
        "covers_before": PatternExtent.PART.value,
        "covers_after": PatternExtent.PART.value,
        "admin": False,
        "agents": list_agents_through(inventory, subject),
        "determining": [],
        "path": [],
        "assuming": [],
        "unknown": build_unknown_items(inventory, [unknown]),
    }

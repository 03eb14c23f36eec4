"""Smallest sets of statements whose removal ends a reach (`what-if --cuts`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.lineage.stitch_inputs import JointChains
from answerable.model.documents.core import Coverage, Document, ShownItem
from answerable.model.documents.what_if import CutItem, CutStatementItem
from answerable.model.inventory import Inventory
from answerable.presentation.command_hints import command
from answerable.reach import queries, subjects
from answerable.reach.aws.bulk.closure import whole_of
from answerable.reach.aws.condition_keys.self_tagging import retagged
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.pattern_answers import is_pattern
from answerable.reach.aws.permission_rows.row_types import Filter
from answerable.reach.aws.what_if.minimal_cuts import Cut, CutSearch
from answerable.reach.aws.what_if.policy_edits import StatementId
from answerable.reach.formula import FALSE, Verdict, verdict
from answerable.reach.queries import Reply
from answerable.reach.subjects import Start, Starts
from answerable.reach.unknown_subjects import rests_on_missing
from answerable.services.reach.broken_calls import Breakage
from answerable.services.reach.call_parsing import call_of, wanted_of
from answerable.services.reach.query_context import (
    Asked,
    alone,
    asked_of,
    assuming_of,
    coverage_of,
    missing_of,
    require_paths,
)
from answerable.services.reach.request_context import Given
from answerable.services.reach.statement_quotes import written
from answerable.services.reach.subject_resolution import subject_of
from answerable.services.reach.unknown_permissions import scan_command, unknown_items
from answerable.store.store import Store

MOST_TRIED = 500
MOST_STATEMENTS = 4
# Listed cuts of one size.
MOST_LISTED = 20


@alone
def cuts(
    store: Store,
    inventory: Inventory,
    subject: str,
    resource: str,
    *,
    now: int,
    action: str = "*",
    stood: Sequence[JointChains] | None = None,
) -> Document:
    """Find the smallest sets of statements whose removal ends a reach.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        resource: Resource or pattern of resources.
        now: UTC nanoseconds.
        action: Action or pattern of actions.
        stood: Loaded chains; None to load them.

    Raises:
        UsageError: The subject is not known, or no action or resource can match.
    """
    asked = asked_of(inventory, None, Given(), now, whole=True)
    require_paths(asked)
    name = subject_of(inventory, subject)
    target = _target(asked, action, resource)
    starts = subjects.starts(asked.graph, inventory, name)
    question = _Question(asked, name, starts, target)
    before = question.open_way(asked.graph)
    items: list[CutItem] = []
    if starts.unknown:
        items = [question.unknown_item(before)]
    elif before is not None:
        items = question.items(before, Breakage(store, asked, stood))
    return question.document(items)


@dataclass(frozen=True, slots=True)
class _Target:
    """Action and resource of the reach to end, as one call or as patterns.

    Attributes:
        action: Queried action, in the spelling of its service.
        resource: Queried resource, as an ARN.
        wanted: Both as patterns; None for one call.
    """

    action: str
    resource: str
    wanted: Filter | None


def _target(asked: Asked, action: str, resource: str) -> _Target:
    if set("*?") & set(action):
        return _Target(action, resource, wanted_of(asked, action, resource))
    spelled, place = call_of(asked, action, resource)
    pattern = is_pattern(asked.estate, spelled, place)
    wanted = wanted_of(asked, spelled, place) if pattern else None
    return _Target(spelled, place, wanted)


@dataclass(slots=True)
class _Question:
    """Search for cuts of one reach.

    Attributes:
        subject: Id of the subject.
        missing: Uncollected data that could change an item.
        found: Number of cuts, listed or not.
    """

    asked: Asked
    subject: str
    starts: Starts
    target: _Target
    missing: set[str] = field(default_factory=set)
    found: int = 0

    def open_way(self, graph: Graph) -> Reply | None:
        """Find a path that is open, always or under conditions."""
        found = subjects.starts(graph, self.asked.inventory, self.subject)
        entered = {(one.identity, bool(_entry(one))) for one in found.starts}
        for start in self.starts.starts:
            # The statement that admitted a workflow may be among the removed ones.
            if (start.identity, bool(_entry(start))) in entered:
                for reply in self._ways(graph, start):
                    return subjects.through(start, reply)
        return None

    def _ways(self, graph: Graph, start: Start) -> Iterator[Reply]:
        if self.target.wanted is not None:
            yield from queries.reach(
                graph, start.identity, self.target.wanted, direct=False
            )
            return
        call = self.target.action, self.target.resource
        reply = queries.can(graph, start.identity, *call, direct=False)
        if reply.formula == FALSE:
            found = retagged(graph, start.identity, *call, direct=False)
            reply = found if found is not None else reply
        if reply.formula != FALSE:
            yield reply

    def items(self, before: Reply, breakage: Breakage) -> list[CutItem]:
        """Run the search and build an item per cut."""
        call = self.target.action, self.target.resource
        search = CutSearch(
            whole_of(self.asked.graph),
            self.asked.inventory.facts,
            ("", "") if self.target.wanted else call,
            self.open_way,
            MOST_TRIED,
            MOST_STATEMENTS,
        )
        found = search.cuts()
        found.sort(key=lambda pair: sorted(map(str, pair[0])))
        self.found = len(found)
        if not found:
            return [self._uncut_item(before, search)]
        return [
            self._item(before, cut, graph, breakage)
            for cut, graph in found[:MOST_LISTED]
        ]

    def _uncut_item(self, before: Reply, search: CutSearch) -> CutItem:
        """Build the item for a reach that no removal within the search limit ends."""
        item = self.unknown_item(before)
        if search.exhausted:
            item["verdict"] = item["before"]
            because = "no removal of collected statements ends it"
        else:
            because = (
                f"none found among {search.tried:,} sets of at most "
                f"{search.most_statements} statements"
            )
        item["unknown"] = [{"id": self.subject, "because": because, "source": ""}]
        return item

    def _item(
        self, before: Reply, cut: Cut, graph: Graph, breakage: Breakage
    ) -> CutItem:
        after = replace(self.asked, graph=graph)
        start = self.starts.starts[0]
        reply = replace(queries.nobody(), subject=self.subject, actor=start.identity)
        absent = missing_of(after, reply, self.target.action, self.target.resource)
        absent -= {"action-catalogue"}
        self.missing |= absent
        return {
            "subject": self.subject,
            "action": self.target.action,
            "resource": self.target.resource,
            "before": verdict(before.formula).value,
            "verdict": Verdict.NEVER.value,
            "statements": [self._statement(one) for one in sorted(cut)],
            "breaks": breakage.of(after, cut),
            "assuming": assuming_of(after, reply, absent),
        }

    def _statement(self, one: StatementId) -> CutStatementItem:
        policies = self.asked.inventory.facts.policies
        texts = [
            written(statement)
            for policy in policies
            if policy.id == one.policy
            for statement in policy.statements
            if statement.sid == one.sid
        ]
        return {
            "id": str(one),
            "policy": one.policy,
            "statement": one.sid,
            "text": " | ".join(texts)[:1000],
        }

    def unknown_item(self, before: Reply | None) -> CutItem:
        """Build the item for a reach that is not known."""
        word = Verdict.NOT_KNOWN
        if before and not (self.starts.unknown and rests_on_missing(before.formula)):
            word = verdict(before.formula)
        return {
            "subject": self.subject,
            "action": self.target.action,
            "resource": self.target.resource,
            "before": word.value,
            "verdict": Verdict.NOT_KNOWN.value,
            "statements": [],
            "breaks": {"used": None, "since": None},
            "assuming": [],
            "unknown": unknown_items(self.asked.inventory, self.starts.unknown),
        }

    def document(self, items: list[CutItem]) -> Document:
        """Build the document of the cuts with its coverage."""
        start = next(iter(self.starts.starts), None)
        nothing = replace(
            queries.nobody(),
            subject=self.subject,
            actor=start.identity if start else queries.nobody().actor,
        )
        absent = missing_of(
            self.asked, nothing, self.target.action, self.target.resource
        )
        absent |= self.missing | set(self.starts.not_collected)
        absent -= {"action-catalogue"}
        coverage: Coverage = coverage_of(self.asked, [nothing], absent)
        if self.found > len(items):
            coverage["shown"] = ShownItem(
                rows=len(items), what="cuts", done=len(items), of=self.found
            )
        following = scan_command(self.starts.unknown)
        if not following and items:
            words = [
                w for one in items[0]["statements"] for w in ("--without", one["id"])
            ]
            following = command("what-if", "--all", *words)
        return Document("what-if-cuts", items, coverage, next=following)


def _entry(start: Start) -> tuple[object, ...]:
    return start.hops[0].determining if start.hops else ()

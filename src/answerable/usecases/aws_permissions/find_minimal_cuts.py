"""Find the smallest policy edits that remove an access (`what-if --cuts`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.documents.shared_shapes import (
    CoverageRecord,
    Document,
    TruncationItem,
)
from answerable.model.documents.what_if import CutSetItem, CutStatementItem
from answerable.model.inventory import Inventory
from answerable.presentation.command_hints import format_command
from answerable.reach.aws import subject_answers, subject_queries
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.call_parsing import is_pattern_question
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.condition_keys.self_tagging import answer_with_self_set_tags
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.permission_rows.row_types import RowFilter
from answerable.reach.aws.query_context import (
    QueryContext,
    list_assumed_policy_kinds_of_answer,
    list_missing_data_for_answer,
    require_assume_role_paths,
)
from answerable.reach.aws.statement_quotes import format_statement
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.what_if.minimal_cuts import CutSearch, StatementSet
from answerable.reach.aws.what_if.policy_edits import StatementId
from answerable.reach.condition_formula import FALSE, Verdict, get_verdict
from answerable.reach.platform import Question, SubjectIdentity
from answerable.reach.subject_identities import SubjectIdentities
from answerable.services.reach.aws_queries import (
    build_query_coverage,
    find_subject_identities,
)
from answerable.services.reach.calls_broken_by_edit import BrokenCallFinder
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.reach.platform_registry import AWS
from answerable.services.reach.subject_resolution import resolve_subject
from answerable.services.reach.unknown_verdict_rows import (
    build_unknown_reason_items,
    suggest_scan_command,
)
from answerable.store.store import EvidenceStore

MOST_TRIED = 500
MOST_STATEMENTS = 4
# Listed cuts of one size.
MOST_LISTED = 20


def is_cuttable(action: str, resource: str) -> bool:
    """Tell whether `find_cuts` accepts an access, with an empty action for any."""
    named = resource.startswith(("arn:", "s3://"))
    return named and " " not in action and " " not in resource


@serialize_queries
def find_cuts(
    store: EvidenceStore,
    inventory: Inventory,
    subject: str,
    resource: str,
    *,
    now: int,
    action: str = "*",
    chains: Sequence[ChainTimeline] | None = None,
) -> Document:
    """Find the smallest sets of statements whose removal ends an access.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        resource: Resource or pattern of resources.
        now: UTC nanoseconds.
        action: Action or pattern of actions.
        chains: Loaded chains; None to load them.

    Raises:
        UsageError: The subject is not known, or no action or resource can match.
    """
    asked = AWS.build_permission_query(inventory, Question(now), compile_all=True)
    require_assume_role_paths(asked)
    name = resolve_subject(inventory, subject)
    target = _parse_access_target(asked, action, resource)
    starts = find_subject_identities(asked, name)
    question = _CutQuery(asked, name, starts, target)
    before = question.find_allowing_answer(asked.graph)
    items: list[CutSetItem] = []
    if starts.unknown:
        items = [question.build_undetermined_item(before)]
    elif before is not None:
        items = question.search_cut_items(
            before, BrokenCallFinder(store, asked, chains)
        )
    return question.build_document(items)


@dataclass(frozen=True, slots=True)
class _CutTarget:
    """Action and resource of the reach to end, as one call or as patterns.

    Attributes:
        action: Queried action, in the spelling of its service.
        resource: Queried resource, as an ARN.
        row_filter: Both as patterns; None for one call.
    """

    action: str
    resource: str
    row_filter: RowFilter | None


def _parse_access_target(query: QueryContext, action: str, resource: str) -> _CutTarget:
    """Parse action and resource as one call, or as patterns if they have wildcards."""
    if set("*?") & set(action):
        return _CutTarget(
            action, resource, AWS.parse_filter(query.inventory, action, resource)
        )
    spelled, place = AWS.parse_call(query.inventory, action, resource)
    pattern = is_pattern_question(query.compiled_accounts, spelled, place)
    wanted = AWS.parse_filter(query.inventory, spelled, place) if pattern else None
    return _CutTarget(spelled, place, wanted)


@dataclass(slots=True)
class _CutQuery:
    """Search for cuts of one reach.

    Attributes:
        subject: Id of the subject.
        missing: Uncollected data that could change an item.
        found: Number of cuts, listed or not.
    """

    query: QueryContext
    subject: str
    starts: SubjectIdentities
    target: _CutTarget
    missing: set[str] = field(default_factory=set)
    found: int = 0

    def find_allowing_answer(self, graph: IdentityGraph) -> ReachAnswer | None:
        """Find one answer by which an edited policy graph still allows the access."""
        found = find_subject_identities(replace(self.query, graph=graph), self.subject)
        entered = {
            (one.identity, bool(_list_entry_statements(one))) for one in found.starts
        }
        for start in self.starts.starts:
            # The statement that admitted a workflow may be among the removed ones.
            if (start.identity, bool(_list_entry_statements(start))) in entered:
                for reply in self._iter_allowing_answers(graph, start):
                    return subject_answers.prepend_subject_to_answer(start, reply)
        return None

    def _iter_allowing_answers(
        self, graph: IdentityGraph, start: SubjectIdentity
    ) -> Iterator[ReachAnswer]:
        """Yield the answers that allow the access to an identity of the subject."""
        if self.target.row_filter is not None:
            yield from subject_queries.iterate_subject_rows(
                graph, start.identity, self.target.row_filter, direct=False
            )
            return
        call = self.target.action, self.target.resource
        reply = subject_queries.answer_subject(
            graph, start.identity, *call, direct=False
        )
        if reply.formula == FALSE:
            found = answer_with_self_set_tags(
                graph, start.identity, *call, direct=False
            )
            reply = found if found is not None else reply
        if reply.formula != FALSE:
            yield reply

    def search_cut_items(
        self, answer_before: ReachAnswer, broken_calls: BrokenCallFinder
    ) -> list[CutSetItem]:
        """Search sets of policy statements whose removal ends the access."""
        call = self.target.action, self.target.resource
        search = CutSearch(
            get_graph_closure(self.query.graph),
            self.query.inventory.facts,
            ("", "") if self.target.row_filter else call,
            self.find_allowing_answer,
            MOST_TRIED,
            MOST_STATEMENTS,
        )
        found = search.find_minimal_cuts()
        found.sort(key=lambda pair: sorted(map(str, pair[0])))
        self.found = len(found)
        if not found:
            return [self._build_no_cut_item(answer_before, search)]
        return [
            self._build_cut_item(answer_before, cut, graph, broken_calls)
            for cut, graph in found[:MOST_LISTED]
        ]

    def _build_no_cut_item(
        self, answer_before: ReachAnswer, search: CutSearch
    ) -> CutSetItem:
        """Build the item for an access that no removal within the search limit ends."""
        item = self.build_undetermined_item(answer_before)
        if search.exhausted:
            item["verdict"] = item["before"]
            because = "no removal of collected statements ends the access"
        else:
            because = (
                f"no cut found among {search.tried:,} sets of at most "
                f"{search.most_statements} statements"
            )
        item["unknown"] = [{"id": self.subject, "because": because, "source": ""}]
        return item

    def _build_cut_item(
        self,
        answer_before: ReachAnswer,
        cut: StatementSet,
        graph: IdentityGraph,
        broken_calls: BrokenCallFinder,
    ) -> CutSetItem:
        """Build the item of one set of statements, with the calls that it breaks."""
        after = replace(self.query, graph=graph)
        start = self.starts.starts[0]
        reply = replace(
            subject_queries.build_never_answer(),
            subject=self.subject,
            actor=start.identity,
        )
        absent = list_missing_data_for_answer(
            after, reply, self.target.action, self.target.resource
        )
        absent -= {"action-catalogue"}
        self.missing |= absent
        return {
            "subject": self.subject,
            "action": self.target.action,
            "resource": self.target.resource,
            "before": get_verdict(answer_before.formula).value,
            "verdict": Verdict.NEVER.value,
            "statements": [self._build_statement_item(one) for one in sorted(cut)],
            "breaks": broken_calls.find_broken_calls(after, cut),
            "assuming": list_assumed_policy_kinds_of_answer(after, reply, absent),
        }

    def _build_statement_item(self, statement_id: StatementId) -> CutStatementItem:
        """Convert a statement of a cut to a document item with its text."""
        policies = self.query.inventory.facts.policies
        texts = [
            format_statement(statement)
            for policy in policies
            if policy.id == statement_id.policy
            for statement in policy.statements
            if statement.sid == statement_id.sid
        ]
        return {
            "id": str(statement_id),
            "policy": statement_id.policy,
            "statement": statement_id.sid,
            "text": " | ".join(texts)[:1000],
        }

    def build_undetermined_item(self, answer_before: ReachAnswer | None) -> CutSetItem:
        """Build the item for an access that is not known."""
        word = Verdict.NOT_KNOWN
        if answer_before and not (
            self.starts.unknown and rests_on_uncollected_allow(answer_before.formula)
        ):
            word = get_verdict(answer_before.formula)
        return {
            "subject": self.subject,
            "action": self.target.action,
            "resource": self.target.resource,
            "before": word.value,
            "verdict": Verdict.NOT_KNOWN.value,
            "statements": [],
            "breaks": {"used": None, "since": None},
            "assuming": [],
            "unknown": build_unknown_reason_items(
                self.query.inventory, self.starts.unknown
            ),
        }

    def build_document(self, items: list[CutSetItem]) -> Document:
        """Build the output of the found removals, with its coverage."""
        start = next(iter(self.starts.starts), None)
        nothing = replace(
            subject_queries.build_never_answer(),
            subject=self.subject,
            actor=start.identity
            if start
            else subject_queries.build_never_answer().actor,
        )
        absent = list_missing_data_for_answer(
            self.query, nothing, self.target.action, self.target.resource
        )
        absent |= self.missing | set(self.starts.not_collected)
        absent -= {"action-catalogue"}
        coverage: CoverageRecord = build_query_coverage(self.query, [nothing], absent)
        if self.found > len(items):
            coverage["shown"] = TruncationItem(
                rows=len(items), what="cuts", done=len(items), of=self.found
            )
        following = suggest_scan_command(self.starts.unknown)
        if not following and items:
            words = [
                w for one in items[0]["statements"] for w in ("--without", one["id"])
            ]
            following = format_command("what-if", "--all", *words)
        return Document("what-if-cuts", items, coverage, next=following)


def _list_entry_statements(start: SubjectIdentity) -> tuple[object, ...]:
    """List the policy statements by which the subject assumes its first identity."""
    return start.hops[0].determining if start.hops else ()

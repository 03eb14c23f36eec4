"""Compute the findings of a snapshot, as items built when they are read.

The command, the report, the exports and the web page use these items alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import overload

from answerable.inventory.sync_join import assess_owners_at_time
from answerable.lineage.chain_index import ChainIndex
from answerable.model.baseline import BaselineStage
from answerable.model.documents.finding import FindingItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.posture.facts import ArgumentLimit, NoLogs, PostureFacts
from answerable.posture.result_table import ResultList
from answerable.posture.reviews import NO_REVIEWS, FindingReviews
from answerable.posture.rule import Finding, NotEvaluated
from answerable.posture.rule_engine import evaluate_rules
from answerable.posture.severity import is_at_least
from answerable.presentation.answer_coverage import build_list_coverage
from answerable.presentation.finding_items import (
    FindingContext,
    build_finding_item,
    build_not_evaluated_item,
)
from answerable.reach.aws.condition_keys.key_classification import (
    AssertedBy,
    classify_condition_key,
)
from answerable.services.posture.evidence_lines import LineIndex
from answerable.services.posture.fix_diffs import build_fix_diff
from answerable.services.posture.granted_action_use import GrantedActionUseView
from answerable.services.posture.logged_use import LoggedUse
from answerable.services.posture.reach_view import SnapshotReach
from answerable.services.posture.signed_reviews import read_signed_reviews
from answerable.services.python_gc_pause import pause_garbage_collection
from answerable.services.reach.compiled_snapshots import serialize_queries
from answerable.services.statements.signed_baselines import read_active_baselines
from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class FindingItems(Sequence[FindingItem]):
    """Items of findings, most severe first, then rules that were not evaluated.

    An item is built each time that it is read, so that a long list needs little memory.
    """

    results: Sequence[Finding | NotEvaluated]
    context: FindingContext

    def select(self, keep: Callable[[FindingItem], bool]) -> "FindingItems":
        """Select items; only their positions stay in memory."""
        kept = [at for at, item in enumerate(self) if keep(item)]
        if isinstance(self.results, ResultList):
            return FindingItems(self.results.select(kept), self.context)
        return FindingItems([self.results[at] for at in kept], self.context)

    def has_open_finding(self, severity: str) -> bool:
        """Return whether an open finding is as severe as a severity."""
        reviews, now = self.context.reviews, self.context.now
        return any(
            isinstance(each, Finding)
            and is_at_least(each.severity.severity.value[0], severity)
            and reviews.get_suppression(each.id, now) is None
            for each in self.results
        )

    def __len__(self) -> int:
        """Count the items."""
        return len(self.results)

    @overload
    def __getitem__(self, at: int) -> FindingItem: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[FindingItem]: ...

    def __getitem__(self, at: int | slice) -> FindingItem | Sequence[FindingItem]:
        """Build the item at a position, or take a part of the list."""
        if isinstance(at, slice):
            return FindingItems(self.results[at], self.context)
        result = self.results[at]
        if isinstance(result, Finding):
            return build_finding_item(result, self.context)
        return build_not_evaluated_item(result, self.context)


@serialize_queries
def compute_findings(
    inventory: Inventory,
    *,
    now: int,
    store: EvidenceStore | None = None,
    reviews: FindingReviews = NO_REVIEWS,
    argument_limits: Sequence[ArgumentLimit] | None = None,
    loaded_chains: ChainIndex | None = None,
) -> FindingItems:
    """Compute all findings of a snapshot.

    Args:
        now: UTC nanoseconds.
        store: Store with the logs and the signed baselines; without one, use is not
            known.
        reviews: Suppressions and assignments of a reviewed file; those that persons
            signed are read from the store.
        argument_limits: Limits by policies of the gateway; None if its configuration
            was not read.
        loaded_chains: Chains of all events; None to load them.

    Returns:
        Open findings, most severe first, then suppressed ones, then rules that were not
        evaluated.
    """
    inventory = assess_owners_at_time(inventory, now)
    if store is not None:
        reviews = read_signed_reviews(store, now).merge(reviews)
    use = None if store is None else LoggedUse(store, inventory, now, loaded_chains)
    reach = SnapshotReach(inventory, now)
    facts = PostureFacts(
        inventory,
        now,
        reach=reach,
        use=use or NoLogs(),
        action_use=GrantedActionUseView(use, reach).count_action_use
        if use
        else lambda _: None,
        bounded=frozenset() if store is None else _list_bounded_agents(store, now),
        asserted_by_caller=_is_asserted_by_caller,
        argument_limits=argument_limits,
    )
    with pause_garbage_collection():
        posture = evaluate_rules(facts)
    findings = posture.findings
    if reviews.suppressions:
        closed = [
            reviews.get_suppression(each.id, now) is not None for each in findings
        ]
        findings = findings.select(sorted(range(len(closed)), key=closed.__getitem__))
    lines = LineIndex()
    context = FindingContext(
        inventory,
        posture,
        find_line=lines.find_line,
        build_diff=partial(build_fix_diff, lines),
        use=use or NoLogs(),
        reviews=reviews,
        now=now,
    )
    return FindingItems(findings + posture.not_evaluated, context)


def _is_asserted_by_caller(key: str) -> bool:
    """Return whether the caller sets a condition key about itself."""
    return classify_condition_key(key).asserted_by is AssertedBy.CALLER


def _list_bounded_agents(store: EvidenceStore, now: int) -> frozenset[str]:
    """List the agents with a signed baseline that blocks calls."""
    reading = read_active_baselines(store, now)
    return frozenset(
        str(each.subject.agent)
        for each in reading.values()
        if each.stage is BaselineStage.ENFORCE
    )


def build_findings_document(
    inventory: Inventory, items: FindingItems, *, now: int
) -> Document:
    """Build the `findings` document of computed items.

    Args:
        now: UTC nanoseconds.
    """
    logs = items.context.use.sources
    coverage = build_list_coverage("findings", inventory, now, logs=logs)
    return Document("findings", items, coverage)

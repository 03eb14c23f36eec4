"""Compute the findings of a snapshot, as items built when they are read.

The command, the report, the exports and the web page use these items alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from answerable.inventory.sync_join import assess_owners_at_time
from answerable.model.documents.finding import FindingItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.posture.facts import PostureFacts
from answerable.posture.rule import Finding, NotEvaluated
from answerable.posture.rule_engine import evaluate_rules
from answerable.presentation.answer_coverage import build_list_coverage
from answerable.presentation.finding_items import (
    FindingContext,
    build_finding_item,
    build_not_evaluated_item,
)


@dataclass(frozen=True, slots=True)
class FindingItems(Sequence[FindingItem]):
    """Items of findings, gravest first, then rules that were not evaluated.

    An item is built each time that it is read, so that a long list needs little memory.
    """

    results: tuple[Finding | NotEvaluated, ...]
    context: FindingContext

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


def compute_findings(inventory: Inventory, *, now: int) -> FindingItems:
    """Compute all findings of a snapshot.

    Args:
        now: UTC nanoseconds.
    """
    inventory = assess_owners_at_time(inventory, now)
    posture = evaluate_rules(PostureFacts(inventory, now))
    return FindingItems(
        (*posture.findings.values(), *posture.not_evaluated.values()),
        FindingContext(inventory, posture),
    )


def build_findings_document(
    inventory: Inventory, items: Sequence[FindingItem], *, now: int
) -> Document:
    """Build the `findings` document of computed items.

    Args:
        now: UTC nanoseconds.
    """
    return Document("findings", items, build_list_coverage("findings", inventory, now))

"""Logged use of identities, from the ingested audit logs."""

from dataclasses import dataclass, field
from functools import cached_property

from answerable.lineage.chain_index import ChainIndex
from answerable.model.event import EventOutcome
from answerable.model.inventory import Inventory
from answerable.posture.facts import UsageCount
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.recorded_calls import count_recorded_calls
from answerable.services.posture.log_coverage import LogCoverageView
from answerable.store.store import EvidenceStore


@dataclass(eq=False)
class LoggedUse:
    """Use of the identities whose platform's log was ingested.

    Attributes:
        now: UTC nanoseconds.
        loaded_chains: Chains of all events; None to load them.
    """

    store: EvidenceStore
    inventory: Inventory
    now: int
    loaded_chains: ChainIndex | None = None
    _known: dict[str, UsageCount | None] = field(default_factory=dict)

    def get_use(self, identity: str) -> UsageCount | None:
        """Return the use of an identity; None if no log covers it."""
        if identity not in self._known:
            self._known[identity] = self._count_use(identity)
        return self._known[identity]

    def _count_use(self, identity: str) -> UsageCount | None:
        """Count the successful calls of an identity."""
        span = self._log_coverage.get_span(identity)
        if span is None:
            return None
        calls = [
            each
            for each in count_recorded_calls(
                self.store, self.inventory, identity, self.chains
            )
            if each.outcome is not EventOutcome.DENIED
        ]
        return UsageCount(
            sum(each.count for each in calls),
            max((each.last for each in calls), default=0),
            span.since,
            span.until,
        )

    def find_log_gap(self, identity: str) -> str:
        """Name the evidence that an identity's calls lack; empty if a log covers them."""
        return self._log_coverage.find_log_gap(identity)

    @cached_property
    def _log_coverage(self) -> LogCoverageView:
        """Build the view of the ingested logs."""
        return LogCoverageView(self.store, self.inventory, self.now)

    @cached_property
    def chains(self) -> ChainIndex:
        """Return the chains of all events."""
        if self.loaded_chains is not None:
            return self.loaded_chains
        return load_or_compute_chains(self.store)

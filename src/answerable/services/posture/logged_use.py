"""Logged use of identities, from the ingested audit logs."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

from answerable.lineage.chain_index import ChainIndex
from answerable.model.inventory import Inventory
from answerable.posture.facts import UsageCount
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.recorded_calls import count_successful_calls
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
        self.load_uses((identity,))
        return self._known[identity]

    def load_uses(self, identities: Collection[str]) -> None:
        """Count the successful calls of identities by one query, for later questions."""
        wanted = [each for each in identities if each not in self._known]
        spans = {each: self._log_coverage.get_span(each) for each in wanted}
        covered = [each for each, span in spans.items() if span is not None]
        calls = (
            count_successful_calls(self.store, covered, self.chains) if covered else {}
        )
        for each, span in spans.items():
            self._known[each] = (
                None
                if span is None
                else UsageCount(
                    *calls.get(each, (0, 0)),
                    self._log_coverage.list_complete_days(each),
                )
            )

    def find_log_gap(self, identity: str) -> str:
        """Name the evidence that an identity's calls lack; empty if a log covers them."""
        return self._log_coverage.find_log_gap(identity)

    @property
    def sources(self) -> frozenset[str]:
        """Return the sources of the ingested logs."""
        return self._log_coverage.sources

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

"""Logged use of identities, from the ingested audit logs."""

from dataclasses import dataclass, field
from functools import cached_property

from answerable.lineage.chain_index import ChainIndex
from answerable.model.event import EventOutcome
from answerable.model.inventory import Inventory
from answerable.posture.facts import UsageCount
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.recorded_calls import count_recorded_calls
from answerable.store.event_queries import AccountLogSpan, read_account_log_spans
from answerable.store.store import EvidenceStore

_ACCOUNT_FIELD = 4  # of an ARN


@dataclass(eq=False)
class LoggedUse:
    """Use of the identities whose account is in an ingested log."""

    store: EvidenceStore
    inventory: Inventory
    _known: dict[str, UsageCount | None] = field(default_factory=dict)

    def get_use(self, identity: str) -> UsageCount | None:
        """Return the use of an identity; None if no log covers it."""
        if identity not in self._known:
            self._known[identity] = self._count_use(identity)
        return self._known[identity]

    def _count_use(self, identity: str) -> UsageCount | None:
        """Count the successful calls of an identity."""
        parts = identity.split(":", _ACCOUNT_FIELD + 1)
        scope = parts[_ACCOUNT_FIELD] if len(parts) > _ACCOUNT_FIELD else ""
        span = self._spans.get(scope)
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
        )

    @cached_property
    def _spans(self) -> dict[str, AccountLogSpan]:
        """Read the logged time of each account."""
        return read_account_log_spans(self.store)

    @cached_property
    def chains(self) -> ChainIndex:
        """Load the chains of all events."""
        return load_or_compute_chains(self.store)

"""Find one event with its lineage, and the other events of its run."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.model.documents.trace import TraceItem
from answerable.model.event import AuditEvent
from answerable.model.lineage import ChainRow
from answerable.services.lineage.lineage_search import (
    SearchScope,
    is_chain_visible,
    join_events_with_chains,
)
from answerable.services.lineage.trace_rows import build_trace_item
from answerable.store import investigation_queries
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.store import EvidenceStore

NEAR = 50
_AROUND = 600 * 10**9  # nanoseconds before and after, if no run is named


@dataclass(frozen=True, slots=True)
class RelatedEvents:
    """Events related to an event.

    Attributes:
        by: Shared attribute: `run`, `credential`, or empty.
        more: Whether older related events were cut.
    """

    by: str
    items: Sequence[TraceItem]
    more: bool = False


def find_event_rows(
    store: EvidenceStore, scope: SearchScope, event_id: bytes
) -> list[ChainRow]:
    """Return the visible records of an event id, each with its chain."""
    rows = join_events_with_chains(
        investigation_queries.find_events_by_id(store, event_id), scope
    )
    return [row for row in rows if is_chain_visible(row.chain, scope.visible_agents)]


def find_related_events(
    store: EvidenceStore, scope: SearchScope, event: AuditEvent
) -> RelatedEvents:
    """Find the events of the same run, or of the same credential if no run is named."""
    if event.run:
        shared, value, span = "run", event.run, EventFilter()
    elif event.credential:
        at = event.event_time
        shared, value = "credential", event.credential
        span = EventFilter(since=max(at - _AROUND, 1), until=at + _AROUND)
    else:
        return RelatedEvents("", ())
    events = investigation_queries.find_newest_events(
        store, InvestigationFilter(span, equal_columns=[(shared, value)]), NEAR + 1
    )
    near = join_events_with_chains(events[:NEAR], scope)
    told = [row for row in near if is_chain_visible(row.chain, scope.visible_agents)]
    return RelatedEvents(
        shared, [build_trace_item(row) for row in told], len(events) > NEAR
    )

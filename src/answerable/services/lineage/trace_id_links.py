"""Link telemetry of agents with the calls for which the gateway recorded its trace id.

The agent writes the trace id, into its telemetry and into its call. The gateway's record
therefore shows which attested run sent the id, and not what else happened under it: a
link sets no hop.
"""

from answerable.model.event import AuditEvent
from answerable.model.lineage import HopStatus
from answerable.model.log_sources import GATEWAY
from answerable.model.provenance import WrittenBy
from answerable.presentation.entity_rows import EntityRows, LinkEvidence
from answerable.presentation.inventory_items import format_time
from answerable.services.lineage.event_links import find_visible_event
from answerable.services.lineage.lineage_search import SearchScope
from answerable.store.event_queries import EventFilter, build_filter_scope
from answerable.store.store import EvidenceStore

TRACE_ID_FACT = "self:trace_id"
_AROUND = 3600 * 10**9  # nanoseconds: spans of one trace are near each other
_MAX_LINKS = 20


def add_trace_id_links(
    rows: EntityRows, store: EvidenceStore, scope: SearchScope, event: AuditEvent
) -> None:
    """Add the events with the trace id of an event, if the gateway recorded it.

    Args:
        rows: Rows of the event.
        store: The store.
        scope: Chains, and what the reader may see.
        event: Telemetry, or a call that the gateway recorded.
    """
    trace = dict(event.facts).get(TRACE_ID_FACT, "")
    if not trace:
        return
    said = LinkEvidence(
        HopStatus.DECLARED.value,
        "the trace id that the caller wrote into both",
        WrittenBy.SELF_REPORTED.value,
    )
    for event_id in _find_events_with_trace(store, event, trace):
        for row in find_visible_event(store, scope, event_id)[:1]:
            found = row.event
            parts = (format_time(found.event_time), found.action, found.agent)
            run = f"run {found.run}" if found.run else ""
            detail = " ".join(filter(None, (*parts, run)))
            rows.add("event", "same trace", event_id.hex(), said, detail)


def _find_events_with_trace(
    store: EvidenceStore, event: AuditEvent, trace: str
) -> list[bytes]:
    """Find calls of the gateway with a trace id, or the telemetry of such a call."""
    since, until = max(event.event_time - _AROUND, 1), event.event_time + _AROUND
    other = "<>" if event.source == GATEWAY else "="
    found = store.run_query(
        "SELECT DISTINCT event_time, event_id FROM events WHERE event_time >= ? "  # noqa: S608 - ours
        f"AND event_time < ? AND source {other} '{GATEWAY}' "
        f"AND list_contains(facts, ['{TRACE_ID_FACT}', ?]) ORDER BY ALL LIMIT ?",
        [since, until, trace, _MAX_LINKS],
        scope=build_filter_scope(EventFilter(since=since, until=until)),
    )
    return [event_id for _, event_id in found if isinstance(event_id, bytes)]

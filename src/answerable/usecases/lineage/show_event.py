"""One event with its chain and the events of the same run or credential."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.model.documents.trace import TraceItem
from answerable.model.event import AuditEvent
from answerable.model.lineage import LineageRow
from answerable.services.lineage.row_search import Scene, may_tell, rows_of
from answerable.services.lineage.trace_rows import item_of
from answerable.store import investigation_queries
from answerable.store.chain_queries import Filter
from answerable.store.investigation_queries import Wanted
from answerable.store.store import Store

NEAR = 50
_AROUND = 600 * 10**9  # nanoseconds before and after, if no run is named


@dataclass(frozen=True, slots=True)
class Beside:
    """Events related to an event.

    Attributes:
        by: Shared attribute: `run`, `credential`, or empty.
        more: Whether older related events were cut.
    """

    by: str
    items: Sequence[TraceItem]
    more: bool = False


def found(store: Store, scene: Scene, event_id: bytes) -> list[LineageRow]:
    """Return the visible records of an event id, each with its chain."""
    rows = rows_of(investigation_queries.by_id(store, event_id), scene)
    return [row for row in rows if may_tell(row.chain, scene.only)]


def beside(store: Store, scene: Scene, event: AuditEvent) -> Beside:
    """Find the events of the same run, or of the same credential if no run is named."""
    if event.run:
        shared, value, span = "run", event.run, Filter()
    elif event.credential:
        at = event.event_time
        shared, value = "credential", event.credential
        span = Filter(since=max(at - _AROUND, 1), until=at + _AROUND)
    else:
        return Beside("", ())
    events = investigation_queries.find(
        store, Wanted(span, equal=[(shared, value)]), NEAR + 1
    )
    near = rows_of(events[:NEAR], scene)
    told = [row for row in near if may_tell(row.chain, scene.only)]
    return Beside(shared, [item_of(row) for row in told], len(events) > NEAR)

"""Search audit events with their lineage, page by page, with a time histogram."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.time_units import SECOND_NS
from answerable.presentation.time_input import parse_time
from answerable.services.lineage import name_resolution
from answerable.services.lineage.lineage_search import (
    PAGE_SIZE,
    EventHistogram,
    HistogramBar,
    SearchNames,
    SearchScope,
    hide_invisible_chains,
    join_events_with_chains,
)
from answerable.services.lineage.query_validation import (
    require_known_action,
    require_known_source,
)
from answerable.services.lineage.trace_rows import (
    build_trace_coverage,
    build_trace_item,
)
from answerable.store import investigation_queries
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.store import EvidenceStore

_MAX_BARS = 60


_BINS_PER_BAR = 20


def search_lineage_rows(
    store: EvidenceStore,
    scope: SearchScope,
    query: InvestigationFilter,
    *,
    now: int,
    cursor: str = "",
    limit: int = PAGE_SIZE,
    person: str = "",
) -> tuple[Document, str]:
    """Return lineage rows, newest first, and the cursor of the next page.

    Args:
        store: Store of the events.
        scope: Search scope.
        query: Event filter from `build_event_filter`.
        now: UTC nanoseconds.
        cursor: Cursor of the previous page, empty for the newest rows.
        person: Queried person; coverage lists doubtful aliases.

    Raises:
        UsageError: The cursor is malformed; or nothing matches, and no event, AWS
            action or source has the queried name.
    """
    query = replace(query, before=_parse_cursor(cursor) if cursor else None)
    found, more = _find_page(store, query, limit)
    if not found and not cursor and scope.visible_agents is None:
        # A visitor with a partial view must not learn about other calls.
        for glob in query.filter.actions:
            require_known_action(store, glob)
        require_known_source(store, dict(query.equal_columns).get("source", ""))
    items = [build_trace_item(row) for row in join_events_with_chains(found, scope)]
    covered = build_trace_coverage(scope.inventory, scope.chains, now)
    if person:
        said = SearchNames(person, "", "", "", "")
        doubted = name_resolution.list_unconfirmed_aliases(
            scope.inventory, hide_invisible_chains(scope).chains, said
        )
        covered["not_collected"] = [*covered["not_collected"], *doubted]
    return Document("trace", items, covered), more


def count_over_time(
    store: EvidenceStore,
    query: InvestigationFilter,
    rows: Sequence[TraceItem] | None = None,
) -> EventHistogram:
    """Count events over time, in at most sixty spans.

    Args:
        store: Store of the events.
        rows: Rows if they are complete, otherwise None.
    """
    first, last = investigation_queries.read_event_time_range(store)
    since = query.filter.since or first
    until = query.filter.until or last + 1
    if rows is not None:
        fine, counts = _count_rows_by_second(rows)
    else:
        fine, counts = _count_stored_events(store, query, since, until)
    if rows is None and counts and len({count.at for count in counts}) < _MAX_BARS:
        # All events are in a small part of the time: count again in finer steps.
        since, until = counts[0].at, min(counts[-1].at + fine, until)
        if fine > SECOND_NS:
            inner = replace(query.filter, since=since, until=until)
            narrow = replace(query, filter=inner)
            fine, counts = _count_stored_events(store, narrow, since, until)
    if not counts:
        return EventHistogram((), SECOND_NS, since, until, 0)
    since, until = counts[0].at, counts[-1].at + fine
    width = -(-(until - since) // (_MAX_BARS * fine)) * fine
    bars: dict[int, dict[str, int]] = defaultdict(dict)
    for count in counts:
        bar = bars[since + (count.at - since) // width * width]
        bar[count.outcome] = bar.get(count.outcome, 0) + count.events
    return EventHistogram(
        [HistogramBar(at, events) for at, events in sorted(bars.items())],
        width,
        since,
        since + -(-(until - since) // width) * width,
        sum(count.events for count in counts),
    )


def _count_rows_by_second(
    items: Sequence[TraceItem],
) -> tuple[int, Sequence[investigation_queries.OutcomeCount]]:
    """Count the found events by second and outcome, for the histogram."""
    counts = Counter(
        (parse_time(item["event_time"], 0, "event_time"), item["outcome"])
        for item in items
    )
    return SECOND_NS, [
        investigation_queries.OutcomeCount(at, outcome, events)
        for (at, outcome), events in sorted(counts.items())
    ]


def _count_stored_events(
    store: EvidenceStore, query: InvestigationFilter, since: int, until: int
) -> tuple[int, Sequence[investigation_queries.OutcomeCount]]:
    """Count the stored events by time step and outcome; return the step, too."""
    fine = (
        max((until - since) // (_MAX_BARS * _BINS_PER_BAR) // SECOND_NS, 1) * SECOND_NS
    )
    return fine, investigation_queries.count_events_over_time(store, query, fine)


def _find_page(
    store: EvidenceStore, query: InvestigationFilter, limit: int
) -> tuple[list[AuditEvent], str]:
    """Find the events of a page, and the cursor of the next one.

    Records of one id, which differ in content, are on one page: the cursor names the
    last event. A page has more than `limit` rows only if all are records of one event.
    """
    found = investigation_queries.find_newest_events(store, query, limit + 1)
    if len(found) <= limit:
        return found, ""
    last, asked = _get_position(found[limit]), limit
    page = [each for each in found if _get_position(each) != last]
    while not page:
        asked *= 2
        found = investigation_queries.find_newest_events(store, query, asked + 1)
        same = [each for each in found if _get_position(each) == last]
        if len(same) < len(found):
            page = same
        elif len(found) <= asked:
            return found, ""
    return page, _format_cursor(page[-1])


def _get_position(event: AuditEvent) -> tuple[int, bytes]:
    """Return the position of an event in the list: time and id."""
    return event.event_time, event.event_id


def _format_cursor(event: AuditEvent) -> str:
    """Format the cursor of the page that begins after an event."""
    return f"{event.event_time}-{event.event_id.hex()}"


def _parse_cursor(cursor: str) -> tuple[int, bytes]:
    """Parse a cursor to time and event id; refuse a malformed one."""
    at, dash, key = cursor.partition("-")
    try:
        place = int(at), bytes.fromhex(key)
    except ValueError:
        place = 0, b""
    if not dash or len(place[1]) != 16 or not at.isdecimal() or len(at) > 19:
        raise UsageError(
            f"invalid page cursor (got {cursor[:80]!r})",
            "omit `after` to start with the newest event",
        )
    return place

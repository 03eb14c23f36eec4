"""`/trace`: search lineage events, count hop statuses, export rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, cast

from answerable.lineage.search_query import HOPS, SearchQuery, parse_search_query
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError
from answerable.model.lineage import HopStatus
from answerable.model.time_units import DAY_NS
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.chain_groups import (
    ChainGroup,
    get_hops_by_name,
    group_by_chain,
)
from answerable.presentation.serialization import to_csv, to_json, to_ndjson
from answerable.services.lineage import lineage_search as flow
from answerable.services.lineage.lineage_search import (
    EventHistogram,
    HistogramBar,
    SearchScope,
)
from answerable.services.lineage.trace_rows import build_trace_coverage
from answerable.store.investigation_queries import count_events_matching
from answerable.usecases.lineage import search_events
from answerable.usecases.lineage.complete_query import (
    complete_query,
    suggest_alternatives,
)
from answerable.usecases.lineage.count_events import count_hop_statuses
from answerable.web.activity_scope import (
    ACTIVITY_PERMISSIONS,
    build_counting_page,
    build_search_scope,
    count_scope_events,
    count_scope_over_time,
)
from answerable.web.chain_links import build_chain_links
from answerable.web.pages.cases import list_open_cases
from answerable.web.routing import (
    FileDownload,
    PageAnswer,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.svg.chain_diagram import draw_chains
from answerable.web.svg.timeline import TimelineBar, draw_timeline
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

ROWS = 40
# What the rows leave of 200 KiB, the diagram may take.
_PAGE_BYTES, _ROW_BYTES = 165_000, 1_600
_MAX_EXPORTED = 10_000
_TICKS = 7
HopStatusCounts: TypeAlias = Mapping[str, Counter[HopStatus]]
_ExportWriter: TypeAlias = Callable[[Document], Iterable[str]]
_EXPORT_FORMATS: dict[str, tuple[str, _ExportWriter]] = {
    "json": ("application/json", lambda document: (to_json(document),)),
    "ndjson": ("application/x-ndjson", to_ndjson),
    "csv": ("text/csv; charset=utf-8", to_csv),
}


def show_trace(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the events of a query with chain diagram and timeline, newest first."""
    text = request.query.get("q", "")
    scope = build_search_scope(cache, visitor)
    try:
        query = parse_search_query(text)
        event_filter = flow.build_event_filter(scope, query, now=cache.now)
    except UsageError as error:
        return build_query_error(text, error)
    after = request.query.get("after", "")
    with cache.open_store() as store:
        try:
            document, older = search_events.search_lineage_rows(
                store,
                scope,
                event_filter,
                now=cache.now,
                cursor=after,
                limit=ROWS,
                person=query.get_field_value("person"),
            )
        except UsageError as error:
            return build_query_error(text, error)
        items = cast("Sequence[TraceItem]", document.items)
        whole = not (after or older)
        times = (
            search_events.count_over_time(store, event_filter, items)
            if whole
            else count_scope_over_time(cache, scope, query)
        )
        like = "" if items else suggest_alternatives(store, scope, query)
    groups = group_by_chain(items)
    values = {
        "text": text,
        "query": query,
        "problem": None,
        "items": items,
        "picture": draw_chains(
            groups,
            build_chain_links(cache, query),
            list(map(_describe_event_times, groups)),
            _PAGE_BYTES - _estimate_rows(items),
        ),
        "times": times,
        "timeline": _build_timeline(times, query),
        "hops": _build_hop_status_rows(_count_hop_statuses(items), query)
        if whole
        else [],
        "all_hops": build_url("/trace/hops", q=query.format_as_text),
        "older": build_url("/trace", q=text, after=older) if older else "",
        "newest": build_url("/trace", q=text) if after else "",
        "part": "" if whole else _describe_shown_events(len(items), times.total, after),
        "like": like,
        "cases": list_open_cases(cache, visitor) if items else (),
        "spools": bool(cache.spools),
        "permalink": build_url("/trace", q=query.format_as_text),
        "coverage": document.coverage,
    }
    return PageAnswer("trace.html", "Investigation", values)


def _estimate_rows(items: Sequence[TraceItem]) -> int:
    """Estimate the bytes of the rows: an id is in a link, in a title and in the text."""
    hops = [get_hops_by_name(item)[name] for item in items for name in HOPS]
    values = sum(len(hop["value"] or "") + len(hop["source"] or "") for hop in hops)
    return len(items) * _ROW_BYTES + 3 * values


def show_hop_statuses(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show how often each hop has each status, over all matching events."""
    scope = build_search_scope(cache, visitor)
    query = parse_search_query(request.query.get("q", ""))
    event_filter = flow.build_event_filter(scope, query, now=cache.now)
    total = count_scope_events(cache, scope, query)

    def count(cache: StoreCache) -> HopStatusCounts:
        with cache.open_store() as store:
            return count_hop_statuses(store, scope.chains, event_filter)

    question = ("hops", query.format_as_text, scope.visible_agents)
    counts = cache.background_answers.get_or_start(cache, question, total, count)
    if counts is None:
        return build_counting_page(query, total, "")
    values = {
        "text": query.format_as_text,
        "hops": _build_hop_status_rows(counts.value, query),
        "counted_at": format_time(counts.at),
        "total": counts.value[HOPS[0]].total(),
        "back": build_url("/trace", q=query.format_as_text),
        "coverage": build_trace_coverage(scope.inventory, scope.chains, cache.now),
    }
    return PageAnswer("trace-hops.html", "How hops are known", values)


def _describe_shown_events(shown: int, total: int, after: str) -> str:
    """Describe which of the matching events are shown."""
    which = "older" if after else "newest"
    return f"the {which} {shown:,} of {total:,} events"


def export_rows(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Return the newest 10,000 rows as JSON, NDJSON or CSV."""
    export_format = request.query.get("form", "json")
    if export_format not in _EXPORT_FORMATS:
        raise UsageError(
            f"unknown export format (got {export_format[:20]!r}, expected json, "
            "ndjson or csv)"
        )
    media, write_lines = _EXPORT_FORMATS[export_format]
    document = _export_document(cache, build_search_scope(cache, visitor), request)
    lines = write_lines(document)
    body = "".join(f"{line}\n" for line in lines).encode()
    return FileDownload(f"trace.{export_format}", media, body)


def _export_document(
    cache: StoreCache, scope: SearchScope, request: RouteRequest
) -> Document:
    """Build the document of the exported rows."""
    query = parse_search_query(request.query.get("q", ""))
    event_filter, person = (
        flow.build_event_filter(scope, query, now=cache.now),
        query.get_field_value("person"),
    )
    with cache.open_store() as store:
        document, older = search_events.search_lineage_rows(
            store,
            scope,
            event_filter,
            now=cache.now,
            limit=_MAX_EXPORTED,
            person=person,
        )
        if older:
            document = replace(
                document, total=count_events_matching(store, event_filter)
            )
    return document


def suggest_completions(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Suggest completions for the last word of a query."""
    text = request.query.get("q", "")
    with cache.open_store() as store:
        proposed = complete_query(store, build_search_scope(cache, visitor), text)
    return PageAnswer("trace-complete.html", "Completion", {"proposed": proposed})


def build_query_error(text: str, error: UsageError) -> PageAnswer:
    """Build the 400 page of an invalid query."""
    values = {"text": text, "problem": error, "permalink": "", "coverage": None}
    return PageAnswer("trace.html", "Investigation", values, status=400)


def _describe_event_times(group: ChainGroup) -> str:
    """Describe number and time range of the events of a chain."""
    times = [item["event_time"] for item in group.items]
    count = "1 event" if len(times) == 1 else f"{len(times):,} events"
    first, last = (_short_time(at) for at in (min(times), max(times)))
    return f"{count}, {first}" if first == last else f"{count}, {first} to {last}"


def _short_time(at: str) -> str:
    """Format RFC 3339 text without `T` and `Z`."""
    return at.replace("T", " ").removesuffix("Z")


def _count_hop_statuses(items: Sequence[TraceItem]) -> HopStatusCounts:
    """Count the status of each hop over the shown rows."""
    return {
        name: Counter(
            HopStatus(get_hops_by_name(item)[name]["status"]) for item in items
        )
        for name in HOPS
    }


def _build_hop_status_rows(
    counts: HopStatusCounts, query: SearchQuery
) -> list[Mapping[str, object]]:
    """Return the counts of each hop, each with a link to its events."""
    return [
        {
            "hop": name,
            "counts": [
                (
                    status.value,
                    counts[name][status],
                    _build_hop_status_link(query, name, status),
                )
                for status in HopStatus
            ],
        }
        for name in HOPS
    ]


def _build_hop_status_link(query: SearchQuery, hop: str, status: HopStatus) -> str:
    """Return the link to the events whose hop has a status."""
    return build_url(
        "/trace", q=query.with_field("status", f"{hop}={status.value}").format_as_text
    )


def _build_timeline(
    histogram: EventHistogram, query: SearchQuery
) -> Mapping[str, object] | None:
    """Return bar chart, tick labels and maximum; None without events."""
    if not histogram.bars:
        return None
    bar_count = max(1, (histogram.until - histogram.since) // histogram.width)
    bars = [_build_bar(bar, histogram, query) for bar in histogram.bars]
    span = histogram.until - histogram.since
    step = span / (_TICKS - 1)
    ticks = [
        _format_tick_label(histogram.since + int(step * at), span)
        for at in range(_TICKS)
    ]
    total = f"{histogram.total:,} events over time, by outcome"
    return {
        "drawn": draw_timeline(bars, bar_count, total),
        "ticks": ticks,
        "most": max(sum(bar.events.values()) for bar in histogram.bars),
    }


def _build_bar(
    bar: HistogramBar, histogram: EventHistogram, query: SearchQuery
) -> TimelineBar:
    """Build one bar with a link to its time range."""
    since, until = format_time(bar.at), format_time(bar.at + histogram.width)
    link = build_url(
        "/trace",
        q=query.with_field("since", since).with_field("until", until).format_as_text,
    )
    when = f"{_short_time(since)} to {_short_time(until)}"
    return TimelineBar(
        (bar.at - histogram.since) // histogram.width, bar.events, when, link
    )


def _format_tick_label(at: int, span: int) -> str:
    """Format a tick label: time, day and time, or day."""
    day, clock = format_time(at).removesuffix("Z").split("T")
    if span < DAY_NS // 24:
        return clock
    return f"{day[5:]} {clock[:5]}" if span < 3 * DAY_NS else day


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/trace", show_trace, ACTIVITY_PERMISSIONS, ("q", "after")),
    WebRoute("/trace/hops", show_hop_statuses, ACTIVITY_PERMISSIONS, ("q",)),
    WebRoute("/trace/export", export_rows, ACTIVITY_PERMISSIONS, ("q", "form")),
    WebRoute("/trace/complete", suggest_completions, ACTIVITY_PERMISSIONS, ("q",)),
)

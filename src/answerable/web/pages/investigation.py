"""Trace pages: lineage search, hop statistics, timeline, export."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, cast

from answerable.lineage.search_query import HOPS, SearchQuery, parse_query
from answerable.model.documents.core import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError
from answerable.model.lineage import HopStatus
from answerable.presentation.chain_groups import (
    ChainGroup,
    group_by_chain,
    hops_by_name,
)
from answerable.presentation.inventory_lists import format_time
from answerable.presentation.serialization import to_csv, to_json, to_ndjson
from answerable.services.lineage import row_search as flow
from answerable.services.lineage.row_search import (
    EventHistogram,
    HistogramBar,
    SearchScope,
)
from answerable.services.lineage.trace_rows import build_trace_coverage
from answerable.store.investigation_queries import count_events_matching
from answerable.usecases.lineage import search
from answerable.usecases.lineage.complete_query import (
    complete_query,
    suggest_alternatives,
)
from answerable.usecases.lineage.count_events import count_hop_statuses
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS, build_scope
from answerable.web.routing import (
    FileDownload,
    PageAnswer,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.svg.chain_diagram import draw_chains
from answerable.web.svg.chain_layout import ChainLinks
from answerable.web.svg.timeline import TimelineBar, draw_timeline
from answerable.web.template_filters import build_url, entity_page
from answerable.web.visitor import Visitor

_MAX_EXPORTED = 10_000
_TICKS = 7
_DAY = 86_400_000_000_000
HopStatusCounts: TypeAlias = Mapping[str, Counter[HopStatus]]
_ExportWriter: TypeAlias = Callable[[Document], Iterable[str]]
_EXPORT_FORMATS: dict[str, tuple[str, _ExportWriter]] = {
    "json": ("application/json", lambda document: (to_json(document),)),
    "ndjson": ("application/x-ndjson", to_ndjson),
    "csv": ("text/csv; charset=utf-8", to_csv),
}


def show_trace(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show lineage rows with their chains, newest first."""
    text = asked.query.get("q", "")
    around = build_scope(desk, visit)
    try:
        query = parse_query(text)
        wanted = flow.build_event_filter(around, query, now=desk.now)
    except UsageError as error:
        return _query_error(text, error)
    after = asked.query.get("after", "")
    with desk.open_store() as store:
        try:
            document, older = search.search_rows(
                store,
                around,
                wanted,
                now=desk.now,
                cursor=after,
                person=query.get("person"),
            )
        except UsageError as error:
            return _query_error(text, error)
        items = cast("Sequence[TraceItem]", document.items)
        whole = not (after or older)
        times = search.count_over_time(store, wanted, items if whole else None)
        like = "" if items else suggest_alternatives(store, around, query)
    groups = group_by_chain(items)
    values = {
        "text": text,
        "query": query,
        "problem": None,
        "items": items,
        "picture": draw_chains(
            groups, ChainLinks(query, entity_page), list(map(_describe_times, groups))
        ),
        "times": times,
        "timeline": _build_timeline(times, query),
        "hops": _hop_rows(_count_statuses(items), query) if whole else [],
        "all_hops": build_url("/trace/hops", q=query.to_text),
        "older": build_url("/trace", q=text, after=older) if older else "",
        "newest": build_url("/trace", q=text) if after else "",
        "part": "" if whole else _describe_part(len(items), times.total, after),
        "like": like,
        "spools": bool(desk.spools),
        "permalink": build_url("/trace", q=query.to_text),
        "coverage": document.coverage,
    }
    return PageAnswer("trace.html", "Investigation", values)


def show_hops(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show how each hop is known, over all matching events."""
    around = build_scope(desk, visit)
    query = parse_query(asked.query.get("q", ""))
    wanted = flow.build_event_filter(around, query, now=desk.now)
    with desk.open_store() as store:
        known = count_hop_statuses(store, around.chains, wanted)
    values = {
        "text": query.to_text,
        "hops": _hop_rows(known, query),
        "total": known[HOPS[0]].total(),
        "back": build_url("/trace", q=query.to_text),
        "coverage": build_trace_coverage(around.inventory, around.chains, desk.now),
    }
    return PageAnswer("trace-hops.html", "How hops are known", values)


def _describe_part(shown: int, total: int, after: str) -> str:
    """Describe which of the matching events are shown."""
    which = "older" if after else "newest"
    return f"the {which} {shown:,} of {total:,} events"


def export_rows(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Return the rows as a file, newest first."""
    form = asked.query.get("form", "json")
    if form not in _EXPORT_FORMATS:
        raise UsageError(
            f"not a form to export (got {form[:20]!r}, expected json, ndjson or csv)"
        )
    media, written = _EXPORT_FORMATS[form]
    document = _export_document(desk, build_scope(desk, visit), asked)
    lines = written(document)
    body = "".join(f"{line}\n" for line in lines).encode()
    return FileDownload(f"trace.{form}", media, body)


def _export_document(
    desk: StoreCache, around: SearchScope, asked: RouteRequest
) -> Document:
    query = parse_query(asked.query.get("q", ""))
    wanted, person = (
        flow.build_event_filter(around, query, now=desk.now),
        query.get("person"),
    )
    with desk.open_store() as store:
        document, older = search.search_rows(
            store, around, wanted, now=desk.now, limit=_MAX_EXPORTED, person=person
        )
        if older:
            document = replace(document, total=count_events_matching(store, wanted))
    return document


def suggest_completions(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Suggest completions for the last word of a query."""
    text = asked.query.get("q", "")
    with desk.open_store() as store:
        proposed = complete_query(store, build_scope(desk, visit), text)
    return PageAnswer("trace-complete.html", "Completion", {"proposed": proposed})


def _query_error(text: str, error: UsageError) -> PageAnswer:
    values = {"text": text, "problem": error, "permalink": "", "coverage": None}
    return PageAnswer("trace.html", "Investigation", values, status=400)


def _describe_times(group: ChainGroup) -> str:
    times = [item["event_time"] for item in group.items]
    count = "1 event" if len(times) == 1 else f"{len(times):,} events"
    first, last = (_short_time(at) for at in (min(times), max(times)))
    return f"{count}, {first}" if first == last else f"{count}, {first} to {last}"


def _short_time(at: str) -> str:
    return at.replace("T", " ").removesuffix("Z")


def _count_statuses(items: Sequence[TraceItem]) -> HopStatusCounts:
    """Count the hop statuses of a complete answer."""
    return {
        name: Counter(HopStatus(hops_by_name(item)[name]["status"]) for item in items)
        for name in HOPS
    }


def _hop_rows(known: HopStatusCounts, query: SearchQuery) -> list[Mapping[str, object]]:
    """Return hop statistics with a query for each status."""
    return [
        {
            "hop": name,
            "counts": [
                (status.value, known[name][status], _status_link(query, name, status))
                for status in HopStatus
            ],
        }
        for name in HOPS
    ]


def _status_link(query: SearchQuery, hop: str, status: HopStatus) -> str:
    return build_url(
        "/trace", q=query.with_field("status", f"{hop}={status.value}").to_text
    )


def _build_timeline(
    times: EventHistogram, query: SearchQuery
) -> Mapping[str, object] | None:
    if not times.bars:
        return None
    places = max(1, (times.until - times.since) // times.width)
    spans = [_build_bar(bar, times, query) for bar in times.bars]
    span = times.until - times.since
    step = span / (_TICKS - 1)
    ticks = [_tick_label(times.since + int(step * at), span) for at in range(_TICKS)]
    total = f"{times.total:,} events over time, by how they ended"
    return {
        "drawn": draw_timeline(spans, places, total),
        "ticks": ticks,
        "most": max(sum(bar.events.values()) for bar in times.bars),
    }


def _build_bar(
    bar: HistogramBar, times: EventHistogram, query: SearchQuery
) -> TimelineBar:
    since, until = format_time(bar.at), format_time(bar.at + times.width)
    to = build_url(
        "/trace", q=query.with_field("since", since).with_field("until", until).to_text
    )
    when = f"{_short_time(since)} to {_short_time(until)}"
    return TimelineBar((bar.at - times.since) // times.width, bar.events, when, to)


def _tick_label(at: int, span: int) -> str:
    day, clock = format_time(at).removesuffix("Z").split("T")
    if span < _DAY // 24:
        return clock
    return f"{day[5:]} {clock[:5]}" if span < 3 * _DAY else day


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/trace", show_trace, ACTIVITY_PERMISSIONS, ("q", "after")),
    WebRoute("/trace/hops", show_hops, ACTIVITY_PERMISSIONS, ("q",)),
    WebRoute("/trace/export", export_rows, ACTIVITY_PERMISSIONS, ("q", "form")),
    WebRoute("/trace/complete", suggest_completions, ACTIVITY_PERMISSIONS, ("q",)),
)

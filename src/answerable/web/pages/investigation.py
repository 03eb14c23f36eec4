"""Trace pages: lineage search, hop statistics, timeline, export."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, cast

from answerable.lineage.search_query import HOPS, Query, parse
from answerable.model.documents.core import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError
from answerable.model.lineage import HopStatus
from answerable.presentation.chain_groups import Grouped, grouped, hops_of
from answerable.presentation.inventory_lists import spelled_time
from answerable.presentation.serialization import to_csv, to_json, to_ndjson
from answerable.services.lineage import row_search as flow
from answerable.services.lineage.row_search import Bar, Scene, Times
from answerable.services.lineage.trace_rows import coverage_of
from answerable.store.investigation_queries import count
from answerable.usecases.lineage.complete_query import alike, completed
from answerable.usecases.lineage.count_events import hop_counts
from answerable.web.activity_scope import DEEDS, scene
from answerable.web.routing import Answer, Asked, File, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.svg.chain_diagram import picture
from answerable.web.svg.chain_layout import Ways
from answerable.web.svg.timeline import Span, timeline
from answerable.web.template_filters import page_of, url
from answerable.web.visitor import Visit

_EXPORTED = 10_000
_TICKS = 7
_DAY = 86_400_000_000_000
Statuses: TypeAlias = Mapping[str, Counter[HopStatus]]
_Writer: TypeAlias = Callable[[Document], Iterable[str]]
_FORMS: dict[str, tuple[str, _Writer]] = {
    "json": ("application/json", lambda document: (to_json(document),)),
    "ndjson": ("application/x-ndjson", to_ndjson),
    "csv": ("text/csv; charset=utf-8", to_csv),
}


def trace(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show lineage rows with their chains, newest first."""
    text = asked.query.get("q", "")
    around = scene(desk, visit)
    try:
        query = parse(text)
        wanted = flow.wanted(around, query, now=desk.now)
    except UsageError as error:
        return _refused(text, error)
    after = asked.query.get("after", "")
    with desk.store() as store:
        try:
            document, older = flow.investigate(
                store,
                around,
                wanted,
                now=desk.now,
                after=after,
                person=query.get("person"),
            )
        except UsageError as error:
            return _refused(text, error)
        items = cast("Sequence[TraceItem]", document.items)
        whole = not (after or older)
        times = flow.times(store, wanted, items if whole else None)
        like = "" if items else alike(store, around, query)
    groups = grouped(items)
    values = {
        "text": text,
        "query": query,
        "problem": None,
        "items": items,
        "picture": picture(groups, Ways(query, page_of), list(map(_when, groups))),
        "times": times,
        "timeline": _timeline(times, query),
        "hops": _hops(_statuses(items), query) if whole else [],
        "all_hops": url("/trace/hops", q=query.text),
        "older": url("/trace", q=text, after=older) if older else "",
        "newest": url("/trace", q=text) if after else "",
        "part": "" if whole else _part(len(items), times.total, after),
        "like": like,
        "spools": bool(desk.spools),
        "permalink": url("/trace", q=query.text),
        "coverage": document.coverage,
    }
    return Page("trace.html", "Investigation", values)


def hops(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show how each hop is known, over all matching events."""
    around = scene(desk, visit)
    query = parse(asked.query.get("q", ""))
    wanted = flow.wanted(around, query, now=desk.now)
    with desk.store() as store:
        known = hop_counts(store, around.chains, wanted)
    values = {
        "text": query.text,
        "hops": _hops(known, query),
        "total": known[HOPS[0]].total(),
        "back": url("/trace", q=query.text),
        "coverage": coverage_of(around.inventory, around.chains, desk.now),
    }
    return Page("trace-hops.html", "How hops are known", values)


def _part(shown: int, total: int, after: str) -> str:
    """Describe which of the matching events are shown."""
    which = "older" if after else "newest"
    return f"the {which} {shown:,} of {total:,} events"


def export(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Return the rows as a file, newest first."""
    form = asked.query.get("form", "json")
    if form not in _FORMS:
        raise UsageError(
            f"not a form to export (got {form[:20]!r}, expected json, ndjson or csv)"
        )
    media, written = _FORMS[form]
    document = _rows(desk, scene(desk, visit), asked)
    lines = written(document)
    body = "".join(f"{line}\n" for line in lines).encode()
    return File(f"trace.{form}", media, body)


def _rows(desk: Desk, around: Scene, asked: Asked) -> Document:
    query = parse(asked.query.get("q", ""))
    wanted, person = flow.wanted(around, query, now=desk.now), query.get("person")
    with desk.store() as store:
        document, older = flow.investigate(
            store, around, wanted, now=desk.now, limit=_EXPORTED, person=person
        )
        if older:
            document = replace(document, total=count(store, wanted))
    return document


def complete(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Suggest completions for the last word of a query."""
    text = asked.query.get("q", "")
    with desk.store() as store:
        proposed = completed(store, scene(desk, visit), text)
    return Page("trace-complete.html", "Completion", {"proposed": proposed})


def _refused(text: str, error: UsageError) -> Page:
    values = {"text": text, "problem": error, "permalink": "", "coverage": None}
    return Page("trace.html", "Investigation", values, status=400)


def _when(group: Grouped) -> str:
    times = [item["event_time"] for item in group.items]
    count = "1 event" if len(times) == 1 else f"{len(times):,} events"
    first, last = (_clock(at) for at in (min(times), max(times)))
    return f"{count}, {first}" if first == last else f"{count}, {first} to {last}"


def _clock(at: str) -> str:
    return at.replace("T", " ").removesuffix("Z")


def _statuses(items: Sequence[TraceItem]) -> Statuses:
    """Count the hop statuses of a complete answer."""
    return {
        name: Counter(HopStatus(hops_of(item)[name]["status"]) for item in items)
        for name in HOPS
    }


def _hops(known: Statuses, query: Query) -> list[Mapping[str, object]]:
    """Return hop statistics with a query for each status."""
    return [
        {
            "hop": name,
            "counts": [
                (status.value, known[name][status], _status(query, name, status))
                for status in HopStatus
            ],
        }
        for name in HOPS
    ]


def _status(query: Query, hop: str, status: HopStatus) -> str:
    return url("/trace", q=query.asking("status", f"{hop}={status.value}").text)


def _timeline(times: Times, query: Query) -> Mapping[str, object] | None:
    if not times.bars:
        return None
    places = max(1, (times.until - times.since) // times.width)
    spans = [_span(bar, times, query) for bar in times.bars]
    span = times.until - times.since
    step = span / (_TICKS - 1)
    ticks = [_tick(times.since + int(step * at), span) for at in range(_TICKS)]
    total = f"{times.total:,} events over time, by how they ended"
    return {
        "drawn": timeline(spans, places, total),
        "ticks": ticks,
        "most": max(sum(bar.events.values()) for bar in times.bars),
    }


def _span(bar: Bar, times: Times, query: Query) -> Span:
    since, until = spelled_time(bar.at), spelled_time(bar.at + times.width)
    to = url("/trace", q=query.asking("since", since).asking("until", until).text)
    when = f"{_clock(since)} to {_clock(until)}"
    return Span((bar.at - times.since) // times.width, bar.events, when, to)


def _tick(at: int, span: int) -> str:
    day, clock = spelled_time(at).removesuffix("Z").split("T")
    if span < _DAY // 24:
        return clock
    return f"{day[5:]} {clock[:5]}" if span < 3 * _DAY else day


ROUTES: tuple[Route, ...] = (
    Route("/trace", trace, DEEDS, ("q", "after")),
    Route("/trace/hops", hops, DEEDS, ("q",)),
    Route("/trace/export", export, DEEDS, ("q", "form")),
    Route("/trace/complete", complete, DEEDS, ("q",)),
)

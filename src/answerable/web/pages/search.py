"""`/search`: one search over names and ids of everything that a visitor may see.

Text with a field of the query grammar (`agent:*bot since:7d`) leads to `/trace`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any, NamedTuple, cast

from answerable.inventory.name_resolution import (
    build_entity_name_table,
    select_similar_names,
)
from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.search_query import (
    FIELDS,
    format_query_value,
    parse_search_query,
)
from answerable.model.documents.trace import SavedQueryItem
from answerable.model.documents.web import SearchItem
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.ids import convert_s3_uri
from answerable.model.inventory import NameTable
from answerable.services.authorization import decision_records
from answerable.services.lineage import event_links
from answerable.services.lineage.lineage_search import hide_invisible_chains
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.usecases.lineage.complete_query import (
    QueryCompletion,
    complete_query,
    find_logged_values,
)
from answerable.usecases.lineage.list_saved_queries import show_saved_queries
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS, build_search_scope
from answerable.web.paged_list import ListQuery, PagedList
from answerable.web.pages import findings, inventory_list_definitions
from answerable.web.routing import (
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url, entity_page
from answerable.web.visitor import Visitor, WebPermission

MAX_PER_KIND = 8
_MAX_COMPARED = 2_000  # resources of which several words are searched
_MAX_COMPLETIONS = 12
_MAX_SIMILAR = 5
_MAX_TEXT = 2_000
_LISTS: Mapping[str, tuple[str, Callable[[StoreCache], PagedList[Any]]]] = {
    "agents": ("agent", inventory_list_definitions.agents),
    "identities": ("identity", inventory_list_definitions.identities),
    "credentials": ("credential", inventory_list_definitions.credentials),
    "tools": ("tool", inventory_list_definitions.tools),
    "people": ("person", inventory_list_definitions.people),
}


class SearchResult(NamedTuple):
    """Result of a search.

    Attributes:
        lists: Links to the lists that have more matches, with their numbers.
    """

    items: list[SearchItem]
    lists: list[tuple[str, int, str]]


def search_names(
    cache: StoreCache, visitor: Visitor, text: str, *, searches_events: bool = True
) -> SearchResult:
    """Search names and ids that contain a text; similar ones if there are none.

    Args:
        searches_events: Also search the resources of events, which reads all of them.
    """
    text = text.strip()[:_MAX_TEXT]
    if not text:
        return SearchResult([], [])
    found: dict[tuple[str, str], SearchItem] = {}
    lists: list[tuple[str, int, str]] = []
    for item in _iter_exact_matches(cache, visitor, text):
        found.setdefault((item["kind"], item["id"]), item)
    searched = dict(_LISTS)
    if findings.FINDING_PERMISSIONS & visitor.may:
        searched["findings"] = ("finding", findings.get_shown_findings)
    for name, (kind, build_list) in searched.items():
        if name == "findings" and findings.get_findings_or_start(cache) is None:
            continue
        page = build_list(cache).get_page(ListQuery(search=text), MAX_PER_KIND)
        for row in page.rows:
            item = _build_item(kind, row["id"], "contains", row.get("title", ""))
            found.setdefault((kind, row["id"]), item)
        if page.total > len(page.rows):
            lists.append((name, page.total, build_url(f"/{name}", q=text)))
    logged = _iter_logged_resources(cache, visitor, text) if searches_events else ()
    for item in chain(_iter_logged_and_resources(cache, visitor, text), logged):
        found.setdefault((item["kind"], item["id"]), item)
    if not found:
        return SearchResult(list(_iter_similar_names(cache, text)), [])
    return SearchResult(list(found.values()), lists)


def _build_item(
    kind: str, key: str, match: str, title: str = "", page: str = ""
) -> SearchItem:
    """Build one hit with the page of its subject."""
    pages = {"resource": "/show", "event": "/event", "decision": "/decision"}
    if not page:
        page = build_url(pages[kind], id=key) if kind in pages else entity_page(key)
    return {"kind": kind, "id": key, "title": title, "match": match, "page": page}


def _get_name_table(cache: StoreCache) -> NameTable:
    """Return all forms of the names of entities, built once per view."""
    return cache.get_derived(
        "search names", lambda view: build_entity_name_table(view.inventory)
    )


def _iter_exact_matches(
    cache: StoreCache, visitor: Visitor, text: str
) -> Iterator[SearchItem]:
    """Yield the entities, event or decision that are called exactly so."""
    for entry in _get_name_table(cache).entries.get(text.lower(), ())[:MAX_PER_KIND]:
        yield _build_item(entry.kind, entry.id, "exact")
    if not ACTIVITY_PERMISSIONS & visitor.may:
        return
    scope, event_id = build_search_scope(cache, visitor), parse_event_id(text)
    with cache.open_store() as store:
        if event_id is not None:
            rows = event_links.find_visible_event(store, scope, event_id)
            if rows:
                yield _build_item("event", event_id.hex(), "exact")
        if scope.visible_agents is not None and event_id is None:
            return  # prefixes of decisions could be enumerated
        try:
            spooled = decision_records.read_spool(cache.spools)
            records = decision_records.find_decision(
                store, spooled, text.replace("-", "")
            )
        except (AmbiguousError, UsageError):
            return
        events = [each.event for each in records]
        for row in event_links.select_visible_events(events, scope)[:1]:
            yield _build_item("decision", row.event.decision_id, "exact")


def _iter_logged_and_resources(
    cache: StoreCache, visitor: Visitor, text: str
) -> Iterator[SearchItem]:
    """Yield scanned resources, and identities that only visible logs name."""
    words, view = convert_s3_uri(text).lower().split(), cache.current_view()
    resources = view.inventory.facts.resources_by_id()
    matching: Iterable[str] = (key for key in resources if _has_words(key, words))
    for key in islice(matching, MAX_PER_KIND):
        yield _build_item("resource", key, "contains")
    if ACTIVITY_PERMISSIONS & visitor.may:
        scope = hide_invisible_chains(build_search_scope(cache, visitor))
        chains = ChainIndex.wrap_chains(scope.chains)
        scanned = inventory_list_definitions.identities(cache).by_key
        matching = (
            key
            for key in sorted(chains.identities.ids)
            if _has_words(key, words) and key not in scanned
        )
        for key in islice(matching, MAX_PER_KIND):
            yield _build_item(
                "identity", key, "contains", page=build_url("/show", id=key)
            )


def _has_words(key: str, words: Sequence[str]) -> bool:
    """Return whether an id contains each of some words in lower case."""
    folded = key.lower()
    return all(word in folded for word in words)


def _iter_logged_resources(
    cache: StoreCache, visitor: Visitor, text: str
) -> Iterator[SearchItem]:
    """Yield resources of visible events; the link leads to the events of each."""
    if not ACTIVITY_PERMISSIONS & visitor.may:
        return
    words = convert_s3_uri(text).rstrip("*").lower().split()
    longest = max(words, key=len, default="")
    most = MAX_PER_KIND if len(words) == 1 else _MAX_COMPARED
    with cache.open_store() as store:
        scope = build_search_scope(cache, visitor)
        keys = find_logged_values(store, scope, "resource", longest, most)
    for key in [e for e in keys if _has_words(e, words)][:MAX_PER_KIND]:
        page = build_url("/trace", q=f"resource:{format_query_value(key)}")
        yield _build_item("resource", key, "contains", page=page)


def _iter_similar_names(cache: StoreCache, text: str) -> Iterator[SearchItem]:
    """Yield the entities whose names are similar to a text."""
    entries = _get_name_table(cache).entries
    size = len(text)
    near = [name for name in entries if abs(len(name) - size) <= max(3, size // 2)]
    near = list(select_similar_names(text, near))
    seen: set[str] = set()
    for name in get_close_matches(text.lower()[:200], near, _MAX_SIMILAR, 0.6):
        for entry in entries[name]:
            if entry.id not in seen and len(seen) < _MAX_SIMILAR:
                seen.add(entry.id)
                yield _build_item(entry.kind, entry.id, "similar")
    resources = cache.current_view().inventory.facts.resources_by_id()
    names = {key.rpartition(":")[2].lower(): key for key in resources}
    near = [name for name in names if abs(len(name) - size) <= 3][:_MAX_COMPARED]
    for name in get_close_matches(text.lower()[:200], near, 3, 0.8):
        yield _build_item("resource", names[name], "similar")


def show_search(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show what contains the text; a query with fields leads to the investigation."""
    text = request.query.get("q", "")
    result = search_names(cache, visitor, text)
    sees_activity = bool(ACTIVITY_PERMISSIONS & visitor.may)
    trace = build_url("/trace", q=text) if sees_activity else ""
    is_hit = any(item["match"] != "similar" for item in result.items)
    if trace and text and not is_hit and _has_query_field(text):
        return Redirect(trace)
    values = {
        "text": text,
        "items": result.items,
        "is_hit": is_hit,
        "lists": result.lists,
        "trace": trace,
        "resource_trace": build_url("/trace", q=f"resource:{text}")
        if trace and _is_resource(text)
        else "",
        "pinned": () if text else _list_pinned_queries(cache, visitor),
        "coverage": inventory_list_definitions.build_coverage_document(cache).coverage,
    }
    return PageAnswer("search.html", "Search", values)


def _is_resource(text: str) -> bool:
    """Return whether a text is one id or URI that logs can have as a resource."""
    return text.startswith(("s3://", "arn:")) and not set(text) & set(' \t"')


def _list_pinned_queries(
    cache: StoreCache, visitor: Visitor
) -> Sequence[SavedQueryItem]:
    """List the queries that users of the store have saved for each other."""
    if WebPermission.INVESTIGATE not in visitor.may:
        return ()
    with cache.open_store() as store:
        document = show_saved_queries(store)
    return cast("Sequence[SavedQueryItem]", document.items)


def _has_query_field(text: str) -> bool:
    """Return whether a text is a query with at least one field, or a faulty one."""
    try:
        return bool(parse_search_query(text).said)
    except UsageError:
        pairs = (each.partition(":") for each in text.split())
        # The investigation says what is wrong with it.
        return any(colon and name.lower() in FIELDS for name, colon, _ in pairs)


def suggest_names(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Suggest names that contain the text, then completions of a query."""
    text = request.query.get("q", "")
    proposed = [
        QueryCompletion(item["id"], item["title"] or item["kind"])
        for item in search_names(cache, visitor, text, searches_events=False).items
    ][:_MAX_COMPLETIONS]
    if ACTIVITY_PERMISSIONS & visitor.may and text:
        with cache.open_store() as store:
            more = complete_query(store, build_search_scope(cache, visitor), text)
        proposed += more[: _MAX_COMPLETIONS - len(proposed)]
    return PageAnswer("trace-complete.html", "Completion", {"proposed": proposed})


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/search", show_search, parameters=("q",)),
    WebRoute("/search/complete", suggest_names, parameters=("q",)),
)

"""REST operations that summarize events: chains, facets, new values, changed counts."""

from collections.abc import Sequence

from answerable.lineage.search_query import SearchQuery
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import FirstSeenItem, WindowChangeItem
from answerable.model.documents.web import ChainSummaryItem, EventFacetItem
from answerable.services.lineage.trace_rows import build_trace_coverage
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.summarize_events import count_facets
from answerable.web.activity_scope import build_search_scope
from answerable.web.api.operations import (
    ACTIVITY,
    ALL_ACTIVITY,
    LIMIT,
    ApiOperation,
    ApiParameter,
    OperationParams,
    flag_parameter,
    is_flag_set,
    read_page_size,
)
from answerable.web.api.trace_query import (
    BY_FIELDS,
    FIELD_PARAMETERS,
    QUERY,
    SAVED,
    parse_trace_query,
)
from answerable.web.pages.trace_comparison import COMPARE, FIRST_SEEN, compare
from answerable.web.pages.trace_summary import summarize_once
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

_OWN = flag_parameter(
    "own", "Include sign-ins at the web page and handshakes about a nonce."
)
_BY = ApiParameter(
    "by",
    "Fields, as of `/trace/by`; the command's own without it.",
    BY_FIELDS,
    is_list=True,
)


def _list_chains(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the chains of all matching events with counts, largest first."""
    found = summarize_once(
        cache,
        visitor,
        parse_trace_query(cache, params),
        with_own=is_flag_set(params, "own"),
    )
    return _build_truncated_document(
        cache, visitor, "trace-chains", found.chains, read_page_size(params)
    )


def _list_facets(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the most frequent values of each field, over all matching events."""
    query, with_own = parse_trace_query(cache, params), is_flag_set(params, "own")
    facets = None if with_own else _count_facets_by_files(cache, visitor, query)
    if facets is None:
        facets = summarize_once(cache, visitor, query, with_own=with_own).facets
    return _build_truncated_document(
        cache, visitor, "trace-facets", facets, len(facets)
    )


def _count_facets_by_files(
    cache: StoreCache, visitor: Visitor, query: SearchQuery
) -> Sequence[EventFacetItem] | None:
    """Count facets by the derived files of a large store; None if only events tell."""
    scope = build_search_scope(cache, visitor)
    if scope.visible_agents is not None:
        return None
    # The index of events in memory would be read instead.
    with EvidenceStore.open(cache.root, now=cache.now, create=False) as store:
        return count_facets(store, scope.inventory, query)


def _build_truncated_document(
    cache: StoreCache,
    visitor: Visitor,
    kind: str,
    items: Sequence[ChainSummaryItem] | Sequence[EventFacetItem],
    limit: int,
) -> Document:
    """Build the document of the first items; its total is stated if some are left."""
    scope = build_search_scope(cache, visitor)
    shown = items[:limit]
    return Document(
        kind,
        shown,
        build_trace_coverage(scope.inventory, scope.chains, cache.current_view().at),
        total=len(items) if len(items) > len(shown) else -1,
    )


def _list_first_seen(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the values of a window that had not occurred before."""
    query = parse_trace_query(cache, params)
    by, earlier = params.get("by", ""), params.get("earlier", "")
    return compare(cache, visitor, query, FIRST_SEEN, by, earlier)


def _compare_windows(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the groups of events whose counts differ from an earlier window."""
    query = parse_trace_query(cache, params)
    by, earlier = params.get("by", ""), params["earlier"]
    return compare(cache, visitor, query, COMPARE, by, earlier)


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/trace/chains",
        summary="Chains of all matching events with counts, largest first.",
        handler=_list_chains,
        kind="trace-chains",
        item=ChainSummaryItem,
        parameters=(QUERY, SAVED, *FIELD_PARAMETERS, _OWN, LIMIT),
        permissions=ACTIVITY,
        varies_with_time=True,
    ),
    ApiOperation(
        path="/trace/facets",
        summary="The 50 most frequent values of each field, over all matching events.",
        handler=_list_facets,
        kind="trace-facets",
        item=EventFacetItem,
        parameters=(QUERY, SAVED, *FIELD_PARAMETERS, _OWN),
        permissions=ACTIVITY,
        varies_with_time=True,
    ),
    ApiOperation(
        path="/trace/first-seen",
        summary="Values since `since` (by default 7 days) that had not occurred before.",
        handler=_list_first_seen,
        kind="trace-first-seen",
        item=FirstSeenItem,
        parameters=(
            QUERY,
            SAVED,
            *FIELD_PARAMETERS,
            _BY,
            ApiParameter("earlier", "Earlier window, `A..B`; all before without it."),
        ),
        permissions=ALL_ACTIVITY,
        varies_with_time=True,
        command="trace --first-seen",
    ),
    ApiOperation(
        path="/trace/compare",
        summary="Groups whose counts since `since` differ from an earlier window.",
        handler=_compare_windows,
        kind="trace-compare",
        item=WindowChangeItem,
        parameters=(
            ApiParameter("earlier", "Earlier window, `A..B`.", required=True),
            QUERY,
            SAVED,
            *FIELD_PARAMETERS,
            _BY,
        ),
        permissions=ALL_ACTIVITY,
        varies_with_time=True,
        command="trace --compare A..B",
    ),
)

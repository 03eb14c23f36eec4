"""REST operations that search lineage events, decisions and unmediated calls."""

from dataclasses import replace
from typing import Any

from answerable.model.decision import DecisionEffect, DecisionReason
from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import (
    EventCountItem,
    HopStatusCountItem,
    SavedQueryItem,
    TraceItem,
    UnmediatedEventItem,
)
from answerable.model.errors import UsageError
from answerable.presentation.time_input import parse_time
from answerable.services.authorization import decision_records
from answerable.services.lineage import lineage_search, name_resolution
from answerable.services.lineage.event_counts import parse_fields
from answerable.services.lineage.lineage_search import (
    is_chain_visible,
    join_events_with_chains,
)
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.services.lineage.trace_rows import (
    TraceQuery,
    build_trace_coverage,
    build_trace_item,
)
from answerable.store.decision_queries import DecisionFilter as Wanted
from answerable.store.investigation_queries import count_events_matching
from answerable.usecases.authorization import explain_decision
from answerable.usecases.authorization import list_decisions as flow
from answerable.usecases.lineage import (
    find_gateway_bypasses,
    score_sources,
    search_events,
)
from answerable.usecases.lineage import show_event as events
from answerable.usecases.lineage.count_events import count_filtered_events
from answerable.usecases.lineage.list_saved_queries import show_saved_queries
from answerable.web.activity_scope import build_search_scope, get_visible_subjects
from answerable.web.api.operations import (
    ACTIVITY,
    ALL_ACTIVITY,
    LIMIT,
    PAGING_PARAMETERS,
    ApiOperation,
    ApiParameter,
    DocumentPart,
    OperationParams,
    get_current_minute,
    read_page_size,
)
from answerable.web.api.trace_query import (
    BY_FIELDS,
    FIELD_PARAMETERS,
    FILTER_NAMES,
    HOP_PARAMETERS,
    QUERY,
    SAVED,
    parse_trace_query,
)
from answerable.web.routing import Forbidden
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

_ID = ApiParameter("id", "Event or decision id.", required=True)


def _get_trace(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> DocumentPart:
    """Return one page of lineage rows that match the query, newest first."""
    scope, view, query = (
        build_search_scope(cache, visitor),
        cache.current_view(),
        parse_trace_query(cache, params),
    )
    event_filter = lineage_search.build_event_filter(
        scope, query, now=get_current_minute(cache)
    )
    with cache.open_store() as store:
        document, after = search_events.search_lineage_rows(
            store,
            scope,
            event_filter,
            now=view.at,
            cursor=params.get("after", ""),
            limit=read_page_size(params),
            person=query.get_field_value("person"),
        )
        if after or "after" in params:
            filters = {k: v for k, v in params.items() if k not in ("after", "limit")}
            key = (
                cache.version(),
                get_current_minute(cache),
                scope.visible_agents,
                frozenset(filters.items()),
            )
            total = cache.totals.get(
                key, lambda: count_events_matching(store, event_filter)
            )
            document = replace(document, total=total)
    return DocumentPart(document, after)


def _count_by_fields(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the counts of the events that match the query, by fields."""
    scope, view = build_search_scope(cache, visitor), cache.current_view()
    fields = parse_fields(params["by"])
    event_filter = lineage_search.build_event_filter(
        scope, parse_trace_query(cache, params), now=get_current_minute(cache)
    )
    with cache.open_store() as store:
        items = count_filtered_events(store, scope.chains, event_filter, fields)
    shown = items[: read_page_size(params)]
    return Document(
        "trace-by",
        shown,
        build_trace_coverage(scope.inventory, scope.chains, view.at),
        total=len(items) if len(items) > len(shown) else -1,
    )


def _list_saved(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Return the saved queries of the store."""
    with cache.open_store() as store:
        return show_saved_queries(store)


def _get_hop_coverage_score(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Return how often each source supplies each hop, cached per store view."""

    def scored() -> Document:
        view = cache.current_view()
        with cache.open_store() as store:
            return score_sources.count_hop_statuses_by_source(
                store, view.inventory, view.chains, now=view.at
            )

    return cache.get_derived("trace-score", lambda _: scored())


def _list_unmediated(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> Document:
    """List calls in the logs that bypassed the gateway."""
    view, now = cache.current_view(), get_current_minute(cache)
    fields: dict[str, Any] = {name: params.get(name, "") for name in FILTER_NAMES}
    since, until = (
        parse_time(params[name], now, name) if name in params else 0
        for name in ("since", "until")
    )
    question = TraceQuery(
        **fields, since=since, until=until, limit=read_page_size(params)
    )
    with cache.open_store() as store:
        return find_gateway_bypasses.find_bypassing_events_in_chains(
            store, view.inventory, view.chains, question, now=view.at
        )


def _get_event(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return an event with its chain; not found if the visitor may not see it."""
    scope = build_search_scope(cache, visitor)
    number = parse_event_id(params["id"])
    with cache.open_store() as store:
        rows = events.find_event_rows(store, scope, number) if number else []
    if not rows:
        raise Forbidden
    coverage = build_trace_coverage(
        scope.inventory, scope.chains, cache.current_view().at
    )
    return Document("event", list(map(build_trace_item, rows)), coverage)


def _get_decision(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return a decision; not found if the visitor may not see its activity."""
    scope = build_search_scope(cache, visitor)
    if scope.visible_agents is not None and parse_event_id(params["id"]) is None:
        raise Forbidden  # prefixes could be enumerated
    waiting = decision_records.read_spool(
        cache.spools
    )  # before the store, so that no decision is missed
    with cache.open_store() as store:
        try:
            document = explain_decision.show_decision(
                store, waiting, params["id"], now=get_current_minute(cache)
            )
            found = decision_records.find_decision(store, waiting, params["id"])
        except UsageError:
            if scope.visible_agents is not None:
                raise Forbidden from None
            raise
    for row in join_events_with_chains([each.event for each in found], scope):
        if not is_chain_visible(row.chain, scope.visible_agents):
            raise Forbidden
    return document


def _list_decisions(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> DocumentPart:
    """Return one page of the decisions that the visitor may see."""
    decision_filter = Wanted(
        identities=get_visible_subjects(visitor),
        agent=params.get("agent", ""),
        effect=params.get("effect", ""),
        reason=params.get("reason", ""),
        before=flow.parse_position(params.get("after", "")),
    )
    limit, now = read_page_size(params), get_current_minute(cache)
    with cache.open_store() as store:
        document, after = flow.list_decisions(
            store, cache.spools, decision_filter, limit=limit, now=now
        )
        if (
            decision_filter.agent
            and decision_filter.identities is None
            and not document.items
        ):
            # A visitor with limited scope must not learn names of other agents.
            view = cache.current_view()
            agent = name_resolution.resolve_agent(
                view.inventory, view.chains, decision_filter.agent
            )
            if agent != decision_filter.agent:
                decision_filter = replace(decision_filter, agent=agent)
                document, after = flow.list_decisions(
                    store, cache.spools, decision_filter, limit=limit, now=now
                )
    return DocumentPart(document, after)


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/trace",
        summary="Lineage rows with the status of every hop, newest first.",
        handler=_get_trace,
        kind="trace",
        item=TraceItem,
        parameters=(
            QUERY,
            SAVED,
            *FIELD_PARAMETERS,
            *PAGING_PARAMETERS,
        ),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="trace",
    ),
    ApiOperation(
        path="/trace/by",
        summary="Counts of events by fields, with first and last time, largest first.",
        handler=_count_by_fields,
        kind="trace-by",
        item=EventCountItem,
        parameters=(
            ApiParameter(
                "by",
                "Fields, separated by commas; `chain` is the four actor hops.",
                BY_FIELDS,
                required=True,
                is_list=True,
            ),
            QUERY,
            SAVED,
            *FIELD_PARAMETERS,
            LIMIT,
        ),
        permissions=ALL_ACTIVITY,
        varies_with_time=True,
        command="trace --by FIELD,...",
    ),
    ApiOperation(
        path="/trace/saved",
        summary="Saved queries, for the parameter `saved`.",
        handler=_list_saved,
        kind="saved-queries",
        item=SavedQueryItem,
        parameters=(),
        permissions=ALL_ACTIVITY,
        command="trace --saved",
    ),
    ApiOperation(
        "/trace/score",
        "Hops that each source can and cannot supply.",
        _get_hop_coverage_score,
        "trace-score",
        HopStatusCountItem,
        permissions=ALL_ACTIVITY,
        command="trace --score",
    ),
    ApiOperation(
        path="/trace/unmediated",
        summary="Calls that bypassed the gateway, oldest first.",
        handler=_list_unmediated,
        kind="trace-unmediated",
        item=UnmediatedEventItem,
        parameters=(*HOP_PARAMETERS, LIMIT),
        permissions=ALL_ACTIVITY,
        varies_with_time=True,
        command="trace --unmediated",
    ),
    ApiOperation(
        path="/event",
        summary="One event with its chain; several events if records with the same id "
        "differ.",
        handler=_get_event,
        kind="event",
        item=TraceItem,
        parameters=(_ID,),
        permissions=ACTIVITY,
    ),
    ApiOperation(
        path="/decision",
        summary="One decision with its reason, its determining rules, and the change that "
        "would allow the call.",
        handler=_get_decision,
        kind="decision",
        item=DecisionItem,
        parameters=(_ID,),
        permissions=ACTIVITY,
        varies_with_time=True,
        command="decision ID",
    ),
    ApiOperation(
        path="/decisions",
        summary="Decisions, newest first, including those that are not yet shipped.",
        handler=_list_decisions,
        kind="decisions",
        item=DecisionItem,
        parameters=(
            ApiParameter("agent", "Only this agent's."),
            ApiParameter(
                "effect", "Only these.", tuple(e.value for e in DecisionEffect)
            ),
            ApiParameter(
                "reason", "Only for this.", tuple(r.value for r in DecisionReason)
            ),
            *PAGING_PARAMETERS,
        ),
        permissions=ACTIVITY,
        varies_with_time=True,
    ),
)

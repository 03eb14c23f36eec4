"""Parameters of the REST operations that search events, and their parsed query."""

from answerable.lineage import search_query
from answerable.lineage.search_query import FIELDS, SearchQuery
from answerable.model.errors import UsageError
from answerable.services.lineage.event_counts import FIELDS as COUNTED_FIELDS
from answerable.services.lineage.query_validation import list_log_sources
from answerable.services.lineage.saved_queries import (
    find_saved_query,
    merge_queries,
)
from answerable.web.api.operations import ApiParameter, OperationParams
from answerable.web.store_cache import StoreCache

FILTER_NAMES = (
    "person",
    "agent",
    "tool",
    "identity",
    "credential",
    "action",
    "resource",
    "outcome",
)
_DESCRIPTIONS = {
    "person": "Only events of this person.",
    "agent": "Only events of this agent or of agents that it started.",
    "tool": "Only events of this tool.",
    "identity": "Only events by this identity or on it.",
    "credential": "Only events with this credential.",
    "action": "Only events with these actions; `*` and `?` are wildcards.",
    "resource": "Only events on these resources; `*` and `?` are wildcards.",
    "source": "Only events of this source.",
    "outcome": "Only calls with this outcome.",
    "run": "Only of this run.",
    "status": "Status of a hop, e.g. `missing` or `agent=declared`.",
    "since": "Events since this time: `7d`, a date or an RFC 3339 time.",
    "until": "Events until this time.",
}
_CHOICES = {
    "outcome": search_query.CHOICES["outcome"],
    "source": tuple(list_log_sources()),
    "status": (
        *search_query.CHOICES["status"],
        *(
            f"{hop}={status}"
            for hop in search_query.HOPS
            for status in search_query.CHOICES["status"]
        ),
    ),
}
FIELD_PARAMETERS = tuple(
    ApiParameter(name, _DESCRIPTIONS[name], _CHOICES.get(name, ())) for name in FIELDS
)
HOP_PARAMETERS = tuple(
    each for each in FIELD_PARAMETERS if each.name in (*FILTER_NAMES, "since", "until")
)
BY_FIELDS = (*COUNTED_FIELDS, "chain")
QUERY = ApiParameter("q", "A query as in the search box: `agent:*bot since:7d`.")
SAVED = ApiParameter(
    "saved", "Name of a saved query; `q` and the other parameters refine it."
)


def parse_trace_query(cache: StoreCache, params: OperationParams) -> SearchQuery:
    """Build one search query from a saved one, `q` and the field parameters."""
    query = search_query.parse_search_query(params.get("q", ""))
    fields = " ".join(
        f"{name}:{search_query.format_query_value(params[name])}"
        for name in FIELDS
        if name in params
    )
    for name, value in search_query.parse_search_query(fields).said:
        if query.get_field_value(name) not in ("", value):
            raise UsageError(
                f"{name} is given twice: in `q` and as a parameter",
                f"remove {name} from `q`, or omit the parameter",
            )
        query = query.with_field(name, value)
    if "saved" in params:
        with cache.open_store() as store:
            saved = find_saved_query(store, params["saved"])
        base = search_query.parse_search_query(saved.query)
        query = merge_queries(base, query)
    return query

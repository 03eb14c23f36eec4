"""Build the filter of a trace from a query in the search language."""

from answerable.lineage.search_query import SearchQuery
from answerable.presentation.time_input import parse_time
from answerable.services.lineage.trace_rows import TraceQuery


def build_trace_query(query: SearchQuery, now: int, limit: int) -> TraceQuery:
    """Build the filter of a search query; its times are relative to now."""
    value = query.get_field_value
    since, until = value("since"), value("until")
    return TraceQuery(
        person=value("person"),
        agent=value("agent"),
        tool=value("tool"),
        identity=value("identity"),
        credential=value("credential"),
        action=value("action"),
        resource=value("resource"),
        outcome=value("outcome"),
        since=parse_time(since, now, "--since") if since else 0,
        until=parse_time(until, now, "--until") if until else 0,
        limit=limit,
        source=value("source"),
        run=value("run"),
        status=value("status"),
        words=query.words,
    )

"""Count the stored events under a legal hold."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from answerable.model.time_units import DAY_NS
from answerable.store.event_queries import EventFilter, build_filter_scope
from answerable.store.legal_holds import LegalHold

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Events whose texts are searched for a person, in a few seconds.
_MAX_SEARCHED_EVENTS = 500_000
_MAX_TIME = 2**62  # UTC nanoseconds, in the year 2116


def count_held_events(store: "EvidenceStore", hold: LegalHold) -> int | None:
    """Count the readable events under a hold; None if that takes too long."""
    since = _parse_day(hold.since) if hold.since else 0
    until = _parse_day(hold.until) + DAY_NS if hold.until else _MAX_TIME
    where, values = "event_time >= ? AND event_time < ?", [since, until]
    parameters: list[object] = [*values]
    if hold.source:
        where += " AND source = ?"
        parameters.append(hold.source)
    scope = build_filter_scope(EventFilter(since=since, until=until))
    query = f"SELECT count(*) FROM skimmed WHERE {where}"  # noqa: S608 - ours
    ((events,),) = store.run_query(query, parameters, scope=scope)
    count = cast("int", events)
    if not hold.person or not count:
        return count
    if count > _MAX_SEARCHED_EVENTS:
        return None
    condition = hold.build_condition()
    ((events,),) = store.run_query(
        "SELECT count(*) FROM events WHERE event_time >= ? AND event_time < ? "  # noqa: S608 - ours
        f"AND {condition.sql}",
        [*values, *condition.parameters],
        scope=scope,
    )
    return cast("int", events)


def _parse_day(day: str) -> int:
    """Parse a day to its start, UTC nanoseconds."""
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return max(-_MAX_TIME, min(int(start.timestamp()) * 10**9, _MAX_TIME))

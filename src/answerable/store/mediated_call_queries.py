"""Query platform events and gateway records to match them with each other (SQL)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from answerable.model.log_sources import GATEWAY
from answerable.store.chain_tables import (
    JointInterval,
    build_chain_interval_table,
)
from answerable.store.documented_views import JOINED_CHAINS
from answerable.store.event_columns import build_fact_sql
from answerable.store.event_queries import EventFilter, build_filter_sql

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_PLATFORM = "e.written_by = 'platform'"
_GATEWAY = f"e.source = '{GATEWAY}' AND e.written_by = 'mediator'"
_NS_PER_MS = 1_000_000
_ENDED, _NUMBER, _TOOK, _TASK = (
    build_fact_sql(name, "''")
    for name in ("ended", "ended_sequence", "milliseconds", "task")
)


def count_events_by_chain_and_time(
    store: "EvidenceStore", keys: Sequence[JointInterval], event_filter: EventFilter
) -> list[tuple[int, int, int]]:
    """Count platform events by delegation chain key and second.

    Returns:
        Index of the joint and interval, UTC nanoseconds, and count.
    """
    where, parameters = build_filter_sql(event_filter)
    query = (
        "SELECT c.n, e.event_time, count(*) FROM events e "  # noqa: S608 - ours
        f"JOIN intervals c ON {JOINED_CHAINS} WHERE {' AND '.join([_PLATFORM, *where])} "
        "GROUP BY ALL ORDER BY ALL"
    )
    rows = store.run_query(
        query, parameters, {"intervals": build_chain_interval_table(keys)}
    )
    return cast("list[tuple[int, int, int]]", rows)


def count_events_of_chain_keys(
    store: "EvidenceStore", keys: Sequence[JointInterval], event_filter: EventFilter
) -> int:
    """Count the platform events of some chain keys, at any time."""
    where, parameters = build_filter_sql(event_filter)
    query = (
        f"SELECT count(*) FROM events e JOIN intervals c ON {JOINED_CHAINS} "  # noqa: S608 - ours
        f"WHERE {' AND '.join([_PLATFORM, *where])}"
    )
    ((found,),) = store.run_query(
        query, parameters, {"intervals": build_chain_interval_table(keys)}
    )
    return cast("int", found)


@dataclass(frozen=True, slots=True)
class MediatedCall:
    """Recorded call of a gateway.

    Attributes:
        key: Index of its joint and interval in the list.
        at: Decision time, UTC nanoseconds.
        action: `mcp:METHOD`.
        ended: Outcome, empty for a blocked call.
        milliseconds: Duration, empty without an end.
        task: Id of a created task.
    """

    key: int
    at: int
    action: str
    ended: str
    milliseconds: str
    task: str


def find_mediated_calls(
    store: "EvidenceStore", keys: Sequence[JointInterval], until: int
) -> list[MediatedCall]:
    """Find the calls that gateways forwarded before a time (0 for any time)."""
    where, parameters = build_filter_sql(replace(EventFilter(), until=until))
    query = (
        f"SELECT c.n, e.event_time, e.action, {_ENDED}, {_TOOK}, {_TASK} FROM events e "  # noqa: S608 - ours
        f"JOIN intervals c ON {JOINED_CHAINS} "
        f"WHERE {' AND '.join([_GATEWAY, *where])} AND {_ENDED} <> ''"
    )
    rows = store.run_query(
        query, parameters, {"intervals": build_chain_interval_table(keys)}
    )
    return [MediatedCall(*cast("tuple[int, int, str, str, str, str]", r)) for r in rows]


# Each number that a recorder gave, and when: of an event, and of the end that is part
# of it. The first is that of its start, which is no event; when that was is not known.
_SEQUENCE_NUMBERS = (
    "SELECT e.recorder, e.sequence AS number, e.event_time AS moment FROM events e "  # noqa: S608 - ours
    f"WHERE {_GATEWAY} AND e.sequence > 0 "
    f"UNION SELECT e.recorder, try_cast({_NUMBER} AS BIGINT), "
    f"e.event_time + coalesce(try_cast({_TOOK} AS BIGINT), 0) * {_NS_PER_MS} "
    f"FROM events e WHERE {_GATEWAY} AND {_NUMBER} <> '' "
    f"UNION SELECT DISTINCT e.recorder, 1, 0 FROM events e WHERE {_GATEWAY}"
)


def read_recorder_spans(store: "EvidenceStore") -> tuple[tuple[int, int], ...]:
    """Read the first and last record time of each gateway process."""
    query = (
        f"SELECT min(moment), max(moment) FROM ({_SEQUENCE_NUMBERS}) WHERE moment > 0 "  # noqa: S608 - ours
        "GROUP BY recorder ORDER BY ALL"
    )
    return tuple(cast("list[tuple[int, int]]", store.run_query(query)))


def find_recorder_gaps(store: "EvidenceStore") -> tuple[tuple[int, int], ...]:
    """Find missing sequence numbers in the records of each gateway recorder.

    Returns:
        Times of the records before (0 at the start) and after each gap.
    """
    query = (
        "SELECT moment, next_moment FROM (SELECT number, moment, "  # noqa: S608 - ours
        "lead(number) OVER w AS next, lead(moment) OVER w AS next_moment "
        f"FROM ({_SEQUENCE_NUMBERS}) WINDOW w AS (PARTITION BY recorder ORDER BY number, moment)) "
        "WHERE next > number + 1 ORDER BY ALL"
    )
    return tuple(cast("list[tuple[int, int]]", store.run_query(query)))

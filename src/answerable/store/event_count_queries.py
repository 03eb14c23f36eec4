"""Count events of an investigation by chain, by column and by most frequent value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.model.lineage import ChainKey
from answerable.model.time_units import DAY_NS
from answerable.store.chain_tables import JointInterval, build_chain_group_table
from answerable.store.documented_views import JOINED_CHAINS
from answerable.store.event_columns import DATA_SERVICE, build_fact_sql
from answerable.store.investigation_queries import (
    InvestigationFilter,
    build_investigation_scope,
    build_matching_query,
)
from answerable.store.search_index import PLACE_COLUMNS

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Steps of this product's own protocols that are no act of an agent: sign-ins at the web
# page, and the first try of a DPoP proof without a nonce (RFC 9449 8).
OWN_PROTOCOL = (
    "(e.written_by = 'mediator' AND (e.source = 'web' AND e.outcome = 'success' "
    "AND e.action IN ('web:sign-in', 'web:sign-out') OR e.source = 'sts' "
    f"AND {build_fact_sql('error', chr(39) * 2)} = 'use_dpop_nonce'))"
)

# Columns of events that counts are grouped by, and their SQL.
COLUMNS = {
    "credential": "e.credential",
    "action": "e.action",
    "resource": "e.resource",
    "outcome": "e.outcome",
    "source": "e.source",
    "day": f"e.event_time // {DAY_NS}",
    "trusted": "e.written_by <> 'self-reported'",
    "scope": "e.scope",
    "region": "e.region",
    "data_service": DATA_SERVICE,
    "own": OWN_PROTOCOL,
}
# Columns that only some counts need.
RAW_COLUMNS = {
    "scope": ("scope",),
    "region": ("region",),
    "data_service": ("category",),
    "own": ("facts",),
}
# In the order of the fields of `EventCounts`.
_COUNTS = (
    "count(*), count(*) FILTER (e.outcome = 'denied'), "
    "count(*) FILTER (e.outcome = 'unknown'), min(e.event_time), max(e.event_time), "
    "coalesce(min(e.resource) FILTER (e.resource <> ''), ''), "
    "coalesce(max(e.resource), '')"
)
_COUNT_COLUMNS = 7
_CountValues = tuple[int, int, int, int, int, str, str]
_COUNTED = "action, resource, outcome"
_KEY = "identity, credential, session, person, run, agent, tool"
_JOINT = f"source, written_by, {_KEY}"


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Counts of a group of events, and the times of the first and the last.

    Attributes:
        denied: Events that the platform denied.
        outcome_unknown: Events whose outcome the log does not contain.
        first: UTC nanoseconds.
        last: UTC nanoseconds.
        low_resource: First of their resources in the order of texts, empty for none.
        high_resource: Last of them.
    """

    events: int
    denied: int
    outcome_unknown: int
    first: int
    last: int
    low_resource: str = ""
    high_resource: str = ""

    def __add__(self, other: "EventCounts") -> "EventCounts":
        """Count the events of both groups."""
        return EventCounts(
            self.events + other.events,
            self.denied + other.denied,
            self.outcome_unknown + other.outcome_unknown,
            min(self.first, other.first),
            max(self.last, other.last),
            low_resource=min(
                filter(None, (self.low_resource, other.low_resource)), default=""
            ),
            high_resource=max(self.high_resource, other.high_resource),
        )


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Group of events with equal values.

    Attributes:
        number: Number of their group of chains, -1 for none.
        joint: Joint of events outside the given chains, else None.
        values: Values of the requested columns, in order; a day is counted from 1970.
    """

    number: int
    joint: SourcedChainKey | None
    values: tuple[object, ...]
    counts: EventCounts


def count_events_by_group(
    store: "EvidenceStore",
    investigation: InvestigationFilter,
    chains: Sequence[tuple[int, JointInterval]],
    columns: Sequence[str],
) -> list[EventGroup]:
    """Count matching events, grouped by chain and by event columns.

    Args:
        store: The evidence store.
        investigation: Events to count.
        chains: Group numbers with a joint and interval, without overlaps; empty to
            count by columns alone.
        columns: Names in `COLUMNS`.
    """
    raw = [each for name in columns for each in RAW_COLUMNS.get(name, ())]
    query, values, tables = build_matching_query(
        investigation,
        ", ".join([PLACE_COLUMNS, _JOINT, _COUNTED, *raw]),
    )
    number, joint, join = "-1", "NULL", ""
    if chains:
        tables["grouped"] = build_chain_group_table(chains)
        number = "coalesce(c.n, -1)"
        joint = f"if(c.n IS NULL, [e.{', e.'.join(_JOINT.split(', '))}], NULL)"
        join = f"LEFT JOIN grouped c ON {JOINED_CHAINS}"
    listed = "".join(f", {COLUMNS[name]}" for name in columns)
    rows = store.run_query(
        f"SELECT {number}, {joint}, {_COUNTS}{listed} FROM ({query}) e {join} "  # noqa: S608 - ours
        "GROUP BY ALL ORDER BY ALL",
        values,
        tables,
        build_investigation_scope(investigation),
    )
    return [
        EventGroup(
            cast("int", at),
            _decode_key_columns(key),
            tuple(rest[_COUNT_COLUMNS:]),
            EventCounts(*cast("_CountValues", tuple(rest[:_COUNT_COLUMNS]))),
        )
        for at, key, *rest in rows
        if rest[0]  # a chain without events
    ]


def count_most_frequent_values(
    store: "EvidenceStore",
    investigation: InvestigationFilter,
    column: str,
    max_values: int,
) -> tuple[list[tuple[str, EventCounts]], int]:
    """Count matching events by one column, the most frequent values first.

    Steps of own protocols and events without a value are left out.

    Returns:
        The values with their counts, and the number of all values.
    """
    query, values, tables = build_matching_query(
        investigation, f"{PLACE_COLUMNS}, source, written_by, facts, {_COUNTED}"
    )
    rows = store.run_query(
        f"SELECT {COLUMNS[column]} AS value, {_COUNTS}, count(*) OVER () "  # noqa: S608 - ours
        f"FROM ({query}) e WHERE {COLUMNS[column]} <> '' AND NOT {OWN_PROTOCOL} "
        "GROUP BY value ORDER BY count(*) DESC, value LIMIT ?",
        [*values, max_values],
        tables,
        build_investigation_scope(investigation),
    )
    total = cast("int", rows[0][-1]) if rows else 0
    return [
        (cast("str", row[0]), EventCounts(*cast("_CountValues", row[1:-1])))
        for row in rows
    ], total


def _decode_key_columns(values: object) -> SourcedChainKey | None:
    """Decode the chain key columns of a row; None if there are none."""
    if values is None:
        return None
    source, written_by, *key = cast("list[str]", values)
    return SourcedChainKey(ChainKey(*key), source, written_by != "self-reported")

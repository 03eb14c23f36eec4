"""Count the events of an investigation by the counts of its chains, without a search.

The chain file has a number for each chain key, and the counts its events. An event that
touches an identity is counted by the chain key of its actor, so that one which the
identity made itself is not counted twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.model.errors import EnvironmentFailure
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.chain_tables import JointInterval
from answerable.store.day_files import remove_other_files
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.lineage_days import (
    SOURCED_KEY_COLUMNS,
    TOUCHED,
    decode_sourced_keys,
    is_touch_counted,
    list_lineage_files,
)
from answerable.store.query_tables import ColumnType, NamedTable, ParquetTable
from answerable.store.segment_scope import NO_EVENTS

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_Intervals = Mapping[SourcedChainKey, Sequence[tuple[int, int]]]


def count_events_of_chains(
    store: "EvidenceStore",
    investigation: InvestigationFilter,
    chains: Iterable[ChainTimeline],
    generation: str,
    open_counts: "Callable[[], ParquetTable | None]",
) -> int | None:
    """Count the events of chains, and those that touch one identity, of all days.

    Args:
        store: The store.
        investigation: The filter.
        chains: Chains of the filter's keys, as read from the chain file.
        generation: Generation of the events when the chain file was current.
        open_counts: Opens the counts of that file; None if there are none.

    Returns:
        None if only a search tells: for other filters, and for counts that lack events
            or have those of a segment that cannot be read.
    """
    parts, asked = investigation.alternatives, investigation.filter
    keys = [each.keys for each in parts if each.keys is not None and not each.about]
    about = [each.about for each in parts if each.about]
    if (
        any((asked.actions, asked.resources, asked.since, asked.until))
        or asked.event
        or asked.outcome
        or investigation.equal_columns
        or investigation.before is not None
        or any(each.words for each in parts)
        or len(keys) != 1
        or len(keys) + len(about) != len(parts)
        or len(about) > 1
        or not all(map(is_touch_counted, about))
        or any(each.keys is not None for each in parts if each.about)
    ):
        return None
    intervals = _list_intervals(keys[0])
    numbers = {
        each.number: each.chain_key for each in chains if each.chain_key in intervals
    }
    if len(numbers) < len(intervals) or -1 in numbers:
        return None
    with suppress(EnvironmentFailure):
        counts = open_counts()
        if counts is None or not counts.files or not _have_all_events(store, counts):
            return None
        total = _count_by_chains(store, counts, intervals, numbers)
        for identity in about:
            touching = _count_others_touching(store, identity, intervals)
            if touching is None:
                return None
            total += touching
        if compute_chains_generation(store) == generation:
            return total
    return None


def _list_intervals(keys: Sequence[JointInterval]) -> _Intervals:
    """List the intervals of each chain key."""
    found: dict[SourcedChainKey, list[tuple[int, int]]] = defaultdict(list)
    for key, start, end in keys:
        found[key].append((start, end))
    return found


def _have_all_events(store: "EvidenceStore", counts: ParquetTable) -> bool:
    """Return whether counts have as many events as can be read now."""
    sources = store.queries.get_current_sources()
    sources.require_sizes()
    readable = sum(each.count for each in sources.segments)
    if sources.journals:
        unsealed = sources.build_newer_scope()
        ((tail,),) = store.run_query("SELECT count(*) FROM events", scope=unsealed)
        readable += cast("int", tail)
    query = "SELECT sum(events)::BIGINT FROM counts"
    return store.run_query(query, (), {"counts": counts}, NO_EVENTS) == [(readable,)]


def _count_by_chains(
    store: "EvidenceStore",
    counts: ParquetTable,
    intervals: _Intervals,
    numbers: Mapping[int, SourcedChainKey],
) -> int:
    """Count the events of chains that start in intervals of their chain key."""
    wanted = NamedTable({"n": ColumnType.INT}, [{"n": number} for number in numbers])
    rows = store.run_query(
        "SELECT n, valid_from, sum(events)::BIGINT FROM counts "
        "WHERE n IN (SELECT n FROM wanted) GROUP BY ALL",
        (),
        {"counts": counts, "wanted": wanted},
        NO_EVENTS,
    )
    return sum(
        events
        for number, start, events in cast("list[tuple[int, int, int]]", rows)
        if any(a <= start < b for a, b in intervals[numbers[number]])
    )


def _count_others_touching(
    store: "EvidenceStore", identity: str, intervals: _Intervals
) -> int | None:
    """Count the events that touch an identity, without those of chain keys.

    Returns:
        None if events of one count are only in part in an interval of their key.
    """
    files = list_lineage_files(store, TOUCHED)
    if not files:
        return None
    remove_other_files(store, TOUCHED, files)
    touched = {"touched": ParquetTable(tuple(files))}
    actors = store.run_query(
        "SELECT identity, sum(events)::BIGINT FROM touched WHERE touched = ? "
        "GROUP BY identity",
        (identity,),
        touched,
        NO_EVENTS,
    )
    by_actor = {cast("str", actor): cast("int", n) for actor, n in actors}
    # Few identities act on themselves: only their rows have to be told apart.
    own = by_actor.keys() & {key.key.identity for key in intervals}
    total = sum(n for actor, n in by_actor.items() if actor not in own)
    if not own:
        return total
    rows = store.run_query(
        f"SELECT first, last, events, {SOURCED_KEY_COLUMNS} FROM touched "  # noqa: S608 - ours
        f"WHERE touched = ? AND identity IN ({', '.join('?' * len(own))})",
        (identity, *own),
        touched,
        NO_EVENTS,
    )
    counts = cast("list[tuple[int, int, int]]", [row[:3] for row in rows])
    keys = decode_sourced_keys([row[3:] for row in rows])
    for (first, last, events), key in zip(counts, keys, strict=True):
        known = intervals.get(key, ())
        if any(a <= first and last < b for a, b in known):
            continue
        if any(first < b and a <= last for a, b in known):
            return None
        total += events
    return total

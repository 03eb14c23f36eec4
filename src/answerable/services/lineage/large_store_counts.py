"""Counts over a large store: by its chain file, in memory as for the groups."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from answerable.lineage.chain_index import ChainIndex
from answerable.model.inventory import Inventory
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.event_counts import (
    GroupKey,
    count_by_chain_values,
    split_fields,
)
from answerable.services.lineage.large_store_chains import (
    build_index_without_chains,
    load_chains_of_counts,
    open_chain_files,
)
from answerable.services.lineage.trace_rows import (
    MAX_LIMIT,
    TraceQuery,
    build_event_filter,
    drop_names,
)
from answerable.store.chain_lookup import (
    count_all_events_by_hops,
    count_events_by_hops,
    list_hop_values_between,
    list_keys_of_hop_values,
)
from answerable.store.event_alternative import EventAlternative
from answerable.store.event_count_queries import EventCounts
from answerable.store.event_queries import END_OF_TIME
from answerable.store.store import EvidenceStore

if TYPE_CHECKING:
    from answerable.store.day_rollups import RollupCounts, RollupQuery

# What the rollups can select, beside the limit.
_ROLLUP_FILTERS = ("action", "outcome", "source", "since", "until")
# Values of a hop, and their chains, of which the events are counted one by one.
_MAX_VALUES, _MAX_KEYS = 500, 20_000
_COUNTED_COLUMNS = {"source", "outcome"}  # of the counts beside the chain file


def count_without_chains(
    store: EvidenceStore,
    inventory: Inventory,
    query: TraceQuery,
    fields: Sequence[str],
    progress: ProgressCallback = ignore_progress_report,
) -> tuple[ChainIndex, Mapping[GroupKey, EventCounts] | None]:
    """Count the events of a query by fields, or load the chains that this needs.

    Returns:
        The chains, and the counts by hops and then by columns; None if they have to be
        counted with these chains.
    """
    unnamed = drop_names(query)
    if query != unnamed:
        return load_chains_of_counts(store, inventory, query, progress), None
    hops, columns = split_fields(fields)
    if not hops:
        return build_index_without_chains(store), None
    files = open_chain_files(store, inventory, progress)
    if files is None:
        return load_or_compute_chains(store), None
    if unnamed == TraceQuery(limit=query.limit) and _COUNTED_COLUMNS.issuperset(
        columns
    ):
        counts = count_all_events_by_hops(store, files, hops, columns)
    else:
        wanted = build_event_filter(inventory, (), query)
        counts = count_events_by_hops(store, files[0], wanted, hops, columns)
    return build_index_without_chains(store), counts


def load_chains_of_windows(
    store: EvidenceStore, inventory: Inventory, query: TraceQuery
) -> ChainIndex | None:
    """Load the chains that counts of a query need at any time.

    Returns:
        None if `count_window` counts without them: the query has no name.
    """
    if query == drop_names(query) and not store.queries.has_index:
        return None
    return load_chains_of_counts(store, inventory, replace(query, since=0, until=0))


def count_window(
    store: EvidenceStore,
    inventory: Inventory,
    query: TraceQuery,
    fields: Sequence[str],
) -> Mapping[GroupKey, EventCounts] | None:
    """Count the events of a query without names by fields.

    Args:
        store: Store of the events.
        inventory: The snapshot.
        query: Events to count.
        fields: Hops, then columns.

    Returns:
        None if the disk cannot be written and the fields contain a hop.
    """
    query = replace(query, limit=MAX_LIMIT)
    rolled = count_with_rollups(store, query, fields)
    if rolled is not None:
        return dict(rolled.groups)
    wanted = build_event_filter(inventory, (), query)
    hops, columns = split_fields(fields)
    if not hops:
        return count_by_chain_values(store, (), wanted, None, columns)
    files = open_chain_files(store, inventory)
    if files is None:
        return None
    return count_events_by_hops(store, files[0], wanted, hops, columns)


def find_hop_values(
    store: EvidenceStore, inventory: Inventory, query: TraceQuery, hop: str
) -> Sequence[tuple[str, bool]] | None:
    """Find the values of a hop in the events of a query without names.

    Returns:
        Values, each with whether a trusted record has it; None if only the rows of
        events tell.
    """
    equal = {name: text for name in _COUNTED_COLUMNS if (text := getattr(query, name))}
    if replace(query, since=0, until=0) != TraceQuery(limit=query.limit, **equal):
        return None
    files = open_chain_files(store, inventory)
    if files is None:
        return None
    span = query.since, query.until or END_OF_TIME
    return list_hop_values_between(store, files, hop, span, equal)


def count_hop_values(
    store: EvidenceStore,
    inventory: Inventory,
    query: TraceQuery,
    fields: tuple[str, Sequence[str]],
    values: Collection[str],
) -> Mapping[GroupKey, EventCounts] | None:
    """Count the events of a query without names that have some values of a hop.

    Args:
        store: Store of the events.
        inventory: The snapshot.
        query: Events to count.
        fields: The hop, and further columns to count by.
        values: Values of the hop.

    Returns:
        None if the disk cannot be written, or if the values have many chains.
    """
    if not values:
        return {}
    files = open_chain_files(store, inventory)
    if files is None or len(values) > _MAX_VALUES:
        return None
    hop, columns = fields
    keys = list_keys_of_hop_values(store, files[0], hop, values)
    if len(keys) > _MAX_KEYS:
        return None
    wanted = build_event_filter(inventory, (), query)
    wanted = replace(wanted, alternatives=[EventAlternative(keys=keys)])
    return count_events_by_hops(store, files[0], wanted, [hop], columns)


def find_missing_values(
    store: EvidenceStore,
    query: TraceQuery,
    name: str,
    values: Collection[tuple[str, bool]],
) -> set[tuple[str, bool]] | None:
    """Find the values of a field that no event of a query has, by rollups.

    Args:
        store: Store of the events.
        query: Events without names.
        name: Name of the field.
        values: Values, each with whether trusted records are asked for.

    Returns:
        None if only the rows of events tell.
    """
    from answerable.store import day_rollups  # small stores do not need it

    asked = _build_rollup_query(query, (name, *day_rollups.STREAM_FIELDS))
    if asked is None or name not in day_rollups.VALUE_FIELDS:
        return None
    return day_rollups.find_missing_values(store, asked, values)


def count_with_rollups(
    store: EvidenceStore, query: TraceQuery, fields: Sequence[str]
) -> "RollupCounts | None":
    """Count the events of a query by fields, the largest groups up to its limit.

    Args:
        store: Store of the events.
        query: Events to count.
        fields: Names of columns.

    Returns:
        The groups, with values in the order of the fields; None if only the rows of
        events tell.
    """
    from answerable.store import day_rollups  # small stores do not need it

    asked = _build_rollup_query(query, fields)
    return None if asked is None else day_rollups.count_by_rollups(store, asked)


def _build_rollup_query(
    query: TraceQuery, fields: Sequence[str]
) -> "RollupQuery | None":
    """Build the query of rollups.

    Returns:
        None if only the rows of events tell: a hop, two values, or a filter that the
        rollups do not contain.
    """
    from answerable.store import day_rollups  # small stores do not need it

    selected = TraceQuery(
        limit=query.limit, **{name: getattr(query, name) for name in _ROLLUP_FILTERS}
    )
    values = [name for name in fields if name in day_rollups.VALUE_FIELDS]
    if (
        query != selected
        or not day_rollups.ROLLUP_FIELDS.issuperset(fields)
        or len(values) > 1
        or (query.action and values not in ([], ["action"]))
    ):
        return None
    return day_rollups.RollupQuery(
        fields,
        source=query.source,
        outcome=query.outcome,
        value=query.action,
        since=query.since,
        until=query.until,
        limit=query.limit,
    )

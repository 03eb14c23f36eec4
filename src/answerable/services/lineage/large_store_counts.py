"""Counts over a large store: by its chain file, in memory as for the groups."""

from collections.abc import Mapping, Sequence

from answerable.lineage.chain_index import ChainIndex
from answerable.model.inventory import Inventory
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.event_counts import GroupKey, split_fields
from answerable.services.lineage.large_store_chains import (
    build_index_without_chains,
    load_chains_of_counts,
    open_chain_files,
)
from answerable.services.lineage.trace_rows import (
    TraceQuery,
    build_event_filter,
    drop_names,
)
from answerable.store.chain_lookup import (
    count_all_events_by_hops,
    count_events_by_hops,
)
from answerable.store.event_count_queries import EventCounts
from answerable.store.store import EvidenceStore

_COUNTED_COLUMNS = {"source", "outcome"}  # of the counts beside the chain file


def count_without_chains(
    store: EvidenceStore,
    inventory: Inventory,
    query: TraceQuery,
    fields: Sequence[str],
) -> tuple[ChainIndex, Mapping[GroupKey, EventCounts] | None]:
    """Count the events of a query by fields, or load the chains that this needs.

    Returns:
        The chains, and the counts by hops and then by columns; None if they have to be
        counted with these chains.
    """
    unnamed = drop_names(query)
    if query != unnamed:
        return load_chains_of_counts(store, inventory, query), None
    hops, columns = split_fields(fields)
    if not hops:
        return build_index_without_chains(store), None
    files = open_chain_files(store, inventory)
    if files is None:
        return load_or_compute_chains(store, inventory), None
    if unnamed == TraceQuery(limit=query.limit) and _COUNTED_COLUMNS.issuperset(
        columns
    ):
        counts = count_all_events_by_hops(store, files, hops, columns)
    else:
        wanted = build_event_filter(inventory, (), query)
        counts = count_events_by_hops(store, files[0], wanted, hops, columns)
    return build_index_without_chains(store), counts

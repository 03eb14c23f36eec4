"""Count audit events by field of their lineage, or by hop status (`trace --by`)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import EventCountItem
from answerable.model.lineage import HopStatus, LineageChain
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.services.inventory import snapshots
from answerable.services.lineage.audit_log_identities import resolve_audit_log_identity
from answerable.services.lineage.chain_cache import (
    load_or_compute_chains,
)
from answerable.services.lineage.event_counts import (
    GroupKey,
    build_count_fields,
    count_by_chain_values,
    format_group_value,
    get_hop_value_and_status,
    mixed_type_sort_key,
    parse_fields,
    split_fields,
)
from answerable.services.lineage.large_store_chains import build_index_without_chains
from answerable.services.lineage.large_store_counts import (
    count_with_rollups,
    count_without_chains,
)
from answerable.services.lineage.query_validation import (
    require_known_action,
    require_known_source,
)
from answerable.services.lineage.record_conflicts import list_conflicts_between
from answerable.services.lineage.trace_rows import (
    HOPS,
    TraceQuery,
    build_event_filter,
    build_trace_coverage,
    describe_searched_events,
    format_command_with_larger_limit,
    validate_trace_query,
)
from answerable.store.event_count_queries import EventCounts
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.large_stores import is_large_store
from answerable.store.store import EvidenceStore


def count_by_fields(
    store: EvidenceStore,
    query: TraceQuery,
    field_names: str,
    *,
    now: int,
    progress: ProgressCallback = ignore_progress_report,
) -> Document:
    """Count the events of a query by fields, largest count first.

    Args:
        store: Store of the events.
        query: Events to count; its limit is the most rows.
        field_names: Names in `FIELDS`, separated by commas.
        now: UTC nanoseconds.
        progress: Receives the stages of what is derived and kept for later commands.

    Returns:
        Items with each field, null if it is missing, the counts and the times.

    Raises:
        UsageError: A field or a name is unknown, or nothing matches.
    """
    validate_trace_query(query)
    fields = parse_fields(field_names)
    inventory = snapshots.load_inventory(store, now=now, progress=progress)
    totals = rolled = None
    if is_large_store(store):
        rolled = count_with_rollups(store, query, fields)
        chains = build_index_without_chains(store)
        if rolled is None:
            chains, totals = count_without_chains(
                store, inventory, query, fields, progress
            )
    else:
        chains = load_or_compute_chains(store, progress)
    identity = resolve_audit_log_identity(store, inventory, chains, query.identity)
    query = replace(query, identity=identity)
    if rolled is not None:
        items = [_build_item(fields, fields, *each) for each in rolled.groups]
    elif totals is None:
        wanted = build_event_filter(inventory, chains, query)
        items = count_filtered_events(store, chains, wanted, fields)
    else:
        items = _build_items(totals, fields)
    total = len(items) if rolled is None else rolled.total
    shown = items[: query.limit]
    if not items:
        require_known_action(store, query.action)
        require_known_source(store, query.source)
    more = total > len(shown)
    covered = build_trace_coverage(inventory, chains, now, query)
    if conflicts := list_conflicts_between(store, query.since, query.until):
        covered["conflicts"] = conflicts
    return Document(
        "trace-by",
        shown,
        covered,
        next=format_command_with_larger_limit(query, "--by", ",".join(fields))
        if more
        else "",
        searched=""
        if items
        else describe_searched_events(store, inventory, chains, query),
        total=total if more else -1,
    )


def count_filtered_events(
    store: EvidenceStore,
    chains: Sequence[ChainTimeline],
    wanted: InvestigationFilter,
    fields: Sequence[str],
) -> list[EventCountItem]:
    """Count the events of a filter by fields; return all counts, largest first."""
    hops, columns = split_fields(fields)

    def values_of(chain: LineageChain) -> GroupKey:
        return tuple(get_hop_value_and_status(chain, name)[0] for name in hops)

    counts = count_by_chain_values(
        store, chains, wanted, values_of if hops else None, columns
    )
    return _build_items(counts, fields)


def _build_items(
    counts: Mapping[GroupKey, EventCounts], fields: Sequence[str]
) -> list[EventCountItem]:
    """Build the items of counts by hops, then by columns; largest first."""
    hops, columns = split_fields(fields)
    ordered = sorted(
        counts.items(),
        key=lambda each: (-each[1].events, mixed_type_sort_key(each[0])),
    )
    return [_build_item(fields, (*hops, *columns), *each) for each in ordered]


def _build_item(
    fields: Sequence[str], names: Sequence[str], values: GroupKey, counts: EventCounts
) -> EventCountItem:
    """Build the item of one group, whose values are in the order of `names`."""
    found = dict(zip(names, values, strict=True))
    row = {name: format_group_value(name, found[name]) for name in fields}
    return cast("EventCountItem", {**row, **build_count_fields(counts)})


def count_hop_statuses(
    store: EvidenceStore,
    chains: Sequence[ChainTimeline],
    event_filter: InvestigationFilter,
) -> dict[str, Counter[HopStatus]]:
    """Count the events in each status, per actor hop."""
    counts = count_by_chain_values(
        store,
        chains,
        event_filter,
        lambda chain: tuple(get_hop_value_and_status(chain, n)[1] for n in HOPS),
        (),
    )
    told: dict[str, Counter[HopStatus]] = {name: Counter() for name in HOPS}
    for values, counted in counts.items():
        for name, status in zip(HOPS, values, strict=True):
            told[name][cast("HopStatus", status)] += counted.events
    return told

"""List the lineage of events (command `trace`)."""

from collections.abc import Sequence
from dataclasses import replace

from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.services.inventory import snapshots
from answerable.services.lineage.audit_log_identities import resolve_audit_log_identity
from answerable.services.lineage.chain_cache import (
    is_chain_file_searched,
    load_or_compute_chains,
)
from answerable.services.lineage.large_store_chains import load_chains_of_question
from answerable.services.lineage.log_data_coverage import add_recorded_data
from answerable.services.lineage.query_validation import (
    require_known_action,
    require_known_source,
)
from answerable.services.lineage.record_conflicts import list_conflicting_events
from answerable.services.lineage.trace_rows import (
    TraceQuery,
    build_event_filter,
    build_trace_coverage,
    build_trace_item,
    describe_searched_events,
    format_command_with_larger_limit,
    join_events_with_chains,
    validate_trace_query,
)
from answerable.store.investigation_queries import (
    NewestEvents,
    count_events_matching,
    find_and_count_newest_events,
)
from answerable.store.store import EvidenceStore


def trace_events(
    store: EvidenceStore,
    query: TraceQuery,
    *,
    now: int,
    progress: ProgressCallback = ignore_progress_report,
) -> Document:
    """Return a row per event with its chain of person, agent and identity.

    Args:
        store: Store of the events.
        query: Events to list.
        now: UTC nanoseconds.
        progress: Receives the stages of what is derived and kept for later commands.

    Raises:
        UsageError: A name is unknown or ambiguous, or the span is empty.
    """
    validate_trace_query(query)
    inventory = snapshots.load_inventory(store, now=now, progress=progress)
    if not is_chain_file_searched(store):
        chains = load_or_compute_chains(store, progress)
        return list_lineage_rows(store, inventory, chains, query, now=now)
    chains, newest = load_chains_of_question(store, inventory, query, progress)
    return list_lineage_rows(store, inventory, chains, query, now=now, newest=newest)


def list_lineage_rows(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    query: TraceQuery,
    *,
    now: int,
    newest: NewestEvents | None = None,
) -> Document:
    """List events with their lineage, given a loaded inventory and chains.

    Args:
        store: The store.
        inventory: The snapshot.
        chains: Chains of the events.
        query: Events to list.
        now: UTC nanoseconds.
        newest: Newest events of the query, one more than its limit, if known.
    """
    validate_trace_query(query)
    chains = ChainIndex.wrap_chains(chains)
    identity = resolve_audit_log_identity(store, inventory, chains, query.identity)
    query = replace(query, identity=identity)
    if newest is None:
        wanted = build_event_filter(inventory, chains, query)
        newest = find_and_count_newest_events(store, wanted, query.limit + 1)
    found = newest.events
    more = len(found) > query.limit
    rows = list(join_events_with_chains(reversed(found[: query.limit]), chains))
    items = [build_trace_item(row) for row in rows]
    if not items:
        require_known_action(store, query.action)
        require_known_source(store, query.source)
    covered = build_trace_coverage(inventory, chains, now, query)
    add_recorded_data(covered, store, query.since, query.until, now=now)
    if conflicts := list_conflicting_events(store, items):
        covered["conflicts"] = conflicts
    total = -1
    if more and newest.total is not None:
        total = newest.total
    elif more:
        wanted = build_event_filter(inventory, chains, query)
        total = count_events_matching(store, wanted)
    return Document(
        "trace",
        items,
        covered,
        next=format_command_with_larger_limit(query) if more else "",
        searched=""
        if items
        else describe_searched_events(store, inventory, chains, query),
        total=total,
    )

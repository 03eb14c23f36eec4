"""Chains of a question over a large store: read from the chain file, or derived for it.

Reading the chains of all events takes seconds and much memory. The chain file is
searched instead for the names of a question and for the keys of its events.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.ids import build_person_id
from answerable.model.inventory import Inventory
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.services.lineage import name_predicates, name_resolution
from answerable.services.lineage.audit_log_identities import resolve_audit_log_identity
from answerable.services.lineage.chain_cache import (
    derive_chains_of_keys,
    load_or_compute_chains,
    write_current_chain_file,
)
from answerable.services.lineage.trace_rows import (
    TraceQuery,
    build_event_filter,
    drop_names,
)
from answerable.store import chain_file
from answerable.store.cache_generation import compute_chains_generation
from answerable.store.chain_lookup import (
    NameCondition,
    read_chains_of_keys,
    read_chains_with_names,
)
from answerable.store.chain_totals import count_events_of_chains
from answerable.store.event_queries import read_event_sources
from answerable.store.investigation_queries import (
    InvestigationFilter,
    NewestEvents,
    find_and_count_newest_events,
)
from answerable.store.large_stores import is_large_store
from answerable.store.query_tables import ParquetTable
from answerable.store.resource_search import search_resource
from answerable.store.store import EvidenceStore


def load_chains_of_question(
    store: EvidenceStore,
    inventory: Inventory,
    query: TraceQuery,
    progress: ProgressCallback = ignore_progress_report,
) -> tuple[ChainIndex, NewestEvents | None]:
    """Load the chains that the rows of a query need.

    Without names, these are the chains of the newest events up to the limit. If a name
    is not found among the chains, those of all events are searched.

    Args:
        store: Store of the events.
        inventory: The snapshot.
        query: The query.
        progress: Receives the progress of a chain file that is written.

    Returns:
        The chains, and the newest events of the query, one more than its limit; None if
        they were not searched.
    """
    unnamed = drop_names(query)
    selected = build_event_filter(inventory, (), unnamed)
    generation = compute_chains_generation(store)
    file = find_current_chain_file(store)
    if file is None and not is_large_store(store):
        file = _write_chain_file(store, progress)
        if file is None:
            return load_or_compute_chains(store), None
    if query == unnamed:
        newest = _find_newest_events(store, selected, query.limit + 1)
        keys = _list_chain_keys(newest)
        return _load_chains_of_keys(store, inventory, file, keys), newest
    try:
        if file is None and unnamed == TraceQuery(limit=query.limit):
            file = _write_chain_file(store, progress)
        chains = (
            _find_chains_with_names(store, inventory, file, query)
            if file and _has_searchable_name(query)
            else derive_chains_of_keys(
                store, inventory, _read_chain_keys(store, selected)
            )
        )
        identity = resolve_audit_log_identity(store, inventory, chains, query.identity)
        wanted = build_event_filter(
            inventory, chains, replace(query, identity=identity)
        )
    except UsageError:
        return load_or_compute_chains(store), None
    newest = find_and_count_newest_events(
        store,
        wanted,
        query.limit + 1,
        lambda: count_events_of_chains(
            store, wanted, chains, generation, lambda: _open_counts(store, inventory)
        ),
    )
    return _add_chains(store, inventory, file, chains, _list_chain_keys(newest)), newest


def _find_newest_events(
    store: EvidenceStore, wanted: InvestigationFilter, limit: int
) -> NewestEvents:
    """Find the newest events of a query without names; count all if that is quick."""
    known = search_resource(store, wanted, limit)
    return known.newest or find_and_count_newest_events(
        store, wanted, limit, lambda: known.total
    )


def _list_chain_keys(newest: NewestEvents) -> list[SourcedChainKey]:
    """List the chain keys of events, each once."""
    keys = map(name_resolution.get_event_chain_key, newest.events)
    return list(dict.fromkeys(keys))


def load_chains_of_counts(
    store: EvidenceStore,
    inventory: Inventory,
    query: TraceQuery,
    progress: ProgressCallback = ignore_progress_report,
) -> ChainIndex:
    """Load the chains of all events that a query with names selects."""
    newest = replace(query, limit=1)
    chains, _ = load_chains_of_question(store, inventory, newest, progress)
    identity = resolve_audit_log_identity(store, inventory, chains, query.identity)
    wanted = build_event_filter(inventory, chains, replace(query, identity=identity))
    keys = _read_chain_keys(store, wanted)
    return _add_chains(store, inventory, find_current_chain_file(store), chains, keys)


def _read_chain_keys(
    store: EvidenceStore, wanted: InvestigationFilter
) -> list[SourcedChainKey]:
    """Read the chain keys of matching events."""
    from answerable.store.lineage_facts_of_keys import read_chain_keys_matching

    return read_chain_keys_matching(store, wanted)


def build_index_without_chains(store: EvidenceStore) -> ChainIndex:
    """Build an index for a question that needs no chain; it has the store's sources."""
    return _index_chains(store, ())


def find_current_chain_file(store: EvidenceStore) -> ParquetTable | None:
    """Find the chain file; none for a process with an index of events in memory."""
    return None if store.queries.has_index else chain_file.find_chain_file(store)


def open_chain_files(
    store: EvidenceStore,
    inventory: Inventory,
    progress: ProgressCallback = ignore_progress_report,
) -> tuple[ParquetTable, ParquetTable] | None:
    """Find the chain files and their counts, or write them; None if impossible."""
    if store.queries.has_index:
        return None
    if (found := chain_file.find_counted_chains(store)) is not None:
        return found
    chains = find_current_chain_file(store) or _write_chain_file(store, progress)
    if chains is None:
        return None
    from answerable.store import chain_counts  # most questions count none

    try:
        return chain_counts.write_chain_counts(store)
    except EnvironmentFailure:
        return None


def _open_counts(store: EvidenceStore, inventory: Inventory) -> ParquetTable | None:
    """Open the counts of the chain file, or write them; None if that is impossible."""
    files = open_chain_files(store, inventory)
    return None if files is None else files[1]


def _write_chain_file(
    store: EvidenceStore,
    progress: ProgressCallback = ignore_progress_report,
) -> ParquetTable | None:
    """Write the chain file; None if the disk cannot be written."""
    if store.queries.has_index:
        return None
    try:
        return write_current_chain_file(store, progress)
    except EnvironmentFailure:
        return None


def _has_searchable_name(query: TraceQuery) -> bool:
    """Return whether the chain file can be searched for some name of a query."""
    return any(
        text != "="
        and (not name_predicates.is_glob(text) or _get_longest_literal(text))
        for field in name_resolution.FIELDS
        if (text := getattr(query, field))
    )


def _find_chains_with_names(
    store: EvidenceStore,
    inventory: Inventory,
    file: ParquetTable,
    query: TraceQuery,
) -> ChainIndex:
    """Find the chains with the names of a query.

    An event may also touch the named identity: the other names then suffice.

    Raises:
        UsageError: A name is unknown or ambiguous.
    """
    known: dict[NameCondition, ChainIndex] = {}
    conditions = {
        field: _resolve_name(store, inventory, file, (field, text), known)
        for field in name_resolution.FIELDS
        if (text := getattr(query, field))
    }
    only = next(iter(conditions.values()))
    if len(conditions) == 1 and only in known:
        return _index_chains(store, known[only])
    found = [*_read_chains(store, file, conditions.values())]
    others = [each for field, each in conditions.items() if field != "identity"]
    if others and len(others) < len(conditions):
        found += _read_chains(store, file, others)
    return _index_chains(store, {each.chain_key: each for each in found}.values())


def _read_chains(
    store: EvidenceStore, file: ParquetTable, conditions: Iterable[NameCondition]
) -> ChainIndex:
    """Read the chains that meet conditions."""
    return ChainIndex(read_chains_with_names(store, file, tuple(conditions)))


def _resolve_name(
    store: EvidenceStore,
    inventory: Inventory,
    file: ParquetTable,
    name: tuple[str, str],
    known: dict[NameCondition, ChainIndex],
) -> NameCondition:
    """Resolve one name of a query to ids; a pattern to the longest text in it.

    Args:
        store: Store of the events.
        inventory: The snapshot.
        file: Chains of all events.
        name: Field and text of the name.
        known: Receives the chains of the condition, if they were read.

    Raises:
        UsageError: The name is unknown or ambiguous.
    """
    field, text = name
    hop_value = name_predicates.get_exact_value(text)
    if hop_value is not None:
        return NameCondition(field, (hop_value,) if hop_value else ())
    if name_predicates.is_glob(text):
        return NameCondition(field, part=_get_longest_literal(text))
    asked = text.strip()
    if field == "person":
        part = build_person_id(asked).partition(":")[2].lower()
    else:
        part = asked.lower()
        if not asked.startswith("arn:"):
            exact = NameCondition(field, (asked,))
            if found := _read_chains(store, file, [exact]):
                known[exact] = found
                return exact
    similar = ChainIndex(())
    if not asked.startswith("arn:"):
        similar = _read_chains(store, file, [NameCondition(field, part=part)])
    ids = name_resolution.resolve_query_name(inventory, similar, field, asked)
    condition = NameCondition(field, tuple(sorted(ids)))
    if field == "person" and all(part in each.lower() for each in ids):
        known[condition] = ChainIndex(
            each
            for each in similar
            if any(chain.person.value in ids for chain in each.chains)
        )
    return condition


def _get_longest_literal(pattern: str) -> str:
    """Return the longest text of a pattern that has no wildcard, in lower case."""
    return max(pattern.lower().replace("?", "*").split("*"), key=len)


def _add_chains(
    store: EvidenceStore,
    inventory: Inventory,
    file: ParquetTable | None,
    chains: ChainIndex,
    keys: Iterable[SourcedChainKey],
) -> ChainIndex:
    """Add the chains of further chain keys to an index."""
    known = chains.chains_by_key
    missing = [key for key in dict.fromkeys(keys) if key not in known]
    if not missing:
        return chains
    more = _load_chains_of_keys(store, inventory, file, missing)
    return _index_chains(store, (*chains, *more))


def _load_chains_of_keys(
    store: EvidenceStore,
    inventory: Inventory,
    file: ParquetTable | None,
    keys: Sequence[SourcedChainKey],
) -> ChainIndex:
    """Read the chains of chain keys, or derive them without a file."""
    if file is not None:
        found = _index_chains(store, read_chains_of_keys(store, file, keys))
        if len(found) == len(keys):
            return found  # else an event was stored in the meantime
    return derive_chains_of_keys(store, inventory, keys)


def _index_chains(store: EvidenceStore, chains: Iterable[ChainTimeline]) -> ChainIndex:
    """Index chains, with the sources of all events."""
    index = ChainIndex(chains)
    index.sources = read_event_sources(store)
    return index

"""Load or compute the chains (person, agent, tool, identity) of all events, cached."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.model.errors import EnvironmentFailure
from answerable.model.inventory import DERIVATION_STAGES, Inventory
from answerable.model.lineage import DeclaredUse
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.services.inventory import snapshots
from answerable.services.python_gc_pause import pause_garbage_collection
from answerable.store import chain_tables, large_stores
from answerable.store.cache_generation import (
    compute_chains_generation,
    compute_events_generation,
)
from answerable.store.event_queries import read_event_sources
from answerable.store.query_tables import NamedTable, ParquetTable
from answerable.store.query_views import ViewDefinitions
from answerable.store.store import EvidenceStore

# Most questions about a large store read its chain file: what derives chains is
# imported where that happens.
if TYPE_CHECKING:
    from answerable.store.lineage_facts import LineageFacts

_KEYS_OF_PART = 25_000
_DERIVING = "chains derived; `answerable ingest` does this in advance"
_Statements = tuple[Sequence[DeclaredUse], Mapping[str, str]]
# With more, `trace` looks up the chains of its events in the chain file.
_LOOKUP_EVENTS = 50_000


def load_or_compute_chains(
    store: EvidenceStore,
    progress: ProgressCallback = ignore_progress_report,
) -> ChainIndex:
    """Load the chains of all events from the cache, or compute them.

    Chains are stitched again after new events, snapshots or statements about owners: a
    later fact improves the answer and changes no evidence.

    Args:
        store: Store of the events.
        progress: Receives the stage if they must be computed.
    """
    from answerable.store import lineage_facts

    with pause_garbage_collection():
        known = lineage_facts.load_cached_chains(store)
    if known is not None:
        return ChainIndex(known)
    progress(1, DERIVATION_STAGES, "deriving chains of events")
    generations = compute_events_generation(store), compute_chains_generation(store)
    facts = lineage_facts.load_lineage_facts(store)
    found = derive_chains(facts, store, None)
    lineage_facts.save_chains_to_cache(store, generations, facts, found)
    return found


def derive_chains(
    facts: "LineageFacts",
    inventory_store: EvidenceStore,
    inventory: Inventory | None,
) -> ChainIndex:
    """Derive the chains of events, perhaps of another store than the inventory's.

    Args:
        facts: Facts of all events.
        inventory_store: Store of the snapshots and statements about owners.
        inventory: Its newest snapshot; None to load it. Chains that are cached need
            the one that was stored after their generation was computed.
    """
    statements = _load_statements(inventory_store, inventory)
    return ChainIndex(_iterate_chains(facts, statements))


def write_current_chain_file(
    store: EvidenceStore,
    progress: ProgressCallback = ignore_progress_report,
) -> ParquetTable:
    """Derive the chains of all events into the chain file.

    In a large store, these are the chains that can differ from those of the file there.

    Args:
        store: Store of the events.
        progress: Receives the number of derived chains.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    from answerable.store import chain_file, chain_writer

    progress(0, 0, _DERIVING)
    with pause_garbage_collection(), chain_writer.lock_chain_file(store):
        if known := chain_file.find_chain_file(store):
            return known  # of another process that ended meanwhile
        generation = compute_chains_generation(store)
        if not large_stores.is_large_store(store):
            loaded = load_or_compute_chains(store)
            return chain_writer.write_chain_file(store, generation, loaded)
        return _write_changed_chains(store, generation, progress)


def _write_changed_chains(
    store: EvidenceStore,
    generation: str,
    progress: ProgressCallback,
) -> ParquetTable:
    """Derive the chains that differ from those of the file there, or all without one."""
    from answerable.lineage import chain_statements
    from answerable.store import chain_changes, chain_writer
    from answerable.store.lineage_days import iterate_chain_keys

    statements = _load_statements(store, None)
    files = chain_changes.LineageFiles.open(store)
    inputs = chain_changes.read_chain_inputs(
        store, files, chain_statements.digest_statements(*statements)
    )
    earlier = chain_writer.find_earlier_chain_file(store) if files.keys else None
    changed = earlier and chain_changes.find_changed_keys(
        store, *earlier, inputs, files, statements[0]
    )
    keys = changed.derived if changed else iterate_chain_keys(store, files.keys)
    chains = _report_each(
        _iterate_chains_in_parts(store, iter(keys), statements),
        len(changed.derived) if changed else 0,
        progress,
    )
    table = chain_writer.write_chain_file(
        store,
        generation,
        chains,
        inputs if files.keys else None,
        [*changed.derived, *changed.gone] if changed else None,
    )
    files.remove_others(store, earlier[1] if earlier else None)
    return table


def _report_each(
    chains: Iterator[ChainTimeline], total: int, progress: ProgressCallback
) -> Iterator[ChainTimeline]:
    """Yield chains and report how many there were; the total is 0 if not known."""
    for number, each in enumerate(chains, 1):
        yield each
        progress(number, total, _DERIVING)


def _iterate_chains_in_parts(
    store: EvidenceStore, keys: Iterator[SourcedChainKey], statements: _Statements
) -> Iterator[ChainTimeline]:
    """Derive the chains of chain keys, with the facts of some keys in memory."""
    from answerable.store.lineage_days import ISSUANCES, open_lineage_days
    from answerable.store.lineage_facts_of_keys import read_lineage_facts_of_keys

    days = open_lineage_days(store, ISSUANCES)
    while part := tuple(islice(keys, _KEYS_OF_PART)):
        facts = read_lineage_facts_of_keys(store, part, days)
        yield from _iterate_chains(facts, statements)


def _load_statements(store: EvidenceStore, inventory: Inventory | None) -> _Statements:
    """Load the declared uses of the snapshots, and the parent of each agent."""
    parents: dict[str, str] = {}
    if store.list_objects("snapshot"):
        agents = (inventory or snapshots.load_inventory(store)).agents
        parents = {k: e.agent.parent for k, e in agents.items() if e.agent.parent}
    return tuple(snapshots.load_declared_uses(store)), parents


def _iterate_chains(
    facts: "LineageFacts", statements: _Statements
) -> Iterator[ChainTimeline]:
    """Derive the chains of facts one by one."""
    from answerable.lineage.chain_stitching import iterate_lineage_chains

    declared, parents = statements
    return iterate_lineage_chains(
        facts.joints,
        facts.issuances,
        declared,
        facts.sign_ins,
        parents,
        facts.presentations,
    )


def is_chain_file_searched(store: EvidenceStore) -> bool:
    """Return whether a search in the chain file is faster than to load all chains."""
    sealed = large_stores.count_sealed_events(store)
    return sealed > min(_LOOKUP_EVENTS, large_stores.LARGE_STORE_EVENTS)


def derive_chains_of_keys(
    store: EvidenceStore, inventory: Inventory, keys: Sequence[SourcedChainKey]
) -> ChainIndex:
    """Derive the chains of some chain keys, in memory as these need.

    The sources of the index are those of all events.
    """
    from answerable.store.lineage_facts_of_keys import read_lineage_facts_of_keys

    facts = read_lineage_facts_of_keys(store, keys)
    index = derive_chains(facts, store, inventory)
    index.sources = read_event_sources(store)
    return index


def build_lineage_view(store: EvidenceStore) -> ViewDefinitions:
    """Build the `lineage` view for SQL queries."""
    return chain_tables.build_lineage_view(lambda: _build_chain_table(store))


def _build_chain_table(store: EvidenceStore) -> NamedTable | ParquetTable:
    """Return the chains of all events: the chain file, or rows on a disk error."""
    from answerable.store import chain_file  # other questions do not need it

    try:
        return chain_file.find_chain_file(store) or write_current_chain_file(store)
    except EnvironmentFailure:
        return chain_tables.build_chain_table(load_or_compute_chains(store))

"""Count the hops that each log supplies (`trace --score`), also those of an export.

An export of a product that is not in the store is read into a temporary store and
scored with the inventory of the user: nothing of it is kept.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from answerable.connectors import registry
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.connector import EventContext
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.documents.trace import HopStatusCountItem
from answerable.model.errors import UsageError
from answerable.model.inventory import Inventory
from answerable.model.lineage import HopStatus
from answerable.model.log_hops import HOPS_OF_LOGS, SUPPLYING_SOURCES, HopSupply
from answerable.presentation.answer_coverage import format_problem, format_time
from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import (
    derive_chains,
    load_or_compute_chains,
)
from answerable.services.lineage.event_counts import get_hop_value_and_status
from answerable.services.lineage.query_validation import require_known_source
from answerable.services.lineage.trace_rows import HOPS, build_trace_coverage
from answerable.store.event_queries import (
    count_events_by_chain_key,
    count_resources_by_source,
)
from answerable.store.lineage_facts import load_lineage_facts
from answerable.store.store import EvidenceStore

_ALL_HOPS = (*HOPS, "action", "resource")
_NO_SUPPLY = HopSupply("no", "")


def count_hop_coverage(store: EvidenceStore, source: str = "", *, now: int) -> Document:
    """Count, per source and hop, the events in each hop status.

    Args:
        store: Store of the events and the inventory.
        source: Name of a log in the store, or an export `NAME:PATH` that is read now
            and not stored; empty for all logs in the store.
        now: UTC nanoseconds.

    Returns:
        Items with the counts by status; `can` is whether the source can observe the
        hop at all, `field` the members of its records that carry it, `supplied_by`
        sources that would supply missing hops.

    Raises:
        UsageError: The source is unknown, its path does not exist, or the store has no
            event of it.
    """
    inventory = snapshots.load_inventory(store, now=now)
    if ":" in source:
        return _score_export(store, inventory, source, now)
    chains = load_or_compute_chains(store)
    document = count_hop_statuses_by_source(store, inventory, chains, now=now)
    if not source:
        return document
    items = [item for item in document.items if item["source"] == source]
    if not items:
        require_known_source(store, source)
        raise UsageError(
            f"the store has no event of {source}",
            f"score a file without storing it: answerable trace --score {source}:PATH",
        )
    return Document("trace-score", items, document.coverage)


def count_hop_statuses_by_source(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    *,
    now: int,
) -> Document:
    """Count, per source and hop, the events in each hop status, from loaded chains."""
    coverage = build_trace_coverage(inventory, chains, now)
    return Document("trace-score", _count_hops(store, chains), coverage)


def _count_hops(
    store: EvidenceStore, chains: Sequence[ChainTimeline]
) -> list[HopStatusCountItem]:
    """Count the events of each source by hop and status."""
    flat = [
        ((each.chain_key, c.valid_from, c.valid_to), c)
        for each in chains
        for c in each.chains
    ]
    counts = count_events_by_chain_key(store, [key for key, _ in flat])
    tally: dict[tuple[str, str], Counter[HopStatus]] = defaultdict(Counter)
    for n, ((joint, _, _), chain) in enumerate(flat):
        for hop in HOPS:
            _, status = get_hop_value_and_status(chain, hop)
            tally[joint.source, hop][status] += counts.get(n, 0)
    for each in count_resources_by_source(store):
        for hop, named in (("action", each.events), ("resource", each.with_resource)):
            known = named if each.trusted else 0
            tally[each.source, hop][HopStatus.OBSERVED] += known
            tally[each.source, hop][HopStatus.MISSING] += each.events - known
    return [
        _build_item(source, hop, counted)
        for (source, hop), counted in sorted(
            tally.items(), key=lambda item: (item[0][0], _ALL_HOPS.index(item[0][1]))
        )
    ]


def _build_item(
    source: str, hop: str, counted: Counter[HopStatus]
) -> HopStatusCountItem:
    """Build the item of one hop of a source."""
    supply = HOPS_OF_LOGS.get((source, hop), _NO_SUPPLY)
    return {
        "source": source,
        "hop": hop,
        "events": counted.total(),
        "observed": counted[HopStatus.OBSERVED],
        "declared": counted[HopStatus.DECLARED],
        "inferred": counted[HopStatus.INFERRED],
        "missing": counted[HopStatus.MISSING],
        "can": supply.when,
        "field": supply.fields,
        "supplied_by": SUPPLYING_SOURCES[hop] if counted[HopStatus.MISSING] else "",
    }


def _score_export(
    store: EvidenceStore, inventory: Inventory, source: str, now: int
) -> Document:
    """Score an export `NAME:PATH` in a temporary store that is deleted afterwards."""
    name, _, location = source.partition(":")
    if not location:
        raise UsageError(
            f"a path is missing (got {source[:80]!r}, expected {name}:PATH)",
            "name a file or a folder of the export",
        )
    connector = registry.load_event_connector(name)
    problems: list[str] = []
    refused = 0
    with (
        TemporaryDirectory(prefix="answerable-score-") as folder,
        EvidenceStore.open(Path(folder) / "store", now=now, create=True) as events,
    ):
        for batch in connector.read(location, EventContext()):
            events.append(batch.events, now)
            problems += [format_problem(each) for each in batch.problems]
            refused += sum(each.count for each in batch.quarantined)
        events.seal(now)
        chains = derive_chains(load_lineage_facts(events), store, inventory)
        items = _count_hops(events, chains)
        coverage = build_trace_coverage(inventory, chains, now)
    if refused:
        problems.append(f"{refused:,} records could not be parsed")
    if not items:
        raise UsageError(
            f"the export has no event that can be scored (got {source[:200]!r}); "
            f"{'; '.join(problems[:1]) or 'it is empty'}",
            "name a file of this log's format",
        )
    return Document("trace-score", items, _add_export(coverage, source, problems, now))


def _add_export(
    coverage: CoverageRecord, source: str, problems: list[str], now: int
) -> CoverageRecord:
    """Add the export to the sources of a coverage record."""
    coverage["sources"] = [
        *coverage["sources"],
        {"source": source, "at": format_time(now), "age_s": 0, "problems": problems},
    ]
    coverage["partial"] = coverage["partial"] or bool(problems)
    return coverage

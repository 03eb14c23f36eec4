"""Summarize all events of a query: chains by path with counts, and facets.

Steps of this product's own protocols (sign-ins at the web page, first tries of a DPoP
proof without a nonce) are counted apart, so that they do not hide the acts of agents.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.lineage.search_query import HOPS, SearchQuery
from answerable.model.documents.web import ChainSummaryItem, EventFacetItem
from answerable.model.inventory import Inventory
from answerable.model.lineage import Hop, LineageChain
from answerable.services.lineage.event_counts import (
    GroupKey,
    build_count_fields,
    count_by_chain_values,
)
from answerable.services.lineage.large_store_chains import open_chain_files
from answerable.services.lineage.large_store_counts import count_with_rollups
from answerable.services.lineage.trace_rows import TraceQuery, build_hop_item
from answerable.store.chain_lookup import count_all_events_by_hops
from answerable.store.event_count_queries import (
    EventCounts,
    count_most_frequent_values,
)
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.large_stores import is_large_store
from answerable.store.store import EvidenceStore

FACETS = ("person", "agent", "identity", "action", "resource", "source", "outcome")
_COLUMNS = ("action", "outcome", "source", "own")
_HOP_FACETS = ("person", "agent", "identity")
MAX_FACET_VALUES = 50
# Facets of a large store: by the counts of its chains, and by its rollups.
_STREAM = ("source", "outcome")
_ROLLED = ("action", "resource")


@dataclass(frozen=True, slots=True)
class _ChainPath:
    """Path of a chain: its hops, and the agents and identities that led to them.

    The hops have no source: a source can name one token, and a path has many.
    """

    person: Hop
    agent: Hop
    tool: Hop
    identity: Hop
    agent_path: tuple[str, ...]
    identity_path: tuple[str, ...]


@dataclass(slots=True)
class _PathCounts:
    """Counts of the events of one path, in all and by action.

    Attributes:
        sources: Sources of person, agent, tool and identity.
    """

    counts: EventCounts
    sources: tuple[set[str], ...]
    actions: dict[str, EventCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventSummary:
    """Summary of all events of a query.

    Attributes:
        chains: Chains with counts, largest first.
        facets: Values of the fields in `FACETS`, most frequent first.
        total: Number of events, without steps of own protocols.
        own: Counts of steps of own protocols, None for none.
        values: Number of values of each facet.
    """

    chains: Sequence[ChainSummaryItem]
    facets: Sequence[EventFacetItem]
    total: int
    own: EventCounts | None
    values: dict[str, int]


def summarize_events(
    store: EvidenceStore,
    chains: Sequence[ChainTimeline],
    event_filter: InvestigationFilter,
    *,
    with_own_protocols: bool = False,
) -> EventSummary:
    """Count the events of a filter by path of their chain, and by facet.

    Args:
        store: Store of the events.
        chains: Stitched chains.
        event_filter: Events to summarize.
        with_own_protocols: Whether chains include steps of own protocols.
    """
    counted = count_by_chain_values(
        store, chains, event_filter, _get_path, list(_COLUMNS)
    )
    own: EventCounts | None = None
    paths: dict[_ChainPath, _PathCounts] = {}
    by_field: dict[str, dict[str | None, EventCounts]] = {name: {} for name in FACETS}
    total = 0
    for key, counts in counted.items():
        path, sources = cast("_ChainPath", key[0]), cast("tuple[str, ...]", key[1])
        action, outcome, source, is_own = key[2:]
        if is_own:
            own = counts if own is None else own + counts
        if is_own and not with_own_protocols:
            continue
        total += counts.events
        _add_to_path(paths, path, sources, str(action), counts)
        for name in _HOP_FACETS:
            _add_counts(by_field[name], cast("Hop", getattr(path, name)).value, counts)
        for name, value in zip(_COLUMNS, (action, outcome, source), strict=False):
            _add_counts(by_field[name], str(value), counts)
    resources, found = count_most_frequent_values(
        store, event_filter, "resource", MAX_FACET_VALUES
    )
    by_field["resource"] = dict(resources)
    values = {name: len(each) for name, each in by_field.items()} | {"resource": found}
    return EventSummary(
        sorted(
            (_build_chain_item(*each) for each in paths.items()), key=_order_of_chain
        ),
        [item for name in FACETS for item in _build_facet_items(name, by_field[name])],
        total,
        own,
        values,
    )


def count_facets(
    store: EvidenceStore, inventory: Inventory, query: SearchQuery
) -> list[EventFacetItem] | None:
    """Count the values of each field without reading events.

    Args:
        store: A store without an index in memory.
        inventory: The snapshot.
        query: A source, an outcome, both or nothing.

    Returns:
        None if only the events tell: a small store, another query, or steps of own
        protocols, which facets leave out.
    """
    given = {name: value for name in _STREAM if (value := query.get_field_value(name))}
    asked = TraceQuery(
        limit=MAX_FACET_VALUES + 1,
        source=given.get("source", ""),
        outcome=given.get("outcome", ""),
    )
    if not is_large_store(store) or asked.as_search() != query:
        return None
    by_field = _count_rolled_fields(store, asked)
    files = open_chain_files(store, inventory)
    if by_field is None or files is None:
        return None
    names = (*_HOP_FACETS, *_STREAM)
    by_field |= {name: {} for name in names}
    for values, counts in count_all_events_by_hops(
        store, files, _HOP_FACETS, _STREAM
    ).items():
        found = dict(zip(names, map(str, values), strict=True))
        if found | given == found:
            for name, value in found.items():
                _add_counts(by_field[name], value, counts)
    return list(_iterate_items(by_field))


def _count_rolled_fields(
    store: EvidenceStore, asked: TraceQuery
) -> dict[str, dict[str | None, EventCounts]] | None:
    """Count actions and resources by rollups; None if only the events tell."""
    own = count_with_rollups(store, replace(asked, limit=2), ("own",))
    if own is None or any(is_own for (is_own,), _ in own.groups):
        return None
    found: dict[str, dict[str | None, EventCounts]] = {}
    for name in _ROLLED:
        rolled = count_with_rollups(store, asked, (name,))
        if rolled is None:
            return None
        found[name] = {str(value) or None: n for (value,), n in rolled.groups}
    found["resource"].pop(None, None)
    return found


def _iterate_items(
    by_field: Mapping[str, dict[str | None, EventCounts]],
) -> Iterator[EventFacetItem]:
    """Yield the items of all facets."""
    for name in FACETS:
        yield from _build_facet_items(name, by_field[name])


def _get_path(chain: LineageChain) -> GroupKey:
    """Return the path of a chain, and the sources of its hops."""
    hops = (chain.person, chain.agent, chain.tool, chain.identity)
    person, agent, tool, identity = (replace(hop, source="") for hop in hops)
    path = _ChainPath(
        person, agent, tool, identity, chain.agent_path, chain.identity_path
    )
    return path, tuple(hop.source for hop in hops)


def _add_counts(
    found: dict[str | None, EventCounts], value: str | None, counts: EventCounts
) -> None:
    """Add counts to those of a value; an empty value is None."""
    before = found.get(value or None)
    found[value or None] = counts if before is None else before + counts


def _add_to_path(
    paths: dict[_ChainPath, _PathCounts],
    path: _ChainPath,
    sources: tuple[str, ...],
    action: str,
    counts: EventCounts,
) -> None:
    """Add counts to a path and to its action."""
    of_path = paths.get(path)
    if of_path is None:
        of_path = paths[path] = _PathCounts(counts, tuple({each} for each in sources))
    else:
        of_path.counts += counts
        for known, each in zip(of_path.sources, sources, strict=True):
            known.add(each)
    before = of_path.actions.get(action)
    of_path.actions[action] = counts if before is None else before + counts


def _build_chain_item(path: _ChainPath, counted: _PathCounts) -> ChainSummaryItem:
    """Build the item of a chain, with its actions, most frequent first."""
    ordered = sorted(
        counted.actions.items(), key=lambda each: (-each[1].events, each[0])
    )
    actions = [
        {"action": action, **_build_counts(counts)} for action, counts in ordered
    ]
    item = {
        **{
            name: build_hop_item(replace(getattr(path, name), source=_join(sources)))
            for name, sources in zip(HOPS, counted.sources, strict=True)
        },
        "agent_path": list(path.agent_path),
        "identity_path": list(path.identity_path),
        **_build_counts(counted.counts),
        "actions": actions,
    }
    return cast("ChainSummaryItem", item)


def _join(sources: Collection[str]) -> str:
    """Return the first of the sources of a hop, with the number of the others."""
    first = min(sources, key=lambda each: (len(each), each))
    return f"{first} (and {len(sources) - 1:,} more)" if len(sources) > 1 else first


def _build_counts(counts: EventCounts) -> dict[str, object]:
    """Build the counts of an item, with the beginning that its resources share."""
    low, high = counts.low_resource, counts.high_resource
    # Texts between two others begin as both of them do.
    shared = next(
        (at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b),
        min(len(low), len(high)),
    )
    return {
        **build_count_fields(counts),
        "resource": low[:shared],
        "resource_is_prefix": low != high,
    }


def _order_of_chain(item: ChainSummaryItem) -> tuple[int, str]:
    """Return a key that sorts chains by their events, largest first."""
    hops = (item["person"], item["agent"], item["tool"], item["identity"])
    return -item["events"], " ".join(hop["value"] for hop in hops)


def _build_facet_items(
    name: str, counted: dict[str | None, EventCounts]
) -> Iterator[EventFacetItem]:
    """Build the items of one facet, most frequent first."""
    ordered = sorted(counted.items(), key=lambda each: (-each[1].events, each[0] or ""))
    for value, counts in ordered[:MAX_FACET_VALUES]:
        yield cast(
            "EventFacetItem",
            {"field": name, "value": value, **build_count_fields(counts)},
        )

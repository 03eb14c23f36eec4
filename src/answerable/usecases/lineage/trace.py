"""List the lineage of events (`trace`), and count hop coverage (`--score`)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.model.lineage import HopStatus, LineageChain
from answerable.services.inventory import snapshots
from answerable.services.lineage.audit_log_identities import resolve_audit_log_identity
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.query_validation import require_known_action
from answerable.services.lineage.trace_rows import (
    HOPS,
    TraceQuery,
    build_event_filter,
    build_trace_coverage,
    build_trace_item,
    describe_searched_events,
    format_command_with_larger_limit,
    join_events_with_chains,
    validate_trace_query,
)
from answerable.store.event_queries import count_events_by_chain_key
from answerable.store.investigation_queries import (
    count_events_matching,
    find_newest_events,
)
from answerable.store.store import EvidenceStore


def trace_events(store: EvidenceStore, query: TraceQuery, *, now: int) -> Document:
    """Return a row per event with its chain of person, agent and identity.

    Raises:
        UsageError: A name is unknown or ambiguous, or the span is empty.
    """
    validate_trace_query(query)
    inventory = snapshots.load_inventory(store, now=now)
    return list_lineage_rows(
        store, inventory, load_or_compute_chains(store), query, now=now
    )


def list_lineage_rows(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    query: TraceQuery,
    *,
    now: int,
) -> Document:
    """List events with their lineage, given a loaded inventory and chains."""
    validate_trace_query(query)
    chains = ChainIndex.wrap_chains(chains)
    identity = resolve_audit_log_identity(store, inventory, chains, query.identity)
    query = replace(query, identity=identity)
    wanted = build_event_filter(inventory, chains, query)
    found = find_newest_events(store, wanted, query.limit + 1)
    more = len(found) > query.limit
    rows = list(join_events_with_chains(reversed(found[: query.limit]), chains))
    items = [build_trace_item(row) for row in rows]
    if not items:
        require_known_action(store, query.action)
    return Document(
        "trace",
        items,
        build_trace_coverage(inventory, chains, now, query),
        next=format_command_with_larger_limit(query) if more else "",
        searched=""
        if items
        else describe_searched_events(store, inventory, chains, query),
        total=count_events_matching(store, wanted) if more else -1,
    )


_OBSERVABLE_HOPS = {
    ("cloudtrail", "person"): "where AWS or an identity provider signed a person in",
    ("cloudtrail", "identity"): "for every call that AWS authenticated",
    ("k8s-audit", "person"): "where the name of the user is an address",
    ("k8s-audit", "identity"): "for every authenticated request",
    ("github-audit", "person"): "where SAML links the account to one",
    ("github-audit", "identity"): "for every event with an actor",
    ("gcp-audit", "person"): "where a user calls, or impersonates the caller",
    ("gcp-audit", "identity"): "for every authenticated call",
    ("azure-activity", "person"): "where the token is that of a user",
    ("azure-activity", "identity"): "where the record contains claims or a caller",
    ("entra", "person"): "for every successful sign-in of a user",
    ("entra", "identity"): "for every sign-in and change",
    ("okta", "person"): "for every successful act of a user",
    ("okta", "identity"): "for every event with an actor",
    ("anthropic-audit", "person"): "where a user acts",
    ("anthropic-audit", "identity"): "for every activity",
    ("openai-audit", "person"): "where a user acts, also with a key",
    ("openai-audit", "identity"): "for every entry",
    ("bedrock", "identity"): "for every invocation",
    ("sts", "person"): "where a verified token names one",
    ("sts", "agent"): "for every agent that it gave a token to",
    ("gateway", "person"): "where the caller's verified token names one",
    ("gateway", "agent"): "for every caller that it verified",
    ("gateway", "tool"): "for every call",
    ("web", "person"): "where a sign-in names one",
    ("pdp", "person"): "where the enforcement point passed its caller's token on",
    ("pdp", "agent"): "for every agent that an enforcement point asked about",
    ("pdp", "tool"): "for every call that an enforcement point asked about",
}


_SUPPLYING_SOURCES = {
    "person": "an owner in the inventory (scan, attest), or sign-in records",
    "agent": "agent configurations (scan home: and repo:), or a gateway's records",
    "tool": "one credential per tool in the configurations, or a gateway's records",
    "identity": "a platform's own log",
}


def count_hop_coverage(store: EvidenceStore, *, now: int) -> Document:
    """Count, per source and hop, the events in each hop status.

    Returns:
        Items `{source, hop, events, observed, declared, inferred, missing, can,
        supplied_by}`: `can` is whether the source can observe the hop at all,
        `supplied_by` names sources that would supply missing hops.
    """
    inventory = snapshots.load_inventory(store, now=now)
    return count_hop_statuses_by_source(
        store, inventory, load_or_compute_chains(store), now=now
    )


def count_hop_statuses_by_source(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    *,
    now: int,
) -> Document:
    """Count, per source and hop, the events in each hop status, from loaded chains."""
    flat = [
        ((each.chain_key, c.valid_from, c.valid_to), c)
        for each in chains
        for c in each.chains
    ]
    counts = count_events_by_chain_key(store, [key for key, _ in flat])
    tally: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for n, ((joint, _, _), chain) in enumerate(flat):
        for hop in HOPS:
            status = _get_hop_status(chain, hop).value
            tally[joint.source, hop][status] += counts.get(n, 0)
    items = [
        {
            "source": source,
            "hop": hop,
            "events": sum(counted.values()),
            **{status.value: counted[status.value] for status in HopStatus},
            "can": _OBSERVABLE_HOPS.get((source, hop), "no"),
            "supplied_by": _SUPPLYING_SOURCES[hop]
            if counted[HopStatus.MISSING.value]
            else "",
        }
        for (source, hop), counted in sorted(
            tally.items(), key=lambda item: (item[0][0], HOPS.index(item[0][1]))
        )
    ]
    return Document("trace-score", items, build_trace_coverage(inventory, chains, now))


def _get_hop_status(chain: LineageChain, hop: str) -> HopStatus:
    """Return the status of a chain's hop, by the hop's name."""
    match hop:
        case "person":
            return chain.person.status
        case "agent":
            return chain.agent.status
        case "tool":
            return chain.tool.status
        case _:
            return chain.identity.status

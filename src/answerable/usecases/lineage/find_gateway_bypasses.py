"""Find cloud calls of agents that bypassed the gateway (`trace --unmediated`)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain as all_of
from typing import cast

from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.lineage.gateway_mediation import (
    CLOCK_SKEW,
    MAX_UNENDED,
    UNMEDIATED,
    GatewayCall,
    MediationVerdict,
    count_gateway_calls_without_event,
    get_server_of_called_tool,
    get_server_of_inventory_tool,
)
from answerable.model.documents.mediation import MediationItem
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.documents.trace import UnmediatedEventItem
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.model.log_sources import GATEWAY, ISSUERS
from answerable.model.time_units import SECOND_NS
from answerable.presentation.answer_coverage import format_time
from answerable.services.inventory import snapshots
from answerable.services.lineage import name_resolution
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.mediation_verdicts import (
    EventMoment,
    MediationVerdicts,
    StoredGatewayCalls,
    build_event_filter_of_query,
    load_gateway_calls,
    match_events_to_gateway_calls,
    select_platform_chains,
)
from answerable.services.lineage.query_validation import require_known_action
from answerable.services.lineage.trace_rows import (
    TraceQuery,
    build_trace_coverage,
    build_trace_item,
    format_command_with_larger_limit,
    join_events_with_chains,
    validate_trace_query,
)
from answerable.store.chain_tables import JointInterval
from answerable.store.event_alternative import EventAlternative
from answerable.store.investigation_queries import (
    InvestigationFilter,
    find_newest_events,
)
from answerable.store.store import EvidenceStore

# Credentials of platforms whose logs can be compared with the gateway's records.
_PLATFORM_PREFIXES = ("cred:aws/", "cred:k8s/", "cred:github/")


def find_bypassing_events(
    store: EvidenceStore, query: TraceQuery, *, now: int
) -> Document:
    """Return the events that no gateway call explains, and count the other events.

    Raises:
        UsageError: A name is unknown or ambiguous, or the span is empty.
    """
    validate_trace_query(query)
    inventory = snapshots.load_inventory(store, now=now)
    return find_bypassing_events_in_chains(
        store, inventory, load_or_compute_chains(store), query, now=now
    )


def find_bypassing_events_in_chains(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    query: TraceQuery,
    *,
    now: int,
) -> Document:
    """Find unmediated events, given a loaded inventory and chains."""
    validate_trace_query(query)
    gateways = load_gateway_calls(store, inventory, chains, query.until)
    judged = match_events_to_gateway_calls(
        store, query, select_platform_chains(inventory, chains, query), gateways
    )
    rows = _build_newest_rows(store, query, judged, chains)
    if not rows:
        require_known_action(store, query.action)
    covered = build_trace_coverage(inventory, chains, now, query)
    told = _build_mediation_item(
        judged, gateways, _list_identity_servers(inventory), query
    )
    covered["mediation"] = told
    _add_missing_logs(covered, told, chains)
    more = told["unmediated"] > query.limit
    return Document(
        "trace-unmediated",
        rows,
        covered,
        next=format_command_with_larger_limit(query, "--unmediated") if more else "",
        searched="" if rows else _describe_judged_events(told),
        total=told["unmediated"] if more else -1,
    )


def _build_newest_rows(
    store: EvidenceStore,
    query: TraceQuery,
    verdicts: MediationVerdicts,
    chains: Sequence[ChainTimeline],
) -> list[UnmediatedEventItem]:
    """Build the newest rows; only their events are read in full."""
    newest: list[JointInterval] = []
    room = query.limit
    for joint, at in sorted(verdicts.events, key=lambda found: found[1], reverse=True):
        if room <= 0:
            break
        newest.append((joint, at, at + 1))
        room -= verdicts.events[joint, at]
    wanted = InvestigationFilter(
        build_event_filter_of_query(query), [EventAlternative(newest)]
    )
    events = find_newest_events(store, wanted, query.limit)
    return [
        {
            **build_trace_item(row),
            "why": verdicts.verdict_by_moment[_get_chain_key_and_time(row.event)].value,
        }
        for row in join_events_with_chains(reversed(events), chains)
    ]


def _get_chain_key_and_time(event: AuditEvent) -> EventMoment:
    """Return the key that joins an event with its chain, and the event's time."""
    return name_resolution.get_event_chain_key(event), event.event_time


def _list_identity_servers(inventory: Inventory) -> frozenset[tuple[str, str]]:
    """List the servers that act with a platform identity, each with its agent."""
    return frozenset(
        (agent, get_server_of_inventory_tool(use.tool.id))
        for agent, entity in inventory.agents.items()
        for use in entity.tools
        if use.tool.enabled
        and not use.tool.has_only_indirect_identities
        and (
            use.identities
            or any(k.startswith(_PLATFORM_PREFIXES) for k in use.credentials)
        )
    )


def _build_mediation_item(
    verdicts: MediationVerdicts,
    gateway_records: StoredGatewayCalls,
    identity_servers: frozenset[tuple[str, str]],
    query: TraceQuery,
) -> MediationItem:
    """Build the summary: event counts by verdict, and the gateway's records."""
    counts, records = verdicts.counts, gateway_records.records
    calls = list(_select_calls_in_span(gateway_records.calls, query))
    with_identity = [
        call
        for call in calls
        if any(
            (agent, get_server_of_called_tool(call.tool)) in identity_servers
            for agent in call.agents
        )
    ]
    times = sorted(all_of.from_iterable(records.spans))
    return {
        "events": counts.total(),
        "mediated": counts[MediationVerdict.MEDIATED],
        "by_token": counts[MediationVerdict.ISSUANCE_RECORD],
        "unmediated": sum(counts[each] for each in UNMEDIATED),
        "untold": {
            "agent-missing": counts[MediationVerdict.AGENT_MISSING],
            "agent-not-covered": counts[MediationVerdict.NOT_COVERED],
            "no-gateway-records": counts[MediationVerdict.NO_RECORDS],
            "records-missing": counts[MediationVerdict.RECORDS_MISSING],
            "end-unknown": counts[MediationVerdict.END_UNKNOWN],
        },
        "agents": sorted(records.covered),
        "calls": len(calls),
        "calls_with_identity": len(with_identity),
        "calls_without_event": None
        if _has_filters_besides_time(query)
        else count_gateway_calls_without_event(with_identity, verdicts.acts),
        "first": format_time(times[0]) if times else None,
        "last": format_time(times[-1]) if times else None,
        "gaps": len(records.gaps),
        "clocks_s": CLOCK_SKEW // SECOND_NS,
        "unended_s": MAX_UNENDED // SECOND_NS,
    }


def _select_calls_in_span(
    calls: Sequence[GatewayCall], query: TraceQuery
) -> Iterator[GatewayCall]:
    """Select the calls that were decided in the queried span."""
    for call in calls:
        before = query.until and call.start >= query.until
        if call.start >= query.since and not before:
            yield call


def _has_filters_besides_time(query: TraceQuery) -> bool:
    """Return whether a query has filters other than its time span."""
    return query != TraceQuery(since=query.since, until=query.until, limit=query.limit)


def _add_missing_logs(
    coverage: CoverageRecord, mediation: MediationItem, chains: Sequence[ChainTimeline]
) -> None:
    """Add the logs to `not_collected` without which nothing can be judged."""
    logs = {each.chain_key.source for each in chains}
    missing = set(coverage["not_collected"])
    if not logs - {GATEWAY, *ISSUERS}:
        missing.add("cloudtrail")
    if mediation["first"] is None:
        missing.add("gateway")
    coverage["not_collected"] = sorted(missing)


def _describe_judged_events(mediation: MediationItem) -> str:
    """Describe how many events went through the gateway, and why others are unknown."""
    untold = cast("Mapping[str, int]", mediation["untold"])
    named = [f"{count:,} {reason}" for reason, count in untold.items() if count]
    if not mediation["events"]:
        return "no event of a platform log matches the query"
    said = f"of {mediation['events']:,} events {mediation['mediated']:,} are mediated"
    if mediation["by_token"]:
        said += f", {mediation['by_token']:,} explained by a token record"
    return f"{said}; not known: {', '.join(named)}" if named else said

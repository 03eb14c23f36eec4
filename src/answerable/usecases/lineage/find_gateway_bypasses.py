"""Find cloud calls of agents that bypassed the gateway (`trace --unmediated`)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain as all_of
from typing import cast

from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.lineage.gateway_mediation import (
    CLOCK_SKEW,
    MAX_UNENDED,
    UNMEDIATED,
    GatewayCall,
    GatewayRecords,
    MediationJudge,
    MediationVerdict,
    PlatformEvent,
    count_gateway_calls_without_event,
    get_server_of_called_tool,
    get_server_of_inventory_tool,
    parse_gateway_call,
)
from answerable.model.documents.mediation import MediationItem
from answerable.model.documents.shared_shapes import CoverageRecord, Document
from answerable.model.documents.trace import UnmediatedEventItem
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.model.lineage import HopStatus, LineageChain
from answerable.model.log_sources import GATEWAY, STS
from answerable.model.time_units import SECOND_NS
from answerable.presentation.answer_coverage import format_time
from answerable.services.inventory import snapshots
from answerable.services.lineage import name_resolution
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.query_validation import require_known_action
from answerable.services.lineage.trace_rows import (
    TraceQuery,
    build_trace_coverage,
    build_trace_item,
    format_command_with_larger_limit,
    join_events_with_chains,
    validate_trace_query,
)
from answerable.store import mediated_call_queries as held
from answerable.store.chain_tables import JointInterval
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import (
    EventAlternative,
    InvestigationFilter,
    find_newest_events,
)
from answerable.store.store import EvidenceStore

_DECLARED = "declared"  # kind of agents named in a gateway configuration
_PLATFORM_PREFIX = "cred:aws/"

EventMoment = tuple[SourcedChainKey, int]  # joint and time of an event


@dataclass(frozen=True, slots=True)
class _GatewayRecords:
    """Gateway records in the store.

    Attributes:
        calls: Calls that could have been open.
        records: Agents and times that the records cover.
    """

    calls: Sequence[GatewayCall]
    records: GatewayRecords


@dataclass(slots=True)
class _MediationVerdicts:
    """Verdicts, and the moments of unmediated use with their event counts."""

    counts: Counter[MediationVerdict]
    verdict_by_moment: dict[EventMoment, MediationVerdict]
    events: dict[EventMoment, int]
    acts: list[PlatformEvent]


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
    gateways = _load_gateway_records(store, inventory, chains, query.until)
    judged = _match_events_to_gateway_calls(
        store, query, _select_platform_chains(inventory, chains, query), gateways
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


def _select_platform_chains(
    inventory: Inventory, chains: Sequence[ChainTimeline], query: TraceQuery
) -> list[tuple[JointInterval, LineageChain]]:
    """Select the matching chains, without those of this product's own recorders."""
    tests = name_resolution.build_chain_predicates(inventory, chains, query)
    return [
        ((each.chain_key, chain.valid_from, chain.valid_to), chain)
        for each in chains
        if each.chain_key.believed and each.chain_key.source not in (GATEWAY, STS)
        for chain in each.chains
        if all(test(chain) for test in tests)
    ]


def _load_gateway_records(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    until: int,
) -> _GatewayRecords:
    """Load the gateway's calls, and the agents and times that its records cover."""
    flat = [
        ((each.chain_key, chain.valid_from, chain.valid_to), chain)
        for each in chains
        if each.chain_key.believed and each.chain_key.source == GATEWAY
        for chain in each.chains
    ]
    seen = {agent for _, chain in flat for agent in chain.agent_path}
    seen |= {k for k, e in inventory.agents.items() if e.agent.kind == _DECLARED}
    keys = [key for key, _ in flat]
    found = held.find_mediated_calls(store, keys, until + CLOCK_SKEW if until else 0)
    calls = (
        parse_gateway_call(
            agents=flat[each.key][1].agent_path,
            tool=flat[each.key][1].tool.value,
            action=each.action,
            at=each.at,
            ended=each.ended,
            milliseconds=each.milliseconds,
            task=each.task,
        )
        for each in found
    )
    records = GatewayRecords(
        frozenset(seen), held.read_recorder_spans(store), held.find_recorder_gaps(store)
    )
    return _GatewayRecords([call for call in calls if call is not None], records)


def _match_events_to_gateway_calls(
    store: EvidenceStore,
    query: TraceQuery,
    chain_intervals: Sequence[tuple[JointInterval, LineageChain]],
    gateway_records: _GatewayRecords,
) -> _MediationVerdicts:
    """Judge for each event whether a gateway call explains it, and count verdicts."""
    wanted = _build_event_filter(query)
    known = [(key, chain) for key, chain in chain_intervals if chain.agent_path]
    unknown = [key for key, chain in chain_intervals if not chain.agent_path]
    judged = _MediationVerdicts(Counter(), {}, {}, [])
    judged.counts[MediationVerdict.AGENT_MISSING] = held.count_events_of_chain_keys(
        store, unknown, wanted
    )
    judge = MediationJudge(gateway_records.calls, gateway_records.records)
    for n, at, count in held.count_events_by_chain_and_time(
        store, [key for key, _ in known], wanted
    ):
        (joint, _, _), chain = known[n]
        act = _build_platform_event(chain, at)
        verdict = judge.may_gateway_call_have_caused(act)
        judged.acts.append(act)
        judged.counts[verdict] += count
        if verdict in UNMEDIATED:
            judged.verdict_by_moment[joint, at] = verdict
            judged.events[joint, at] = count
    return judged


def _build_platform_event(chain: LineageChain, at: int) -> PlatformEvent:
    """Build the event to judge; an inferred tool does not narrow the gateway calls."""
    told = chain.tool.status in (HopStatus.OBSERVED, HopStatus.DECLARED)
    return PlatformEvent(chain.agent_path, chain.tool.value if told else "", at)


def _build_event_filter(query: TraceQuery) -> EventFilter:
    """Convert a trace query to the filter of the event table."""
    return EventFilter(
        actions=[query.action] if query.action else [],
        resources=[query.resource] if query.resource else [],
        since=query.since,
        until=query.until,
        outcome=query.outcome,
    )


def _build_newest_rows(
    store: EvidenceStore,
    query: TraceQuery,
    verdicts: _MediationVerdicts,
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
    wanted = InvestigationFilter(_build_event_filter(query), [EventAlternative(newest)])
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
            or any(k.startswith(_PLATFORM_PREFIX) for k in use.credentials)
        )
    )


def _build_mediation_item(
    verdicts: _MediationVerdicts,
    gateway_records: _GatewayRecords,
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
    if not logs - {GATEWAY, STS}:
        missing.add("cloudtrail")
    if mediation["first"] is None:
        missing.add("gateway")
    coverage["not_collected"] = sorted(missing)


def _describe_judged_events(mediation: MediationItem) -> str:
    """Describe how many events went through the gateway, and why others are unknown."""
    untold = cast("Mapping[str, int]", mediation["untold"])
    named = [f"{count:,} {reason}" for reason, count in untold.items() if count]
    if not mediation["events"]:
        return "no event was ingested"
    said = f"of {mediation['events']:,} events {mediation['mediated']:,} are mediated"
    return f"{said}; not known: {', '.join(named)}" if named else said

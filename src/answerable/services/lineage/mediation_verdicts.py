"""Match the events of platforms to the gateway calls that may have caused them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from answerable.lineage.chain_stitching_types import ChainTimeline, SourcedChainKey
from answerable.lineage.gateway_mediation import (
    CLOCK_SKEW,
    UNMEDIATED,
    GatewayCall,
    GatewayRecords,
    MediationJudge,
    MediationVerdict,
    PlatformEvent,
    parse_gateway_call,
)
from answerable.model.inventory import Inventory
from answerable.model.lineage import HopStatus, LineageChain
from answerable.model.log_sources import GATEWAY, HOOK, ISSUERS, PDP, STS, WEB
from answerable.services.lineage import name_resolution
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store import mediated_call_queries as held
from answerable.store.chain_tables import JointInterval
from answerable.store.event_queries import EventFilter
from answerable.store.store import EvidenceStore

_OWN_RECORDERS = frozenset({GATEWAY, *ISSUERS, PDP, HOOK, WEB})
_DECLARED = "declared"  # kind of agents named in a gateway configuration

EventMoment = tuple[SourcedChainKey, int]  # joint and time of an event


@dataclass(frozen=True, slots=True)
class StoredGatewayCalls:
    """Gateway records in the store.

    Attributes:
        calls: Calls that could have been open.
        records: Agents and times that the records cover.
    """

    calls: Sequence[GatewayCall]
    records: GatewayRecords


@dataclass(slots=True)
class MediationVerdicts:
    """Verdicts, and the moments of unmediated use with their event counts."""

    counts: Counter[MediationVerdict]
    verdict_by_moment: dict[EventMoment, MediationVerdict]
    events: dict[EventMoment, int]
    acts: list[PlatformEvent]


def select_platform_chains(
    inventory: Inventory, chains: Sequence[ChainTimeline], query: TraceQuery
) -> list[tuple[JointInterval, LineageChain]]:
    """Select the matching chains, without those of this product's own recorders."""
    tests = name_resolution.build_chain_predicates(inventory, chains, query)
    return [
        ((each.chain_key, chain.valid_from, chain.valid_to), chain)
        for each in chains
        if each.chain_key.believed and each.chain_key.source not in _OWN_RECORDERS
        for chain in each.chains
        if all(test(chain) for test in tests)
    ]


def load_gateway_calls(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    until: int,
) -> StoredGatewayCalls:
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
    return StoredGatewayCalls([call for call in calls if call is not None], records)


def match_events_to_gateway_calls(
    store: EvidenceStore,
    query: TraceQuery,
    chain_intervals: Sequence[tuple[JointInterval, LineageChain]],
    gateway_records: StoredGatewayCalls,
) -> MediationVerdicts:
    """Judge for each event whether a gateway call explains it, and count verdicts."""
    wanted = build_event_filter_of_query(query)
    known = [(key, chain) for key, chain in chain_intervals if chain.agent_path]
    unknown = [key for key, chain in chain_intervals if not chain.agent_path]
    judged = MediationVerdicts(Counter(), {}, {}, [])
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
        judged_by_calls = verdict is MediationVerdict.MEDIATED or verdict in UNMEDIATED
        if not judged_by_calls and _is_explained_by_token(chain):
            verdict = MediationVerdict.ISSUANCE_RECORD
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


def _is_explained_by_token(chain: LineageChain) -> bool:
    """Return whether our token service issued the credential to the agent of a chain."""
    return chain.agent.status is HopStatus.OBSERVED and chain.agent.source.startswith(
        f"{STS} event "
    )


def build_event_filter_of_query(query: TraceQuery) -> EventFilter:
    """Convert a trace query to the filter of the event table."""
    return EventFilter(
        actions=[query.action] if query.action else [],
        resources=[query.resource] if query.resource else [],
        since=query.since,
        until=query.until,
        outcome=query.outcome,
    )

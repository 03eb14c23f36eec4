"""Use that bypassed a gateway (`trace --unmediated`)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain as all_of
from typing import cast

from answerable.lineage.mediation import (
    CLOCKS,
    UNENDED,
    UNMEDIATED,
    Act,
    Call,
    Judge,
    Records,
    Verdict,
    call_of,
    carrier_of,
    server_of,
    without_act,
)
from answerable.lineage.stitch_inputs import Joint, JointChains
from answerable.model.documents.core import Coverage, Document
from answerable.model.documents.mediation import MediationItem
from answerable.model.documents.trace import UnmediatedItem
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.model.lineage import Chain, HopStatus
from answerable.model.spool_record import SOURCE, STS
from answerable.presentation.inventory_lists import spelled_time
from answerable.services.inventory import snapshots
from answerable.services.lineage import name_resolution
from answerable.services.lineage.filter_checks import check_trail_action
from answerable.services.lineage.stitched_chains import stitched
from answerable.services.lineage.trace_rows import (
    Question,
    asking_more,
    check,
    coverage_of,
    item_of,
    joined,
)
from answerable.store import mediation_queries as held
from answerable.store.chain_queries import Filter, Interval, find_events
from answerable.store.store import Store

_SECOND = 1_000_000_000
_DECLARED = "declared"  # kind of agents named in a gateway configuration
_PLATFORM_KEY = "cred:aws/"

Found = tuple[Joint, int]  # joint and time of an event


@dataclass(frozen=True, slots=True)
class _Gateways:
    """Gateway records in the store.

    Attributes:
        calls: Calls that could have been open.
        records: Agents and times that the records cover.
    """

    calls: Sequence[Call]
    records: Records


@dataclass(slots=True)
class _Judged:
    """Verdicts, and the moments of unmediated use with their event counts."""

    counts: Counter[Verdict]
    why: dict[Found, Verdict]
    events: dict[Found, int]
    acts: list[Act]


def unmediated(store: Store, question: Question, *, now: int) -> Document:
    """Return the rows of unmediated use, oldest first, and count the other events.

    Raises:
        UsageError: A name is unknown or ambiguous, or the span is empty.
    """
    check(question)
    inventory = snapshots.load(store, now=now)
    return unmediated_in(store, inventory, stitched(store), question, now=now)


def unmediated_in(
    store: Store,
    inventory: Inventory,
    chains: Sequence[JointChains],
    question: Question,
    *,
    now: int,
) -> Document:
    """Return the rows of unmediated use from a loaded inventory and chains."""
    check(question)
    gateways = _gateways(store, inventory, chains, question.until)
    judged = _judge(store, question, _platform(inventory, chains, question), gateways)
    rows = _rows(store, question, judged, chains)
    if not rows:
        check_trail_action(store, question.action)
    covered = coverage_of(inventory, chains, now, question)
    told = _told(judged, gateways, _carriers(inventory), question)
    covered["mediation"] = told
    _not_collected(covered, told, chains)
    more = told["unmediated"] > question.limit
    return Document(
        "trace-unmediated",
        rows,
        covered,
        next=asking_more(question, "--unmediated") if more else "",
        searched="" if rows else _searched(told),
        total=told["unmediated"] if more else -1,
    )


def _platform(
    inventory: Inventory, chains: Sequence[JointChains], question: Question
) -> list[tuple[Interval, Chain]]:
    """Select the matching chains, without those of this product's own recorders."""
    tests = name_resolution.tests(inventory, chains, question)
    return [
        ((each.joint, chain.valid_from, chain.valid_to), chain)
        for each in chains
        if each.joint.believed and each.joint.source not in (SOURCE, STS)
        for chain in each.chains
        if all(test(chain) for test in tests)
    ]


def _gateways(
    store: Store, inventory: Inventory, chains: Sequence[JointChains], until: int
) -> _Gateways:
    flat = [
        ((each.joint, chain.valid_from, chain.valid_to), chain)
        for each in chains
        if each.joint.believed and each.joint.source == SOURCE
        for chain in each.chains
    ]
    seen = {agent for _, chain in flat for agent in chain.agent_path}
    seen |= {k for k, e in inventory.agents.items() if e.agent.kind == _DECLARED}
    keys = [key for key, _ in flat]
    found = held.recorded(store, keys, until + CLOCKS if until else 0)
    calls = (
        call_of(
            flat[each.key][1].agent_path,
            flat[each.key][1].tool.value,
            each.action,
            each.at,
            each.ended,
            each.milliseconds,
            each.task,
        )
        for each in found
    )
    records = Records(frozenset(seen), held.spans(store), held.gaps(store))
    return _Gateways([call for call in calls if call is not None], records)


def _judge(
    store: Store,
    question: Question,
    flat: Sequence[tuple[Interval, Chain]],
    gateways: _Gateways,
) -> _Judged:
    wanted = _filter(question)
    known = [(key, chain) for key, chain in flat if chain.agent_path]
    unknown = [key for key, chain in flat if not chain.agent_path]
    judged = _Judged(Counter(), {}, {}, [])
    judged.counts[Verdict.AGENT_MISSING] = held.count_fitting(store, unknown, wanted)
    judge = Judge(gateways.calls, gateways.records)
    for n, at, count in held.count_acts(store, [key for key, _ in known], wanted):
        (joint, _, _), chain = known[n]
        act = _act(chain, at)
        verdict = judge.judge(act)
        judged.acts.append(act)
        judged.counts[verdict] += count
        if verdict in UNMEDIATED:
            judged.why[joint, at] = verdict
            judged.events[joint, at] = count
    return judged


def _act(chain: Chain, at: int) -> Act:
    """Build an act; an inferred tool does not narrow the calls."""
    told = chain.tool.status in (HopStatus.OBSERVED, HopStatus.DECLARED)
    return Act(chain.agent_path, chain.tool.value if told else "", at)


def _filter(question: Question) -> Filter:
    return Filter(
        actions=[question.action] if question.action else [],
        resources=[question.resource] if question.resource else [],
        since=question.since,
        until=question.until,
        limit=question.limit,
        outcome=question.outcome,
    )


def _rows(
    store: Store,
    question: Question,
    judged: _Judged,
    chains: Sequence[JointChains],
) -> list[UnmediatedItem]:
    """Build the newest rows; only their events are read in full."""
    newest: list[Interval] = []
    room = question.limit
    for joint, at in sorted(judged.events, key=lambda found: found[1], reverse=True):
        if room <= 0:
            break
        newest.append((joint, at, at + 1))
        room -= judged.events[joint, at]
    events = find_events(store, replace(_filter(question), keys=newest))
    return [
        {**item_of(row), "why": judged.why[_found(row.event)].value}
        for row in joined(events, chains)
    ]


def _found(event: AuditEvent) -> Found:
    return name_resolution.joint_of(event), event.event_time


def _carriers(inventory: Inventory) -> frozenset[tuple[str, str]]:
    """List the servers that act with a platform identity, each with its agent."""
    return frozenset(
        (agent, carrier_of(use.tool.id))
        for agent, entity in inventory.agents.items()
        for use in entity.tools
        if use.tool.enabled
        and not use.tool.is_indirect
        and (
            use.identities or any(k.startswith(_PLATFORM_KEY) for k in use.credentials)
        )
    )


def _told(
    judged: _Judged,
    gateways: _Gateways,
    carriers: frozenset[tuple[str, str]],
    question: Question,
) -> MediationItem:
    counts, records = judged.counts, gateways.records
    calls = list(_asked(gateways.calls, question))
    with_identity = [
        call
        for call in calls
        if any((agent, server_of(call.tool)) in carriers for agent in call.agents)
    ]
    times = sorted(all_of.from_iterable(records.spans))
    return {
        "events": counts.total(),
        "mediated": counts[Verdict.MEDIATED],
        "unmediated": sum(counts[each] for each in UNMEDIATED),
        "untold": {
            "agent-missing": counts[Verdict.AGENT_MISSING],
            "agent-not-covered": counts[Verdict.NOT_COVERED],
            "no-gateway-records": counts[Verdict.NO_RECORDS],
            "records-missing": counts[Verdict.RECORDS_MISSING],
            "end-unknown": counts[Verdict.END_UNKNOWN],
        },
        "agents": sorted(records.covered),
        "calls": len(calls),
        "calls_with_identity": len(with_identity),
        "calls_without_event": None
        if _narrows(question)
        else without_act(with_identity, judged.acts),
        "first": spelled_time(times[0]) if times else None,
        "last": spelled_time(times[-1]) if times else None,
        "gaps": len(records.gaps),
        "clocks_s": CLOCKS // _SECOND,
        "unended_s": UNENDED // _SECOND,
    }


def _asked(calls: Sequence[Call], question: Question) -> Iterator[Call]:
    """Select the calls that were decided in the queried span."""
    for call in calls:
        before = question.until and call.start >= question.until
        if call.start >= question.since and not before:
            yield call


def _narrows(question: Question) -> bool:
    """Return whether a query excludes events by more than their time."""
    return question != Question(
        since=question.since, until=question.until, limit=question.limit
    )


def _not_collected(
    covered: Coverage, told: MediationItem, chains: Sequence[JointChains]
) -> None:
    logs = {each.joint.source for each in chains}
    missing = set(covered["not_collected"])
    if not logs - {SOURCE, STS}:
        missing.add("cloudtrail")
    if told["first"] is None:
        missing.add("gateway")
    covered["not_collected"] = sorted(missing)


def _searched(told: MediationItem) -> str:
    """Describe how many events could be judged, and the reasons for the others."""
    untold = cast("Mapping[str, int]", told["untold"])
    named = [f"{count:,} {reason}" for reason, count in untold.items() if count]
    if not told["events"]:
        return "no event was read in"
    said = f"of {told['events']:,} events {told['mediated']:,} are mediated"
    return f"{said}; not to be told: {', '.join(named)}" if named else said

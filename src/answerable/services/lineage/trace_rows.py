"""Lineage rows of events (`trace`), and coverage of each hop by source (`--score`)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.lineage.chain_index import Chains
from answerable.lineage.stitch import chain_at
from answerable.lineage.stitch_inputs import JointChains
from answerable.model.documents.core import Coverage, Document
from answerable.model.documents.trace import HopItem, HopsItem, TraceItem
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.model.lineage import Chain, Hop, HopStatus, LineageRow
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_lists import coverage, spelled_time
from answerable.services.inventory import snapshots
from answerable.services.lineage import name_resolution
from answerable.services.lineage.filter_checks import check_trail_action
from answerable.services.lineage.resource_filter import entities_of, narrowed, offers
from answerable.services.lineage.stitched_chains import stitched
from answerable.services.lineage.trail_identities import trail_identity
from answerable.store.chain_queries import (
    Filter,
    Interval,
    count_events,
    count_sources,
    find_events,
)
from answerable.store.investigation_queries import Part, Wanted, count
from answerable.store.store import Store

MAX_LIMIT = 1 << 62  # one more is still a 64-bit integer of the engine


@dataclass(frozen=True, slots=True)
class Question:
    """Filter of a trace; empty fields match everything.

    Attributes:
        person: Id, handle or alias of a person.
        agent: Id or unambiguous name, anywhere on the agent path.
        tool: Id of a tool, name of its server, or a pattern.
        identity: ARN or unambiguous name, anywhere on the identity path or as the
            target of an act; deleted identities included.
        credential: Id, anywhere on the credential path.
        action: Pattern of `*` and `?`, any case.
        resource: Pattern of `*` and `?`, for every resource of the event.
        outcome: Outcome in the log: a value of `Outcome`.
        since: UTC nanoseconds, inclusive, 0 for the beginning.
        until: UTC nanoseconds, exclusive, 0 for the end.
        limit: Most rows, the newest ones.
    """

    person: str = ""
    agent: str = ""
    tool: str = ""
    identity: str = ""
    credential: str = ""
    action: str = ""
    resource: str = ""
    outcome: str = ""
    since: int = 0
    until: int = 0
    limit: int = 1000


def trace(store: Store, question: Question, *, now: int) -> Document:
    """Return lineage rows, oldest first.

    Raises:
        UsageError: A name is unknown or ambiguous, or the span is empty.
    """
    check(question)
    inventory = snapshots.load(store, now=now)
    return traced(store, inventory, stitched(store), question, now=now)


def traced(
    store: Store,
    inventory: Inventory,
    chains: Sequence[JointChains],
    question: Question,
    *,
    now: int,
) -> Document:
    """Return lineage rows from a loaded inventory and chains."""
    check(question)
    chains = Chains.of(chains)
    identity = trail_identity(store, inventory, chains, question.identity)
    question = replace(question, identity=identity)
    asked, whole = _filters(inventory, chains, question)
    found = find_events(store, whole)
    more = len(found) > question.limit
    rows = list(joined(found[1:] if more else found, chains))
    items = [item_of(row) for row in rows]
    if not items:
        check_trail_action(store, question.action)
    return Document(
        "trace",
        items,
        coverage_of(inventory, chains, now, question),
        next=asking_more(question) if more else "",
        searched="" if items else searched(store, inventory, chains, question),
        total=count(store, _parts(asked, whole)) if more else -1,
    )


def _filters(
    inventory: Inventory, chains: Sequence[JointChains], question: Question
) -> tuple[Filter, Filter]:
    """Build the filter without and with the actor."""
    identity = question.identity
    if identity:  # a pattern matches acts of identities, not acts on them
        wild = name_resolution.is_pattern(identity)
        identity = "" if wild else name_resolution.identity(inventory, chains, identity)
    others = replace(question, identity="")
    keys = _wanted(inventory, chains, question)
    about = _wanted(inventory, chains, others) if identity else None
    asked = narrowed(
        Filter(
            actions=[question.action] if question.action else [],
            since=question.since,
            until=question.until,
            limit=question.limit + 1,
            outcome=question.outcome,
        ),
        question.resource,
    )
    return asked, replace(asked, keys=keys, about=identity, about_keys=about)


def wanted_of(
    inventory: Inventory, chains: Sequence[JointChains], question: Question
) -> Wanted:
    """Build the event filter of a query, for counting.

    Raises:
        UsageError: A name is unknown or ambiguous.
    """
    return _parts(*_filters(inventory, Chains.of(chains), question))


def _parts(asked: Filter, whole: Filter) -> Wanted:
    """Split a filter into its alternatives: by actor, or by acts on an identity."""
    parts = [Part(whole.keys)]
    if whole.about:
        parts.append(Part(whole.about_keys, about=whole.about))
    return Wanted(asked, parts)


def check(question: Question) -> None:
    """Refuse a query that nothing can match.

    Raises:
        UsageError: The span is empty, or the limit is 0.
    """
    if question.since and question.until and question.since >= question.until:
        raise UsageError(
            "the span is empty: --since is not before --until",
            "the last day but one is --since 2d --until 1d",
        )
    if question.limit < 1:
        raise UsageError(
            f"--limit must be at least 1 (got {question.limit})",
            "--by FIELD counts events without listing them",
        )
    if question.limit > MAX_LIMIT:
        raise UsageError(
            f"--limit must be at most {MAX_LIMIT} (got {question.limit})",
            "a smaller limit gives the newest rows",
        )


def asking_more(question: Question, *flags: str) -> str:
    """Format the command of the same query with a larger limit."""
    words = ["trace", *flags]
    for name in (*name_resolution.FIELDS, "action", "resource", "outcome"):
        if value := getattr(question, name):
            words += [f"--{name}", value]
    for name, at in (("since", question.since), ("until", question.until)):
        if at:
            words += [f"--{name}", spelled_time(at)]
    return command(*words, "--limit", str(question.limit * 10))


def searched(
    store: Store,
    inventory: Inventory,
    chains: Sequence[JointChains],
    question: Question,
) -> str:
    """Describe the searched events, with similar names."""
    held = [f"{events:,} of {source}" for source, events in count_sources(store)]
    if not held:
        return ""
    named = (
        (f, text) for f in name_resolution.FIELDS if (text := getattr(question, f))
    )
    known = entities_of(inventory, Chains.of(chains))
    like = offers(store, known, Wanted(Filter()), [question.resource], named)
    searched = f"events searched: {', '.join(held)}"
    return f"{searched}; {like}" if like else searched


def _wanted(
    inventory: Inventory, chains: Sequence[JointChains], question: Question
) -> list[Interval] | None:
    tests = name_resolution.tests(inventory, chains, question)
    if not tests:
        return None
    return [
        (each.joint, chain.valid_from, chain.valid_to)
        for each in chains
        for chain in each.chains
        if all(test(chain) for test in tests)
    ]


def joined(
    events: Sequence[AuditEvent], chains: Sequence[JointChains]
) -> Iterator[LineageRow]:
    """Join events with their chains."""
    by_joint = Chains.of(chains).by_joint
    for event in events:
        yield LineageRow(
            event, chain_at(by_joint[name_resolution.joint_of(event)], event.event_time)
        )


def item_of(row: LineageRow) -> TraceItem:
    """Build the document item of a row."""
    event, chain = row.event, row.chain
    said = HopStatus.OBSERVED if event.written_by.believed else HopStatus.MISSING
    hops: HopsItem = {
        "person": _hop(chain.person),
        "agent": _hop(chain.agent),
        "tool": _hop(chain.tool),
        "identity": _hop(chain.identity),
        "action": {"value": event.action, "status": said.value, "source": event.source},
        "resource": _resource(event, said),
    }
    return {
        "event_id": event.event_id.hex(),
        "event_time": spelled_time(event.event_time),
        "source": event.source,
        "outcome": event.outcome.value,
        "written_by": event.written_by.value,
        "source_ip": event.source_ip,
        "credential": event.credential,
        "agent_path": list(chain.agent_path),
        "identity_path": list(chain.identity_path),
        "credential_path": list(chain.credential_path),
        "credential_from": _time(chain.credential_from),
        "credential_to": _time(chain.credential_to),
        "decision_id": event.decision_id,
        "facts": dict(event.facts),
        "identity_owner": _hop(chain.identity_owner),
        "hops": hops,
    }


def _hop(hop: Hop) -> HopItem:
    return {"value": hop.value, "status": hop.status.value, "source": hop.source}


def _resource(event: AuditEvent, said: HopStatus) -> HopItem:
    if event.resource:
        return {
            "value": event.resource,
            "status": said.value,
            "source": event.source,
        }
    gap = f"the {event.source} record names no resource"
    return {"value": "", "status": HopStatus.MISSING.value, "source": gap}


def _time(at: int) -> str | None:
    return spelled_time(at) if at else None


HOPS = ("person", "agent", "tool", "identity")
_CAN = {
    ("cloudtrail", "person"): "where AWS or an identity provider signed a person in",
    ("cloudtrail", "identity"): "for every call that AWS authenticated",
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
_CANNOT = {
    "person": "an owner in the inventory (scan, attest), or sign-in records",
    "agent": "agent configurations (scan home: and repo:), or a gateway's records",
    "tool": "one credential per tool in the configurations, or a gateway's records",
    "identity": "a platform's own log",
}


def score(store: Store, *, now: int) -> Document:
    """Count, per source and hop, the events in each hop status.

    Returns:
        Items `{source, hop, events, observed, declared, inferred, missing, can,
        supplied_by}`: `can` is whether the source can observe the hop at all,
        `supplied_by` names sources that would supply missing hops.
    """
    inventory = snapshots.load(store, now=now)
    return scored(store, inventory, stitched(store), now=now)


def scored(
    store: Store, inventory: Inventory, chains: Sequence[JointChains], *, now: int
) -> Document:
    """Count hop statuses from a loaded inventory and chains."""
    flat = [
        ((each.joint, c.valid_from, c.valid_to), c)
        for each in chains
        for c in each.chains
    ]
    counts = count_events(store, [key for key, _ in flat])
    tally: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for n, ((joint, _, _), chain) in enumerate(flat):
        for hop in HOPS:
            status = _status(chain, hop).value
            tally[joint.source, hop][status] += counts.get(n, 0)
    items = [
        {
            "source": source,
            "hop": hop,
            "events": sum(counted.values()),
            **{status.value: counted[status.value] for status in HopStatus},
            "can": _CAN.get((source, hop), "no"),
            "supplied_by": _CANNOT[hop] if counted[HopStatus.MISSING.value] else "",
        }
        for (source, hop), counted in sorted(
            tally.items(), key=lambda item: (item[0][0], HOPS.index(item[0][1]))
        )
    ]
    return Document("trace-score", items, coverage_of(inventory, chains, now))


def coverage_of(
    inventory: Inventory,
    chains: Sequence[JointChains],
    now: int,
    asked: Question = Question(),
) -> Coverage:
    """Build the coverage of an answer: scans, logs and doubtful aliases."""
    logs = Chains.of(chains).sources
    missing = name_resolution.doubted(inventory, chains, asked)
    covered = coverage(inventory, now, missing if logs else ["cloudtrail"])
    covered["seen"] = sorted(logs.union(covered["seen"]))
    return covered


def _status(chain: Chain, hop: str) -> HopStatus:
    match hop:
        case "person":
            return chain.person.status
        case "agent":
            return chain.agent.status
        case "tool":
            return chain.tool.status
        case _:
            return chain.identity.status

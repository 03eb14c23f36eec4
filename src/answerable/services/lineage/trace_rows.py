"""Build the rows of `trace`: each event with its chain from person to identity."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from answerable.lineage.chain_index import ChainIndex, find_chain_valid_at
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.lineage.search_query import SearchQuery
from answerable.model.documents.shared_shapes import CoverageRecord
from answerable.model.documents.trace import HopItem, HopsItem, TraceItem
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.model.lineage import ChainRow, Hop, HopStatus
from answerable.model.log_limits import LOG_LIMITS
from answerable.presentation.answer_coverage import build_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.lineage import name_resolution
from answerable.services.lineage.lineage_search import (
    SearchScope,
    build_search_filter,
)
from answerable.services.lineage.resource_filter import (
    collect_entities,
    suggest_similar_names,
)
from answerable.store.event_queries import EventFilter, count_events_by_source
from answerable.store.investigation_queries import InvestigationFilter
from answerable.store.store import EvidenceStore

# Fields of the search language that `trace` takes only with `--query`.
SEARCH_ONLY_FIELDS = ("source", "run", "status", "words")
_SEARCH_FIELDS = (
    *name_resolution.FIELDS,
    "action",
    "resource",
    "outcome",
    "source",
    "run",
    "status",
)
MAX_LIMIT = 1 << 62  # one more is still a 64-bit integer of the engine


@dataclass(frozen=True, slots=True)
class TraceQuery:
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
        source: Log of the event.
        run: Run of an agent.
        status: Status of a hop, `STATUS` or `HOP=STATUS`.
        words: Texts of which each has to be in some hop.
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
    source: str = ""
    run: str = ""
    status: str = ""
    words: tuple[str, ...] = ()

    def as_search(self) -> SearchQuery:
        """Return the filter in the search language, without its time range."""
        query = SearchQuery(words=self.words)
        for field in _SEARCH_FIELDS:
            query = query.with_field(field, getattr(self, field))
        return query


def build_event_filter(
    inventory: Inventory, chains: Sequence[ChainTimeline], query: TraceQuery
) -> InvestigationFilter:
    """Build the event filter of a query: acts by its actor, or on its identity.

    Raises:
        UsageError: A name is unknown or ambiguous.
    """
    scope = SearchScope(inventory, ChainIndex.wrap_chains(chains))
    return build_search_filter(
        scope, query.as_search(), since=query.since, until=query.until
    )


def drop_names(query: TraceQuery) -> TraceQuery:
    """Return a query that selects at least the same events, by their own fields alone.

    Names, hop statuses and words are left out: they concern the chains.
    """
    dropped = dict.fromkeys((*name_resolution.FIELDS, "status"), "")
    return replace(query, words=(), **dropped)  # type: ignore[arg-type]  # text fields


def validate_trace_query(query: TraceQuery) -> None:
    """Refuse a query that nothing can match.

    Raises:
        UsageError: The span is empty, or the limit is 0.
    """
    if query.since and query.until and query.since >= query.until:
        raise UsageError(
            "the time range is empty (expected --since before --until)",
            "give a time range such as --since 2d --until 1d",
        )
    if query.limit < 1:
        raise UsageError(
            f"--limit must be at least 1 (got {query.limit})",
            "use --by FIELD to count events without listing them",
        )
    if query.limit > MAX_LIMIT:
        raise UsageError(
            f"--limit must be at most {MAX_LIMIT} (got {query.limit})",
            "use a smaller limit to list the newest rows",
        )


def format_command_with_larger_limit(query: TraceQuery, *flags: str) -> str:
    """Format the command of the same query with a larger limit."""
    words = ["trace", *flags]
    for name in (*name_resolution.FIELDS, "action", "resource", "outcome"):
        if value := getattr(query, name):
            words += [f"--{name}", value]
    only = replace(TraceQuery(), **{f: getattr(query, f) for f in SEARCH_ONLY_FIELDS})
    if text := only.as_search().format_as_text:
        words += ["--query", text]
    for name, at in (("since", query.since), ("until", query.until)):
        if at:
            words += [f"--{name}", format_time(at)]
    return format_command(*words, "--limit", str(query.limit * 10))


def describe_searched_events(
    store: EvidenceStore,
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    query: TraceQuery,
) -> str:
    """Describe the events that a query searched, with names similar to its names."""
    held = [
        f"{events:,} of {source}" for source, events in count_events_by_source(store)
    ]
    if not held:
        return ""
    named = ((f, text) for f in name_resolution.FIELDS if (text := getattr(query, f)))
    known = collect_entities(inventory, ChainIndex.wrap_chains(chains))
    like = suggest_similar_names(
        store, known, InvestigationFilter(EventFilter()), [query.resource], named
    )
    searched = f"events searched: {', '.join(held)}"
    unread = describe_unread_logs(inventory).values()
    return "; ".join(
        filter(None, (searched, like, *map("not known: {}".format, unread)))
    )


def describe_unread_logs(inventory: Inventory) -> dict[str, str]:
    """Describe which logs were not read completely, by source of the log."""
    logs = inventory.read_event_gaps().unread if inventory.read_event_gaps else ()
    found = {each.connector: f"{each.source}: {each.describe()}" for each in logs}
    for state in inventory.scheduled:
        if state.problems:
            name = state.source.partition(":")[0]
            found.setdefault(name, f"{state.source}: {state.problems[0]}")
    return found


def join_events_with_chains(
    events: Iterable[AuditEvent], chains: Sequence[ChainTimeline]
) -> Iterator[ChainRow]:
    """Join each audit event with the delegation chain behind it."""
    by_joint = ChainIndex.wrap_chains(chains).chains_by_key
    for event in events:
        yield ChainRow(
            event,
            find_chain_valid_at(
                by_joint[name_resolution.get_event_chain_key(event)], event.event_time
            ),
        )


def build_trace_item(row: ChainRow) -> TraceItem:
    """Build the output item of a row: one event with its chain."""
    event, chain = row.event, row.chain
    hops: HopsItem = {
        "person": build_hop_item(chain.person),
        "agent": build_hop_item(chain.agent),
        "tool": build_hop_item(chain.tool),
        "identity": build_hop_item(chain.identity),
        "action": _build_act_hop(event, "action", event.action),
        "resource": _build_act_hop(event, "resource", event.resource),
    }
    return {
        "event_id": event.event_id.hex(),
        "event_time": format_time(event.event_time),
        "source": event.source,
        "outcome": event.outcome.value,
        "written_by": event.written_by.value,
        "source_ip": event.source_ip,
        "credential": event.credential,
        "agent_path": list(chain.agent_path),
        "identity_path": list(chain.identity_path),
        "credential_path": list(chain.credential_path),
        "credential_from": _format_time(chain.credential_from),
        "credential_to": _format_time(chain.credential_to),
        "run": chain.delegation_id,
        "decision_id": event.decision_id,
        "facts": dict(event.facts),
        "identity_owner": build_hop_item(chain.identity_owner),
        "hops": hops,
    }


def build_hop_item(hop: Hop) -> HopItem:
    """Build the output of one hop (person, agent, tool...) of a chain."""
    return {"value": hop.value, "status": hop.status.value, "source": hop.source}


def _build_act_hop(event: AuditEvent, name: str, value: str) -> HopItem:
    """Build the hop of an event's action or resource.

    It is missing if the record names none, and if the record is self-reported; the
    value is then shown, but not believed.
    """
    status, source = HopStatus.OBSERVED, event.source
    if not event.written_by.is_trusted_author:
        status = HopStatus.MISSING
        source = (
            f"the {event.source} record is self-reported; a record of a platform or "
            f"gateway would supply the {name}"
        )
    if not value:
        status = HopStatus.MISSING
        source = f"the {event.source} record names no {name}"
    return {"value": value, "status": status.value, "source": source}


def _format_time(at: int) -> str | None:
    """Format a time as RFC 3339; None for 0 (not known)."""
    return format_time(at) if at else None


HOPS = ("person", "agent", "tool", "identity")
_ALL_ROWS = TraceQuery()


def build_trace_coverage(
    inventory: Inventory,
    chains: Sequence[ChainTimeline],
    now: int,
    query: TraceQuery = _ALL_ROWS,
) -> CoverageRecord:
    """Build the coverage of an answer: scans, logs and unconfirmed aliases."""
    logs = ChainIndex.wrap_chains(chains).sources
    missing = name_resolution.list_unconfirmed_aliases(inventory, chains, query)
    covered = build_coverage(inventory, now, missing if logs else ["cloudtrail"])
    covered["seen"] = sorted(logs.union(covered["seen"]))
    limits = {log: LOG_LIMITS[log] for log in sorted(logs) if log in LOG_LIMITS}
    if limits:
        covered["log_limits"] = limits
    return covered

"""Build the rows of `show` from events: activity of a subject, one event, a decision."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from answerable.inventory.person_directory import PersonDirectory
from answerable.lineage.chain_index import ChainIndex
from answerable.lineage.chain_stitching_types import ChainTimeline
from answerable.model.documents.trace import HopItem
from answerable.model.event import AuditEvent
from answerable.model.ids import PersonId
from answerable.model.lineage import ChainRow, HopStatus, LineageChain
from answerable.model.log_sources import GATEWAY
from answerable.model.provenance import WrittenBy
from answerable.presentation.answer_coverage import select_uncollected_data
from answerable.presentation.chain_groups import get_hops_by_name, get_parent_resource
from answerable.presentation.coverage_text import describe_collecting_commands
from answerable.presentation.entity_rows import (
    FACT,
    SUBJECT,
    EntityRows,
    LinkEvidence,
    get_id_kind,
)
from answerable.presentation.inventory_items import format_time
from answerable.services.authorization.decision_records import decision_facts
from answerable.services.lineage.lineage_search import (
    SearchScope,
    hide_invisible_chains,
    is_chain_visible,
    join_events_with_chains,
)
from answerable.services.lineage.name_predicates import build_pattern_predicate, is_glob
from answerable.services.lineage.resource_filter import restrict_to_resource
from answerable.services.lineage.trace_rows import build_trace_item
from answerable.store.chain_tables import JointInterval
from answerable.store.event_alternative import EventAlternative
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import (
    InvestigationFilter,
    count_events_matching,
    find_events_by_id,
    find_newest_events,
)
from answerable.store.store import EvidenceStore

# Newest events whose resources and decisions are listed, and those listed themselves.
_MAX_READ, _MAX_EVENTS = 50, 5
_ACTED_ON = ("identity", "resource")
_MANY = 3  # resources of one place that are shown as one row
SELF_REPORTED_PREFIX = "self:"
_BUCKET_PREFIX = "arn:aws:s3:::"
_HIDDEN = "activity of agents that are not yours is hidden"
_HOME = ("ambient-credentials",)
_NO_LOG = "no log was ingested (answerable ingest cloudtrail:PATH)"
_NO_GATEWAY = "no gateway has recorded calls in this store"
_NO_DECISION = "no decision point recorded this call"


def find_visible_event(
    store: EvidenceStore, scope: SearchScope, event_id: bytes
) -> list[ChainRow]:
    """Find the visible records of an event id, each with its chain."""
    found = find_events_by_id(store, event_id)
    return select_visible_events(found, scope)


def has_visible_event_on_resource(
    store: EvidenceStore, scope: SearchScope, resource: str
) -> bool:
    """Return whether an audit event that the reader may see names a resource."""
    wanted = _build_resource_filter(resource, _list_visible_key_intervals(scope))
    return bool(scope.chains and find_newest_events(store, wanted, 1))


def select_visible_events(
    events: Sequence[AuditEvent], scope: SearchScope
) -> list[ChainRow]:
    """Join events with their chains, and keep those that the reader may see."""
    rows = join_events_with_chains(events, scope)
    return [row for row in rows if is_chain_visible(row.chain, scope.visible_agents)]


def add_activity_rows(
    rows: EntityRows, store: EvidenceStore, scope: SearchScope, kind: str
) -> None:
    """Add the things that logs show together with a subject, and its newest events."""
    found = _find_visible_activity(rows, store, scope, kind)
    for chain in found.chains:
        _add_chain_links(rows, chain)
    if kind == "credential":
        _add_lifetime(rows, found.chains)
    events = [row.event for row in found.newest]
    relation = "named with" if kind == "resource" else "acted on"
    _add_resource_links(rows, events, relation)
    for number, event in enumerate(events):
        _add_decision_link(rows, event)
        if number < _MAX_EVENTS:
            _add_event_link(rows, event)
    if found.total > _MAX_EVENTS:
        told = f"resources and decisions are those of the newest {_MAX_READ}"
        evidence = LinkEvidence(HopStatus.OBSERVED.value, "the logs")
        detail = told if found.total > _MAX_READ else ""
        rows.add(FACT, "events", f"{found.total:,}", evidence, detail)
    hidden = "" if scope.visible_agents is None else _HIDDEN
    sources = ChainIndex.wrap_chains(scope.chains).sources
    # A person acts by the agents and credentials of a home.
    lacking = select_uncollected_data(_HOME if kind == "person" else (), rows.inventory)
    homes = describe_collecting_commands(lacking)
    rows.close("resource", relation, hidden or ("" if sources else _NO_LOG) or homes)
    rows.close("event", "newest", hidden or ("" if sources else _NO_LOG) or homes)
    known = "" if GATEWAY in sources else _NO_GATEWAY
    rows.close("decision", "decided by", hidden or known)


@dataclass(frozen=True, slots=True)
class _Activity:
    """Visible activity of a subject: its chains, newest events, number of events."""

    chains: Sequence[LineageChain]
    newest: Sequence[ChainRow]
    total: int


def _find_visible_activity(
    rows: EntityRows, store: EvidenceStore, scope: SearchScope, kind: str
) -> _Activity:
    """Find the visible activity of a subject; of a resource, the events on it."""
    is_actor = _build_participant_predicate(rows, kind)
    acting = [each for each in _iterate_visible_chains(scope) if is_actor(each[1])]
    if not acting and (not scope.chains or kind not in _ACTED_ON):
        return _Activity((), (), 0)  # without a query: the engine takes long to load
    if kind == "resource":
        wanted = _build_resource_filter(
            rows.subject, _list_visible_key_intervals(scope)
        )
    else:
        alternatives = [EventAlternative(_list_key_intervals(acting))]
        if kind == "identity":  # others act on it
            keys = _list_visible_key_intervals(scope)
            alternatives.append(EventAlternative(keys, about=rows.subject))
        wanted = InvestigationFilter(EventFilter(), alternatives)
    events = find_newest_events(store, wanted, _MAX_READ)
    total = len(events)
    if total == _MAX_READ:
        total = count_events_matching(store, wanted)
    newest = list(join_events_with_chains(events, scope))
    chains = [chain for _, chain in acting]
    if kind == "resource":
        chains = [row.chain for row in newest]
    return _Activity(chains, newest, total)


def _iterate_visible_chains(
    scope: SearchScope,
) -> Iterator[tuple[ChainTimeline, LineageChain]]:
    """Yield the delegation chains that the reader may see."""
    for each in hide_invisible_chains(scope).chains:
        for chain in each.chains:
            yield each, chain


def _list_key_intervals(
    chains: Iterable[tuple[ChainTimeline, LineageChain]],
) -> list[JointInterval]:
    """List, for delegation chains, the event key and time span each holds for."""
    return [(each.chain_key, c.valid_from, c.valid_to) for each, c in chains]


def _list_visible_key_intervals(scope: SearchScope) -> list[JointInterval] | None:
    """List the keys of the visible chains; None if all events are visible."""
    everything = scope.visible_agents is None
    return None if everything else _list_key_intervals(_iterate_visible_chains(scope))


def _build_resource_filter(
    resource: str, keys: list[JointInterval] | None
) -> InvestigationFilter:
    """Build the filter of the events on a resource; of a bucket, on its objects too."""
    name = resource.removeprefix(_BUCKET_PREFIX)
    is_bucket = name != resource and "/" not in name
    text = f"s3://{name}" if is_bucket else resource
    asked = restrict_to_resource(EventFilter(), text)
    return InvestigationFilter(asked, [EventAlternative(keys)])


def _build_participant_predicate(
    rows: EntityRows, kind: str
) -> Callable[[LineageChain], bool]:
    """Build a predicate that selects the chains in which a subject takes part."""
    subject = rows.subject
    match kind:
        case "person":
            # Only believed aliases join persons.
            people = PersonDirectory(rows.inventory.facts.persons)
            own = {people(PersonId(each)) for each in (subject, *rows.merged_ids)}
            return lambda chain: people(PersonId(chain.person.value)) in own
        case "agent":
            return lambda chain: subject in chain.agent_path
        case "tool" if is_glob(subject):
            matches = build_pattern_predicate(subject)
            return lambda chain: matches(chain.tool.value)
        case "tool":
            return lambda chain: chain.tool.value == subject
        case "identity":
            return lambda chain: subject in chain.identity_path
        case "credential":
            return lambda chain: (
                subject in (*chain.credential_path, chain.key.credential)
            )
        case _:
            return lambda chain: False


def _add_chain_links(rows: EntityRows, chain: LineageChain) -> None:
    """Add the things of a chain that nothing else links to the subject."""
    for kind, hop, path in (
        ("person", chain.person, ()),
        ("agent", chain.agent, chain.agent_path),
        ("tool", chain.tool, ()),
        ("identity", chain.identity, chain.identity_path),
    ):
        evidence = LinkEvidence(hop.status.value, hop.source)
        for value in path or (hop.value,):
            if value and value != rows.subject and not rows.has_link_to(value):
                rows.add(kind, "seen with", value, evidence)
    # A session has a key of its own every hour: the first credential stands for it.
    for value in (*chain.credential_path, chain.key.credential)[:1]:
        if value and value != rows.subject and not rows.has_link_to(value):
            evidence = LinkEvidence(HopStatus.OBSERVED.value, "the log")
            rows.add("credential", "seen with", value, evidence)


def _add_lifetime(rows: EntityRows, chains: Iterable[LineageChain]) -> None:
    """Add the lifetime of a credential, if the record of its issuance is known."""
    for chain in chains:
        lifetime = _describe_lifetime(chain)
        if chain.acting_credential == rows.subject and lifetime:
            evidence = LinkEvidence(HopStatus.OBSERVED.value, "its issuance")
            rows.add(FACT, "lifetime", lifetime, evidence)
            return


def _describe_lifetime(chain: LineageChain) -> str:
    """Describe the lifetime of the acting credential; empty if it is not known."""
    if not chain.credential_from:
        return ""
    end = format_time(chain.credential_to) if chain.credential_to else "revocation"
    return f"valid {format_time(chain.credential_from)} to {end}"


def _get_event_evidence(event: AuditEvent) -> LinkEvidence:
    """Return the evidence of a record: its log, and who writes that."""
    believed = event.written_by.is_trusted_author
    status = HopStatus.OBSERVED if believed else HopStatus.DECLARED
    return LinkEvidence(status.value, event.source, event.written_by.value)


def _add_event_link(
    rows: EntityRows, event: AuditEvent, relation: str = "newest"
) -> None:
    """Add a row that links an entity to an audit event."""
    detail = f"{format_time(event.event_time)} {event.action} {event.outcome.value}"
    evidence = _get_event_evidence(event)
    rows.add("event", relation, event.event_id.hex(), evidence, detail)


def _add_resource_links(
    rows: EntityRows, events: Sequence[AuditEvent], relation: str
) -> None:
    """Add the resources that events name; of many in one place, the place alone."""
    named: dict[str, AuditEvent] = {}
    for event in events:
        for resource in filter(None, (event.resource, *event.resources)):
            if resource != rows.subject and not rows.has_link_to(resource):
                named.setdefault(resource, event)
    places = Counter(map(get_parent_resource, named))
    for resource, event in named.items():
        place = get_parent_resource(resource)
        many = place != "" and places[place] >= _MANY
        prefixed = get_id_kind(resource)
        rows.add(
            "resource" if prefixed == "identity" else prefixed,
            relation,
            f"{place}*" if many else resource,
            _get_event_evidence(event),
            f"{event.action}, {places[place]} resources" if many else event.action,
        )


def _add_decision_link(rows: EntityRows, event: AuditEvent) -> None:
    """Add the decision that a mediator recorded for an event."""
    if event.decision_id:
        evidence, facts = _get_event_evidence(event), decision_facts(event)
        detail = f"{format_time(event.event_time)} {facts.get('effect', '')}"
        rows.add("decision", "decided by", event.decision_id, evidence, detail.strip())


def add_event_facts_and_chain(
    rows: EntityRows, records: Sequence[ChainRow], kind: str
) -> None:
    """Add the facts and the lineage chain of an event or a decision."""
    event, item = records[0].event, build_trace_item(records[0])
    evidence = _get_event_evidence(event)
    rows.add(kind, SUBJECT, rows.subject, evidence)
    if len(records) > 1:
        rows.add(FACT, "records", str(len(records)), evidence, "with different bytes")
    _add_recorded_facts(rows, event, evidence)
    hops = get_hops_by_name(item)
    for name, path in (
        ("person", ()),
        ("agent", item["agent_path"]),
        ("tool", ()),
        ("identity", item["identity_path"]),
        ("resource", ()),
    ):
        _add_hop_link(rows, name, hops[name], path)
    _add_hop_link(rows, "person", item["identity_owner"], (), "owner of the identity")
    for credential in dict.fromkeys((*item["credential_path"], item["credential"])):
        if credential:
            is_acting = credential == records[0].chain.acting_credential
            detail = _describe_lifetime(records[0].chain) if is_acting else ""
            rows.add("credential", "with", credential, evidence, detail)
    _add_other_records(rows, records[1:])
    rows.close("credential", "with", f"the {event.source} record names none")
    _add_resource_links(rows, [event], "also on")
    if kind == "decision":
        _add_event_link(rows, event, "recorded as")
    else:
        _add_decision_link(rows, event)
        rows.close("decision", "decided by", _NO_DECISION)


def _add_recorded_facts(
    rows: EntityRows, event: AuditEvent, evidence: LinkEvidence, detail: str = ""
) -> None:
    """Add the fields and facts of a record."""
    fields = {
        "time": format_time(event.event_time),
        "action": event.action,
        "outcome": event.outcome.value,
        "from address": event.source_ip,
        "run": event.run,
        "session": event.session,
    }
    for name, value in fields.items():
        if value:
            rows.add(FACT, name, value, evidence, detail)
    _add_logged_facts(rows, event, evidence, detail)


def _add_other_records(rows: EntityRows, records: Sequence[ChainRow]) -> None:
    """Add what other records of the same event contain, where they differ."""
    for number, row in enumerate(records, 2):
        event, detail = row.event, f"record {number}"
        evidence = _get_event_evidence(event)
        _add_recorded_facts(rows, event, evidence, detail)
        identity, credential = row.chain.identity.value, event.credential
        for kind, relation, value in (
            ("identity", "by", identity),
            ("credential", "with", credential),
            ("resource", "on", event.resource),
        ):
            if value:
                rows.add(kind, relation, value, evidence, detail)


def _add_hop_link(
    rows: EntityRows,
    kind: str,
    hop: HopItem,
    path: Sequence[str],
    relation: str = "by",
) -> None:
    """Add a hop of an event, after the things that it acts for."""
    evidence = LinkEvidence(hop["status"], hop["source"])
    relation = "on" if kind == "resource" else relation
    for value in path[:-1]:
        rows.add(kind, "on behalf of", value, evidence)
    rows.add(kind, relation, hop["value"] or None, evidence)


def _add_logged_facts(
    rows: EntityRows, event: AuditEvent, evidence: LinkEvidence, detail: str
) -> None:
    """Add further facts of a record; the words of the caller are self-reported."""
    said = LinkEvidence(
        HopStatus.DECLARED.value, event.source, WrittenBy.SELF_REPORTED.value
    )
    for name, value in event.facts:
        own = name.removeprefix(SELF_REPORTED_PREFIX)
        if value and name != "behaviour":
            rows.add(FACT, own, value, evidence if own == name else said, detail)

"""Collect the events of an investigation case with their chains and joining events."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from answerable.evidence.case_records import CaseRecordKind
from answerable.evidence.log_entries import read_segment_states
from answerable.lineage.chain_index import ChainIndex
from answerable.model.documents.shared_shapes import CoverageRecord, CoverageSourceItem
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.inventory import Inventory
from answerable.services.authorization.decision_records import (
    SpooledDecisions,
    find_decision,
)
from answerable.services.evidence.cases import InvestigationCase
from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.lineage_search import (
    SearchScope,
    join_events_with_chains,
)
from answerable.services.lineage.trace_rows import build_trace_item
from answerable.store.event_absence import (
    AbsenceCause,
    EventAbsence,
    explain_absence,
)
from answerable.store.investigation_queries import find_events_by_id
from answerable.store.lineage_facts import load_lineage_facts
from answerable.store.store import EvidenceStore

_NAMED_EVENT = re.compile(r"event ([0-9a-f]{8,32})")


_SOURCE = "cases"


@dataclass(frozen=True, slots=True)
class AbsentItem:
    """An item of a case that cannot be shown.

    Attributes:
        value: Id of the event or decision.
        cause: The cause.
        description: The cause in words.
    """

    value: str
    cause: AbsenceCause
    description: str

    def __str__(self) -> str:
        return f"{self.value}: {self.description}"

    @property
    def is_unread(self) -> bool:
        """Return whether the item may exist: it was neither removed nor erased."""
        return self.cause in (AbsenceCause.UNREADABLE, AbsenceCause.NOT_KNOWN)


@dataclass(frozen=True, slots=True)
class CaseRows:
    """Events of a case, joined with their chains.

    Attributes:
        inventory: Newest snapshot.
        chains: Chains of all events.
        rows: Rows of the events, oldest first.
        joining: Ids of further events that join the chains: issuances, presentations
            and sign-ins, in order of their ids.
        absent: Events and decisions of the case that cannot be shown.
    """

    inventory: Inventory
    chains: ChainIndex
    rows: Sequence[TraceItem]
    joining: Sequence[str]
    absent: Sequence[AbsentItem] = ()


def collect_case_rows(
    store: EvidenceStore,
    case: InvestigationCase,
    *,
    now: int,
    loaded: SearchScope | None = None,
) -> CaseRows:
    """Collect the rows of a case's events and decisions.

    Args:
        store: Store of the case.
        case: The case.
        now: UTC nanoseconds.
        loaded: Inventory and chains, if they are loaded already.
    """
    if loaded is None:
        inventory = snapshots.load_inventory(store, now=now)
        loaded = SearchScope(inventory, load_or_compute_chains(store))
    inventory, chains = loaded.inventory, ChainIndex.wrap_chains(loaded.chains)
    events: dict[bytes, AuditEvent] = {}
    lost: list[bytes] = []
    for value in case.list_values(CaseRecordKind.EVENT):
        number = bytes.fromhex(value)
        found = find_events_by_id(store, number)
        events |= {each.raw_sha256: each for each in found}
        lost += [] if found else [number]
    absent = _explain_lost_events(store, lost)
    for value in case.list_values(CaseRecordKind.DECISION):
        try:
            decisions = find_decision(store, SpooledDecisions(), value)
        except UsageError:
            absent.append(_explain_lost_decision(store, value))
            continue
        events |= {each.event.raw_sha256: each.event for each in decisions}
    ordered = sorted(events.values(), key=lambda e: (e.event_time, e.event_id))
    scope = SearchScope(inventory, chains)
    rows = [build_trace_item(row) for row in join_events_with_chains(ordered, scope)]
    joining = _list_joining_events(store, rows)
    return CaseRows(inventory, chains, rows, joining, absent)


def add_unread_items(coverage: CoverageRecord, absent: Iterable[AbsentItem]) -> None:
    """Make an answer partial if items of the case may exist and cannot be shown."""
    problems = [str(each) for each in absent if each.is_unread]
    if problems:
        coverage["partial"] = True
        source: CoverageSourceItem = {
            "source": _SOURCE,
            "at": "",
            "age_s": 0,
            "problems": problems,
        }
        coverage["sources"] = [*coverage["sources"], source]


def describe_absence(absence: EventAbsence) -> AbsentItem:
    """Describe the absence of an event as an item of a case."""
    return AbsentItem(absence.event_id.hex(), absence.cause, absence.description)


def _explain_lost_events(
    store: EvidenceStore, lost: Sequence[bytes]
) -> list[AbsentItem]:
    """Explain why events of the case are not in the store."""
    if not lost:
        return []
    unreadable = store.find_unreadable_segments()
    states = list(read_segment_states(store.log.entries()))
    return [
        describe_absence(explain_absence(each, states, unreadable)) for each in lost
    ]


def _explain_lost_decision(store: EvidenceStore, value: str) -> AbsentItem:
    """Explain why a decision is not in the store; its id does not tell its time."""
    if store.find_unreadable_segments():
        text = "unreadable: it may be in a segment that is missing or damaged"
        return AbsentItem(value, AbsenceCause.UNREADABLE, text)
    text = "not in the store; it may have been removed"
    return AbsentItem(value, AbsenceCause.NOT_KNOWN, text)


def _list_joining_events(store: EvidenceStore, rows: Iterable[TraceItem]) -> list[str]:
    """List the events that issued, presented or signed in for the credentials."""
    facts = load_lineage_facts(store)
    keys: set[str] = set()
    named: set[str] = set()
    own: set[str] = set()
    for row in rows:
        keys |= {row["credential"], *row["credential_path"]}
        own.add(row["event_id"])
        for name in ("person", "agent", "tool", "identity"):
            named |= set(_NAMED_EVENT.findall(row["hops"][name]["source"]))
    keys.discard("")
    joints = [
        *((each.event, each.credential) for each in facts.issuances),
        *((each.event, each.credential) for each in facts.presentations),
        *((each.event, each.credential) for each in facts.sign_ins),
    ]
    found = {
        event
        for event, credential in joints
        if credential in keys or any(event.startswith(n) for n in named)
    }
    return sorted(found - own)

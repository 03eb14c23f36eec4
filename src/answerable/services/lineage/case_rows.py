"""Collect the events of an investigation case with their chains and joining events."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from answerable.evidence.case_records import CaseRecordKind
from answerable.lineage.chain_index import ChainIndex
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
from answerable.store.investigation_queries import find_events_by_id
from answerable.store.lineage_facts import load_lineage_facts
from answerable.store.store import EvidenceStore

_NAMED_EVENT = re.compile(r"event ([0-9a-f]{8,32})")


@dataclass(frozen=True, slots=True)
class CaseRows:
    """Events of a case, joined with their chains.

    Attributes:
        inventory: Newest snapshot.
        chains: Chains of all events.
        rows: Rows of the events, oldest first.
        joining: Ids of further events that join the chains: issuances, presentations
            and sign-ins, in order of their ids.
    """

    inventory: Inventory
    chains: ChainIndex
    rows: Sequence[TraceItem]
    joining: Sequence[str]


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

    Raises:
        UsageError: The store has no event with that id.
    """
    if loaded is None:
        inventory = snapshots.load_inventory(store, now=now)
        loaded = SearchScope(inventory, load_or_compute_chains(store))
    inventory, chains = loaded.inventory, ChainIndex.wrap_chains(loaded.chains)
    events: dict[bytes, AuditEvent] = {}
    for value in case.list_values(CaseRecordKind.EVENT):
        found = find_events_by_id(store, bytes.fromhex(value))
        if not found:
            raise UsageError(
                f"the store has no event {value}", "it was erased, or never stored here"
            )
        events |= {each.raw_sha256: each for each in found}
    for value in case.list_values(CaseRecordKind.DECISION):
        for each in find_decision(store, SpooledDecisions(), value):
            events[each.event.raw_sha256] = each.event
    ordered = sorted(events.values(), key=lambda e: (e.event_time, e.event_id))
    scope = SearchScope(inventory, chains)
    rows = [build_trace_item(row) for row in join_events_with_chains(ordered, scope)]
    return CaseRows(inventory, chains, rows, _list_joining_events(store, rows))


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

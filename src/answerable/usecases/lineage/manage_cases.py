"""Open, extend, list, show and close investigation cases (command `case`)."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from answerable.evidence.case_records import CaseRecord, CaseRecordKind
from answerable.model.documents.cases import CaseItem, CaseRecordItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import UsageError
from answerable.posture.facts import ArgumentLimit
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.presentation.id_labels import shorten_identity
from answerable.services.authorization.decision_records import (
    SpooledDecisions,
    find_decision,
)
from answerable.services.evidence.cases import (
    InvestigationCase,
    append_case_records,
    find_case,
    open_case,
    read_cases,
    require_case_text,
)
from answerable.services.inventory import snapshots
from answerable.services.lineage.case_rows import add_unread_items, collect_case_rows
from answerable.services.lineage.lineage_search import SearchScope
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.services.lineage.trace_rows import build_trace_coverage
from answerable.services.posture.finding_documents import compute_findings
from answerable.store.investigation_queries import find_events_by_id
from answerable.store.store import EvidenceStore

_FINDING = "finding:"  # prefix of the ids of findings
_MAX_PERSON = 200  # characters
_Item = tuple[CaseRecordKind, str, str]
ReadLimits = Callable[[], Sequence[ArgumentLimit] | None]


def create_case(store: EvidenceStore, title: str, by: str, *, now: int) -> Document:
    """Open a case and list it.

    Raises:
        UsageError: The title is empty or too long, or contains a credential.
    """
    case = open_case(store, title, by, now)
    following = format_command("case", "add", case.id, "EVENT_ID")
    return Document(
        "cases", [_build_case_item(case)], build_empty_coverage(), next=following
    )


def add_to_case(
    store: EvidenceStore,
    name: str,
    ids: Sequence[str],
    by: str,
    *,
    now: int,
    read_limits: ReadLimits = lambda: None,
) -> Document:
    """Add events, decisions or findings to a case, and list the case.

    Nothing is added if one of the ids is unknown. An item of the case is not added
    again.

    Args:
        now: UTC nanoseconds.
        read_limits: Reads the limits by policies of the gateway, on which a finding
            may rest.

    Raises:
        UsageError: The case is unknown or closed, or an id is unknown.
    """
    case = find_case(store, name)
    known = {each.record.value for each in case.records}
    items = [_resolve_item(store, text.strip(), now, read_limits) for text in ids]
    fresh = {item[1]: item for item in items if item[1] not in known}
    append_case_records(store, case, list(fresh.values()), by, now)
    return Document("cases", [_build_case_item(case)], build_empty_coverage())


def note_on_case(
    store: EvidenceStore, name: str, text: str, by: str, *, now: int
) -> Document:
    """Add the note of a person to a case, and list the case.

    Raises:
        UsageError: The case is unknown or closed, or the note contains a credential.
    """
    case = find_case(store, name)
    item = CaseRecordKind.NOTE, "", require_case_text(text, "note")
    append_case_records(store, case, [item], by, now)
    return Document("cases", [_build_case_item(case)], build_empty_coverage())


def assign_case(
    store: EvidenceStore, name: str, person: str, by: str, *, now: int
) -> Document:
    """Assign a case to a person, and list the case.

    Raises:
        UsageError: The case is unknown or closed, or the person is no person.
    """
    case = find_case(store, name)
    bare = require_case_text(person, "assignee").removeprefix("person:")
    if not bare or len(bare) > _MAX_PERSON or not bare.isprintable() or " " in bare:
        raise UsageError(
            f"invalid person (got {person[:80]!r}, expected person:NAME or an address)"
        )
    item = CaseRecordKind.ASSIGNED, f"person:{bare}", ""
    append_case_records(store, case, [item], by, now)
    return Document("cases", [_build_case_item(case)], build_empty_coverage())


def close_case(
    store: EvidenceStore, name: str, reason: str, by: str, *, now: int
) -> Document:
    """Close a case, and list it; its records stay.

    Raises:
        UsageError: The case is unknown or closed already.
    """
    case = find_case(store, name)
    item = CaseRecordKind.CLOSED, "", require_case_text(reason, "reason")
    append_case_records(store, case, [item], by, now)
    return Document("cases", [_build_case_item(case)], build_empty_coverage())


def list_stored_cases(store: EvidenceStore) -> Document:
    """List the cases of a store, newest first; a damaged record makes it partial."""
    stored = read_cases(store)
    items = [_build_case_item(case) for case in reversed(stored.cases)]
    following = "" if items else format_command("case", "new", "TITLE")
    coverage = build_empty_coverage()
    if stored.damaged:
        problems = [f"{each}: a record of a case is lost" for each in stored.damaged]
        coverage["partial"], following = True, ""
        coverage["sources"] = [
            {"source": "cases", "at": "", "age_s": 0, "problems": problems}
        ]
    return Document("cases", items, coverage, next=following)


def show_case(
    store: EvidenceStore,
    name: str,
    *,
    now: int,
    loaded: SearchScope | None = None,
) -> Document:
    """Show the records of a case, its events with their chains.

    Args:
        store: Store of the case.
        name: Id, prefix of an id, or title of the case.
        now: UTC nanoseconds.
        loaded: Inventory and chains, if they are loaded already.

    Raises:
        UsageError: The case is unknown.
    """
    case = find_case(store, name)
    found = collect_case_rows(store, case, now=now, loaded=loaded)
    absent = {each.value: each for each in found.absent}
    items: list[CaseRecordItem] = []
    for each in case.records:
        lost = absent.get(each.record.value)
        rows = _select_rows(each.record, found.rows)
        items.append(
            {
                "case": case.id,
                "at": format_time(int(each.record.at)),
                "by": each.record.by,
                "kind": each.record.kind.value,
                "value": each.record.value,
                "text": each.record.text
                or (lost.description if lost else "; ".join(map(_summarise_row, rows))),
                "absent": lost.cause.value if lost else "",
                "log_index": each.index,
                "rows": rows,
            }
        )
    coverage = build_trace_coverage(found.inventory, found.chains, now)
    add_unread_items(coverage, found.absent)
    return Document(
        "case",
        items,
        coverage,
        next=format_command("case", "bundle", case.id, "--out", "case.bundle"),
    )


def _resolve_item(
    store: EvidenceStore, text: str, now: int, read_limits: ReadLimits
) -> _Item:
    """Find the event, decision or finding with an id.

    Raises:
        UsageError: There is none.
    """
    number = parse_event_id(text)
    if number is not None and find_events_by_id(store, number):
        return CaseRecordKind.EVENT, number.hex(), ""
    if text.startswith(_FINDING):
        inventory = snapshots.load_inventory(store, now=now)
        found = compute_findings(
            inventory, now=now, store=store, argument_limits=read_limits()
        )
        for finding in found:
            if finding["id"] == text:
                title = (
                    f"{finding['severity']}: {finding['title']}, {finding['subject']}"
                )
                return CaseRecordKind.FINDING, text, title
    try:
        decision = find_decision(store, SpooledDecisions(), text)[0].event.decision_id
    except UsageError:
        raise UsageError(
            f"no stored event, decision or finding has this id (got {text[:80]!r})",
            "list ids with: answerable trace --wide, or answerable findings",
        ) from None
    return CaseRecordKind.DECISION, decision, ""


def _build_case_item(case: InvestigationCase) -> CaseItem:
    """Build the item of a case with the numbers of its items."""
    opened = case.records[0].record
    notes = [e for e in case.records if e.record.kind is CaseRecordKind.NOTE]
    return {
        "id": case.id,
        "title": case.title,
        "state": "closed" if case.is_closed else "open",
        "opened_at": format_time(int(opened.at)),
        "opened_by": opened.by,
        "assignee": case.assignee,
        "events": len(case.list_values(CaseRecordKind.EVENT)),
        "decisions": len(case.list_values(CaseRecordKind.DECISION)),
        "findings": len(case.list_values(CaseRecordKind.FINDING)),
        "notes": len(notes),
    }


def _select_rows(record: CaseRecord, rows: Sequence[TraceItem]) -> list[TraceItem]:
    """Select the rows of an event or a decision of the case."""
    match record.kind:
        case CaseRecordKind.EVENT:
            return [row for row in rows if row["event_id"] == record.value]
        case CaseRecordKind.DECISION:
            return [row for row in rows if row["decision_id"] == record.value]
        case _:
            return []


def _summarise_row(row: TraceItem) -> str:
    """Summarise a row in one line: identity, action and resource."""
    hops = cast("Mapping[str, Mapping[str, str]]", row["hops"])
    identity = shorten_identity(hops["identity"]["value"]) or "identity not known"
    parts = [identity, hops["action"]["value"], hops["resource"]["value"]]
    return " ".join(filter(None, parts))

"""Export an investigation case: a bundle that verifies offline, and a printable page."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from answerable.evidence.case_bundle import (
    AbsentCaseItem,
    CaseBundle,
    ProvenObject,
    encode_case_bundle,
)
from answerable.evidence.case_owners import OWNER_OBJECTS
from answerable.evidence.case_records import CASE_RECORD, CaseRecordKind
from answerable.evidence.checkpoint import parse_checkpoint
from answerable.evidence.log_entries import ObjectEntry
from answerable.evidence.merkle import inclusion_path, leaf_hash
from answerable.export.report import (
    Report,
    ReportTable,
    iterate_html_lines,
    iterate_markdown_lines,
)
from answerable.model.documents.cases import CaseBundleItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import HopItem, TraceItem
from answerable.model.inventory import Inventory
from answerable.model.person import (
    OwnerEvidence,
    OwnerEvidenceKind,
    OwnerState,
    SubjectOwnership,
)
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.chain_groups import (
    COLUMNS,
    get_hops_by_name,
    is_hop_self_reported,
    shorten_hop_id,
    shorten_hop_path,
)
from answerable.presentation.lineage_exports import iterate_mermaid_lines
from answerable.presentation.scanned_owners import build_scanned_owner_item
from answerable.presentation.text import sanitize
from answerable.services.evidence.cases import InvestigationCase, find_case
from answerable.services.inventory import snapshots
from answerable.services.lineage.case_rows import (
    AbsentItem,
    CaseRows,
    add_unread_items,
    collect_case_rows,
    describe_absence,
)
from answerable.services.lineage.lineage_search import SearchScope
from answerable.store.event_absence import AbsenceCause, EventAbsence
from answerable.store.inclusion_proofs import (
    build_absence_error,
    collect_inclusion_proofs,
)
from answerable.store.store import EvidenceStore

_STATEMENT_OF_STATE = {
    OwnerState.ATTESTED: OwnerEvidenceKind.ATTESTATION,
    OwnerState.CONFIRMED: OwnerEvidenceKind.CONFIRMATION,
}
_MISSING = "not known"


def build_case_bundle(
    store: EvidenceStore,
    name: str,
    *,
    with_snapshots: bool = False,
    now: int,
    loaded: SearchScope | None = None,
) -> Document:
    """Build one file of a case: records, joining events, owners, proofs, chains.

    Args:
        store: Store of the case.
        name: Id, prefix of an id, or title of the case.
        with_snapshots: Disclose the scanned facts of the snapshots; by default only
            their digests are in the file.
        now: UTC nanoseconds.
        loaded: Inventory and chains, if they are loaded already.

    Raises:
        UsageError: The case is unknown, or an event is not sealed yet.
    """
    case = find_case(store, name)
    found = collect_case_rows(store, case, now=now, loaded=loaded)
    ids = [row["event_id"] for row in found.rows] + list(found.joining)
    with store.log.lock():  # events and objects refer to one head
        proofs, lost = collect_inclusion_proofs(store, [*map(bytes.fromhex, ids)])
        found = _drop_unproven_rows(found, lost)
        objects = tuple(_prove_objects(store, case, found.rows, with_snapshots))
    bundle = CaseBundle(
        case=case.id,
        proofs=proofs,
        objects=objects,
        joining=tuple(found.joining),
        rows=tuple(cast("dict[str, object]", dict(row)) for row in found.rows),
        owners=_list_owners(store, found.inventory, found.rows),
        drawing="\n".join(iterate_mermaid_lines(found.rows)),
        absent=tuple(AbsentCaseItem(e.value, e.cause.value) for e in found.absent),
    )
    public = store.keys.public_key
    item: CaseBundleItem = {
        "case": case.id,
        "events": len(proofs.events),
        "joining": len(found.joining),
        "objects": len(objects),
        "absent": list(map(str, found.absent)),
        "log_size": parse_checkpoint(proofs.checkpoint.encode(), public).size,
        "key": str(public),
        "bundle": encode_case_bundle(bundle).decode(),
    }
    coverage = build_empty_coverage()
    add_unread_items(coverage, found.absent)
    return Document(
        "case-bundle",
        [item],
        coverage,
        next="answerable evidence verify BUNDLE --key PUB",
    )


@dataclass(frozen=True, slots=True)
class CasePage:
    """Printable page of a case.

    Attributes:
        lines: Its lines.
        unread: Items of the case that may exist and cannot be shown.
    """

    lines: Iterator[str]
    unread: Sequence[str]


def build_case_page(
    store: EvidenceStore,
    name: str,
    *,
    markdown: bool = False,
    now: int,
    loaded: SearchScope | None = None,
) -> CasePage:
    """Build a printable page of a case, without script.

    Raises:
        UsageError: The case is unknown.
    """
    case = find_case(store, name)
    found = collect_case_rows(store, case, now=now, loaded=loaded)
    page = _build_page(case, found, now)
    lines = iterate_markdown_lines(page) if markdown else iterate_html_lines(page)
    unread = [str(each) for each in found.absent if each.is_unread]
    return CasePage(lines, unread)


def _drop_unproven_rows(found: CaseRows, lost: Sequence[EventAbsence]) -> CaseRows:
    """Drop the events that cannot be proven, and list them as absent.

    Raises:
        UsageError: An event is not sealed yet.
    """
    for each in lost:
        if each.cause is AbsenceCause.NOT_KNOWN:
            raise build_absence_error(each)
    ids = {each.event_id.hex() for each in lost}
    return replace(
        found,
        rows=[row for row in found.rows if row["event_id"] not in ids],
        joining=[each for each in found.joining if each not in ids],
        absent=[*found.absent, *map(describe_absence, lost)],
    )


def _prove_objects(
    store: EvidenceStore,
    case: InvestigationCase,
    rows: Sequence[TraceItem],
    with_snapshots: bool,
) -> Iterator[ProvenObject]:
    """Prove the records of the case and the objects behind the hops of its rows."""
    entries = store.log.entries()
    leaves = [leaf_hash(data) for data in store.log.raw_entries()]
    own = {each.index for each in case.records}
    snapshots = _select_snapshots(entries, rows)
    disclosed = set(snapshots) if with_snapshots else set()
    if with_snapshots:
        disclosed |= _select_syncs(store, entries, snapshots)
    for index, entry in enumerate(entries):
        if not isinstance(entry, ObjectEntry):
            continue
        if entry.of == CASE_RECORD:
            wanted = index in own
        else:
            wanted = entry.of in OWNER_OBJECTS or index in {*snapshots, *disclosed}
        if wanted:
            shown = entry.of not in ("snapshot", "sync") or index in disclosed
            content = store.get_object(entry.sha256) if shown else b""
            yield ProvenObject(
                index,
                store.log.raw_entries()[index].decode(),
                tuple(step.hex() for step in inclusion_path(index, leaves)),
                base64.b64encode(content).decode(),
            )


def _select_snapshots(
    entries: Sequence[object], rows: Sequence[TraceItem]
) -> list[int]:
    """Select the snapshots that were current from the first to the last event."""
    logged = [
        (format_time(int(entry.at)), index)
        for index, entry in enumerate(entries)
        if isinstance(entry, ObjectEntry) and entry.of == "snapshot"
    ]
    if not logged or not rows:
        return []
    times = [row["event_time"] for row in rows]
    before = [index for at, index in logged if at <= min(times)][-1:]
    during = [index for at, index in logged if min(times) < at <= max(times)]
    # Without a snapshot at that time, hops come from the first one after it.
    return [*before, *during] or [logged[0][1]]


def _select_syncs(
    store: EvidenceStore, entries: Sequence[object], snapshots: Sequence[int]
) -> set[int]:
    """Select the scanned facts that snapshots name, by the index of their entry."""
    digests: set[str] = set()
    for index in snapshots:
        entry = entries[index]
        if isinstance(entry, ObjectEntry):
            text = store.get_object(entry.sha256).decode()
            digests |= {
                each.sha256
                for each in entries
                if isinstance(each, ObjectEntry)
                and each.of == "sync"
                and each.sha256 in text
            }
    found: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if isinstance(entry, ObjectEntry) and entry.sha256 in digests:
            found.setdefault(entry.sha256, index)
    return set(found.values())


def _list_owners(
    store: EvidenceStore, inventory: Inventory, rows: Iterable[TraceItem]
) -> dict[str, dict[str, object]]:
    """List the owner of each agent and identity in the rows.

    A stated owner is named as in the statement, which a reader can verify.
    """
    subjects: set[str] = set()
    for row in rows:
        subjects |= {*row["agent_path"], *row["identity_path"]}
    statements = {
        (each.reference, each.seen.at): each
        for each in snapshots.read_ownership_statements(store)
    }
    found: dict[str, dict[str, object]] = {}
    for subject in sorted(subjects - {""}):
        item = cast(
            "Mapping[str, object]", build_scanned_owner_item(inventory, subject)
        )
        found[subject] = dict(item)
        stated = _find_statement(inventory.owners.get(subject), statements)
        if stated is not None:
            found[subject] |= {"person": stated.person, "stated_of": stated.subject}
    return found


def _find_statement(
    ownership: SubjectOwnership | None,
    statements: Mapping[tuple[str, int], OwnerEvidence],
) -> OwnerEvidence | None:
    """Find the newest statement behind a stated owner; None for a derived owner."""
    kind = _STATEMENT_OF_STATE.get(ownership.state) if ownership is not None else None
    if ownership is None or kind is None:
        return None
    evidence = [
        item
        for candidate in ownership.candidates
        if candidate.person == ownership.person
        for item, _ in candidate.evidence
        if item.kind is kind and not item.void
    ]
    newest = max(evidence, key=lambda each: each.seen.at, default=None)
    return statements.get((newest.reference, newest.seen.at)) if newest else None


def _build_page(case: InvestigationCase, found: CaseRows, now: int) -> Report:
    """Build the page: the case, its chains in six columns, its notes and findings."""
    opened = case.records[0].record
    closed = [
        each.record
        for each in case.records
        if each.record.kind is CaseRecordKind.CLOSED
    ]
    state = f"closed: {closed[0].text}" if closed else "open"
    answers = (
        ("Case", case.id),
        ("State", state),
        ("Assigned to", sanitize(case.assignee) or "not assigned"),
        ("Opened", f"{format_time(int(opened.at))} by {opened.by} (not verified)"),
        (
            "Events",
            f"{len(found.rows):,}, and {len(found.joining):,} that join their chains",
        ),
    )
    return Report(
        f"Case: {sanitize(case.title)}",
        f"case {case.id}, {format_time(now)}",
        answers,
        (
            ReportTable(
                "Chains",
                ("time (UTC)", *COLUMNS, "outcome"),
                [_build_page_row(row) for row in found.rows],
                "A hop without a remark was observed by a platform or a mediator.",
            ),
            *_build_absent_tables(found.absent),
            _build_record_table(case, CaseRecordKind.FINDING, "Findings"),
            _build_record_table(case, CaseRecordKind.NOTE, "Notes"),
            ReportTable(
                "Evidence",
                ("event", "log"),
                [(row["event_id"], row["source"]) for row in found.rows],
                "answerable case bundle writes the records with their proofs.",
            ),
        ),
        answers_title="Summary",
    )


def _build_absent_tables(absent: Sequence[AbsentItem]) -> Iterator[ReportTable]:
    """Yield the table of the items that cannot be shown; nothing if all can."""
    if absent:
        rows = [(each.value, each.description) for each in absent]
        yield ReportTable("Events and decisions not shown", ("id", "why"), rows)


def _build_page_row(row: TraceItem) -> tuple[str, ...]:
    """Build the cells of a row: each hop with its status unless it was observed."""
    hops = get_hops_by_name(row)
    paths = {"agent": row["agent_path"], "identity": row["identity_path"]}
    cells = [_format_hop(name, hops[name], paths.get(name, ())) for name in COLUMNS]
    return (row["event_time"], *cells, sanitize(row["outcome"]))


def _format_hop(name: str, hop: HopItem, path: Sequence[str]) -> str:
    """Format a hop for the page: its path, and its status."""
    if is_hop_self_reported(hop):
        return f"{shorten_hop_id(name, hop['value'])} (self-reported)"
    if hop["status"] == "missing" or not hop["value"]:
        return f"{_MISSING}: {sanitize(hop['source'])}" if hop["source"] else _MISSING
    names = shorten_hop_path(name, path) if len(path) > 1 else []
    text = " > ".join(names) or shorten_hop_id(name, hop["value"])
    return text if hop["status"] == "observed" else f"{text} ({hop['status']})"


def _build_record_table(
    case: InvestigationCase, kind: CaseRecordKind, title: str
) -> ReportTable:
    """Build the table of a kind of records."""
    rows = [
        (
            format_time(int(each.at)),
            sanitize(each.by),
            "\n".join(map(sanitize, each.text.splitlines())),
        )
        for logged in case.records
        if (each := logged.record).kind is kind
    ]
    return ReportTable(title, ("time (UTC)", "recorded by", "text"), rows)

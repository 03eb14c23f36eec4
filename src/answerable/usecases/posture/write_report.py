"""Write a report of a snapshot and its findings (command `report`)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from answerable.export.report import (
    Report,
    ReportTable,
    iterate_html_lines,
    iterate_markdown_lines,
)
from answerable.inventory.sync_join import assess_owners_at_time
from answerable.model.documents.finding import FindingItem
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerState
from answerable.posture.facts import ArgumentLimit
from answerable.posture.reviews import NO_REVIEWS, FindingReviews
from answerable.presentation.answer_coverage import build_list_coverage
from answerable.presentation.inventory_items import build_owner_item, format_time
from answerable.presentation.text import sanitize
from answerable.services.posture.finding_documents import compute_findings
from answerable.services.posture.review_file import read_reviews
from answerable.store.store import EvidenceStore

MOST_FINDINGS = 200
_MOST_PATHS = 5
_OPEN, _NOT_EVALUATED = "open", "not-evaluated"
_SEVERITIES = ("critical", "high", "medium", "low")
_NO_OWNER = (OwnerState.NONE, OwnerState.SUGGESTED, OwnerState.AMBIGUOUS)


def iterate_report_lines(
    store: EvidenceStore,
    inventory: Inventory,
    *,
    now: int,
    markdown: bool = False,
    suppressions: str = "",
    argument_limits: Sequence[ArgumentLimit] | None = None,
) -> Iterator[str]:
    """Yield the lines of the report, as HTML unless `markdown` is set.

    Args:
        now: UTC nanoseconds.
        suppressions: Reviewed file; empty for none.
        argument_limits: Limits by policies of the gateway; None if its configuration
            was not read.
    """
    reviews = read_reviews(Path(suppressions), now) if suppressions else NO_REVIEWS
    report = build_report(
        store, inventory, now=now, reviews=reviews, argument_limits=argument_limits
    )
    return iterate_markdown_lines(report) if markdown else iterate_html_lines(report)


def build_report(
    store: EvidenceStore,
    inventory: Inventory,
    *,
    now: int,
    reviews: FindingReviews = NO_REVIEWS,
    argument_limits: Sequence[ArgumentLimit] | None = None,
) -> Report:
    """Build the report of a snapshot.

    Args:
        now: UTC nanoseconds.
        argument_limits: Limits by policies of the gateway; None if its configuration
            was not read.
    """
    inventory = assess_owners_at_time(inventory, now)
    counts: Counter[str] = Counter()
    by_owner: dict[str, Counter[str]] = defaultdict(Counter)
    listed: list[FindingItem] = []
    not_evaluated: list[FindingItem] = []
    gaps = 0
    found = compute_findings(
        inventory,
        now=now,
        store=store,
        reviews=reviews,
        argument_limits=argument_limits,
    )
    for item in found:
        if item["state"] == _NOT_EVALUATED:
            gaps += 1
            if len(not_evaluated) < MOST_FINDINGS:
                not_evaluated.append(item)
        elif item["state"] == _OPEN:
            counts[item["severity"]] += 1
            by_owner[item["owner"]["person"] or "no owner"][item["severity"]] += 1
            if len(listed) < MOST_FINDINGS:
                listed.append(item)
    return Report(
        "Identities of AI agents",
        f"snapshot {inventory.name or 'none'}, {format_time(now)}",
        _answer_questions(inventory, counts, gaps, now),
        (
            _list_findings(listed, counts.total()),
            _list_owners(by_owner),
            _list_not_evaluated(not_evaluated, gaps),
            _list_sources(inventory),
        ),
        tuple(
            (sanitize(item["title"]), list(_describe_path(item)))
            for item in [each for each in listed if each["path"]][:_MOST_PATHS]
        ),
    )


def _answer_questions(
    inventory: Inventory, counts: Counter[str], not_evaluated: int, now: int
) -> list[tuple[str, str]]:
    """Answer the six questions; what was not collected is named, never zero."""
    agents = inventory.agents.values()
    missing = build_list_coverage("agents", inventory, now)["not_collected"]
    gap = f" Not collected: {', '.join(missing)}." if missing else ""
    unattended = sum(
        each.agent.unattended or any(use.tool.unattended for use in each.tools)
        for each in agents
    )
    unowned = sum(
        build_owner_item(inventory, each.agent.id)["state"] in _NO_OWNER
        for each in agents
    )
    acting = {one for each in agents for one in each.identities}
    found = ", ".join(f"{counts[each]} {each}" for each in _SEVERITIES)
    known = f"They act through {len(acting):,} known identities, of "
    known += f"{len(inventory.facts.identities_by_id()):,} in the snapshot"
    if missing and not acting:
        known = "Not known: the sources of identities were not scanned"
    return [
        (
            "Which agents are there?",
            f"{len(agents):,} agents; {unattended:,} act unattended.{gap}",
        ),
        ("Who owns them?", f"{unowned:,} agents have no confirmed or inferred owner."),
        (
            "What can they reach?",
            f"{known}; `answerable reach AGENT` lists the permissions.",
        ),
        (
            "What have they done?",
            "`answerable trace --agent AGENT` lists the logged events.",
        ),
        (
            "How do I hold them to it?",
            f"{counts.total():,} open findings: {found}; {not_evaluated:,} rules were "
            f"not evaluated, because data is missing.",
        ),
        ("How do I stop them?", "`answerable kill AGENT` ends their access."),
    ]


def _list_findings(listed: Sequence[FindingItem], total: int) -> ReportTable:
    """List the most severe open findings."""
    rows = [
        _escape_row_cells(
            item["severity"],
            item["title"],
            item["owner"]["person"] or "no owner",
            item["place"] or item["subject"],
            item["fix"]["text"],
        )
        for item in listed
    ]
    heads = ("severity", "finding", "owner", "place", "repair")
    return ReportTable("Findings", heads, rows, more=total - len(rows))


def _list_owners(by_owner: dict[str, Counter[str]]) -> ReportTable:
    """Count the open findings of each owner."""
    rows = [
        _escape_row_cells(owner, *(str(counts[each]) for each in _SEVERITIES))
        for owner, counts in sorted(by_owner.items(), key=_get_owner_rank)
    ]
    return ReportTable("Findings by owner", ("owner", *_SEVERITIES), rows)


def _get_owner_rank(entry: tuple[str, Counter[str]]) -> tuple[object, ...]:
    """Return a key that sorts owners by their most severe finding."""
    owner, counts = entry
    return (*(-counts[each] for each in _SEVERITIES), owner)


def _list_not_evaluated(items: Sequence[FindingItem], total: int) -> ReportTable:
    """List the first rules that lack data, with the source that has it."""
    rows = [
        _escape_row_cells(item["rule"], item["subject"], each["what"], each["source"])
        for item in items
        for each in item["missing"]
    ]
    heads = ("rule", "of", "missing", "source")
    return ReportTable("Not evaluated", heads, rows, more=total - len(items))


def _list_sources(inventory: Inventory) -> ReportTable:
    """List the sources with their age and what was not read."""
    rows = [
        _escape_row_cells(
            each.source,
            format_time(each.at),
            "; ".join(f"{one.place}: {one.what}" for one in each.problems) or "none",
        )
        for each in inventory.coverage
    ]
    note = "" if rows else "Nothing was scanned: `answerable scan`."
    return ReportTable("Coverage", ("source", "read at", "problems"), rows, note)


def _describe_path(item: FindingItem) -> Iterator[str]:
    """Describe the steps of a path."""
    for step in item["path"]:
        yield sanitize(f"{step['from']} by {step['via']} to {step['to']}")


def _escape_row_cells(*cells: str) -> tuple[str, ...]:
    """Make control characters in the cells of a row visible."""
    return tuple(map(sanitize, cells))

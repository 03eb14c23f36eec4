"""Render scans, ingests, checks, evidence, and any document without a renderer."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.listing import render_field
from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.core import Document, IngestItem, ScanItem
from answerable.model.documents.evidence import (
    CheckItem,
    EvidenceBundleItem,
    InclusionProofItem,
    ProbeItem,
)
from answerable.presentation.cell_text import format_value
from answerable.presentation.text import sanitize


def render_scan(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the result of each source, then the snapshot name."""
    items = cast("Sequence[ScanItem]", document.items)
    columns = (
        TableColumn("source", 0, floor=20),
        TableColumn("agents", 2, right=True),
        TableColumn("tools", 3, right=True),
        TableColumn("credentials", 2, right=True),
        TableColumn("identities", 2, right=True),
        TableColumn("policies", 4, right=True),
        TableColumn("problems", 1, right=True),
    )
    rows = [
        (
            item["source"],
            _format_count(item["agents"]),
            _format_count(item["tools"]),
            _format_count(item["credentials"]),
            _format_count(item["identities"]),
            _format_count(item["policies"]),
            _format_count(len(item["problems"])),
        )
        for item in items
    ]
    yield from render_table(columns, rows, screen, keep_together=True)
    for name in dict.fromkeys(item["snapshot"] for item in items):
        if name:
            yield f"snapshot: {sanitize(name)}"


def _format_count(number: int) -> str:
    return f"{number:,}" if number else ""


def render_scan_locations(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render each source with its places."""
    items = cast("Sequence[ProbeItem]", document.items)
    found = {
        True: f"{screen.marks.yes} found",
        False: f"{screen.marks.no} absent",
        None: "? not asked",
    }
    columns = (
        TableColumn("there", 0),
        TableColumn("place", 1, floor=24),
        TableColumn("what", 2),
    )
    for number, source in enumerate(dict.fromkeys(item["source"] for item in items)):
        own = [item for item in items if item["source"] == source]
        there = sum(item["found"] is True for item in own)
        if number:
            yield ""
        yield f"{sanitize(source)} ({there} of {len(own)} found)"
        rows = [(found[item["found"]], item["place"], item["what"]) for item in own]
        yield from render_table(columns, rows, screen)


def render_ingest(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the read, stored, duplicate and quarantined records."""
    items = cast("Sequence[IngestItem]", document.items)
    columns = (
        TableColumn("source", 0, floor=16),
        TableColumn("read", 1, right=True),
        TableColumn("stored", 1, right=True),
        TableColumn("duplicate", 2, right=True),
        TableColumn("conflict", 2, right=True),
        TableColumn("quarantined", 1, right=True),
        TableColumn("skipped", 4, right=True),
        TableColumn("files", 3, right=True),
        TableColumn("segments", 4, right=True),
        TableColumn("seconds", 5, right=True),
    )
    rows = [
        (
            item["source"],
            f"{item['read']:,}",
            f"{item['stored']:,}",
            f"{item['duplicate']:,}",
            f"{item['conflict']:,}",
            f"{item['quarantined']:,}",
            f"{item['skipped']:,}",
            f"{item['files']:,}",
            f"{item['segments']:,}",
            f"{item['seconds']:.1f}",
        )
        for item in items
    ]
    yield from render_table(columns, rows, screen, keep_together=True)


def render_checks(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each check; a failed one is followed by the next step."""
    for item in cast("Sequence[CheckItem]", document.items):
        mark = f"{screen.marks.yes} ok  " if item["ok"] else f"{screen.marks.no} no  "
        detail = f": {sanitize(item['detail'])}" if item["detail"] else ""
        yield from screen.wrap(f"{mark} {sanitize(item['check'])}{detail}", " " * 6)
        if item["hint"] and not item["ok"]:
            yield from screen.wrap(f"      {sanitize(item['hint'])}", " " * 6)


def render_score(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each source and hop with its status counts, then the missing sources."""
    columns = (
        TableColumn("source", 2),
        TableColumn("hop", 0),
        *(TableColumn(status, 1, right=True) for status in screen.marks.hops),
        TableColumn("from this source", 3),
    )
    rows = [
        (
            format_value(item.get("source")),
            format_value(item.get("hop")),
            *(format_value(item.get(status)) for status in screen.marks.hops),
            format_value(item.get("can")),
        )
        for item in document.items
    ]
    yield from render_table(columns, rows, screen)
    yield ""
    for item in document.items:
        if item.get("missing") and item.get("supplied_by"):
            says = f"{format_value(item.get('hop'))} needs {format_value(item.get('supplied_by'))}"
            yield from screen.wrap(
                f"{screen.marks.hop['missing']} {sanitize(says)}", "    "
            )


def render_counts(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render counts of events by fields."""
    names = [name for name in document.items[0] if name != "events"]
    columns = [TableColumn("events", 0, right=True)]
    columns += [TableColumn(name, at, floor=11) for at, name in enumerate(names, 1)]
    gap = screen.marks.hop["missing"].strip()
    rows = [
        (
            f"{item['events']:,}",
            *(
                format_value(item[name]) if item[name] is not None else gap
                for name in names
            ),
        )
        for item in document.items
    ]
    yield from render_table(columns, rows, screen, keep_together=True)
    if document.total >= 0:
        yield ""
        yield f"the largest {len(rows):,} of {document.total:,} counts"
    if any(None in item.values() for item in document.items):
        yield ""
        yield f"{gap} missing: no source has it; --score names one that would"


def render_proofs(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each record with its inclusion proof."""
    for item in cast("Sequence[InclusionProofItem]", document.items):
        rows = (
            ("event", item["event_id"]),
            ("record", item["event"]),
            ("leaf", item["leaf"]),
            ("segment", f"{item['segment']}, row {item['row']:,} of {item['rows']:,}"),
            ("  up by", f"{len(item['path'])} hashes to {item['event_root']}"),
            ("log", f"entry {item['log_index']:,} of {item['log_size']:,}"),
            ("  up by", f"{len(item['log_path'])} hashes to {item['log_root']}"),
            ("signed", item["checkpoint"]),
        )
        for name, value in rows:
            yield from render_field(name, value, 9, screen)


def render_bundle(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a summary of a written bundle."""
    for item in cast("Sequence[EvidenceBundleItem]", document.items):
        yield from render_field("events", f"{item['events']:,}", 10, screen)
        yield from render_field("segments", f"{item['segments']:,}", 10, screen)
        yield from render_field("log size", f"{item['log_size']:,}", 10, screen)
        yield from render_field("key", item["key"], 10, screen)

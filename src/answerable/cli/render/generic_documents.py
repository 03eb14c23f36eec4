"""Render scans, ingests, checks, evidence, and any document without a renderer."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.listing import render_field
from answerable.cli.render.screen import Screen
from answerable.model.documents.evidence import InclusionProofItem
from answerable.model.documents.shared_shapes import Document, ScanItem
from answerable.model.documents.trust_rules import TokenCheckItem
from answerable.presentation.cell_text import format_value
from answerable.presentation.text import sanitize


def render_snapshot_name(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the name of the new snapshot."""
    items = cast("Sequence[ScanItem]", document.items)
    for name in dict.fromkeys(item["snapshot"] for item in items):
        if name:
            yield f"snapshot: {sanitize(name)}"


def render_unread_sources(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render the sources of approval requests that were not read."""
    for word in document.coverage["not_collected"]:
        yield from screen.wrap(f"not read: {sanitize(word)}")


def render_checks(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each check; one that did not pass is followed by the next step."""
    yes, no = screen.marks.yes, screen.marks.no
    marks = {True: f"{yes} ok  ", False: f"{no} no  ", None: "?     "}
    for item in cast("Sequence[TokenCheckItem]", document.items):
        detail = f": {item['detail']}" if item["detail"] else ""
        line = f"{marks[item['ok']]} {item['check']}{detail}"
        yield from screen.wrap(sanitize(line), " " * 6)
        if item["hint"] and not item["ok"]:
            yield from screen.wrap(f"      {sanitize(item['hint'])}", " " * 6)


def render_missing_sources(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render the sources that would supply missing hops."""
    yield ""
    notes = (
        f"{format_value(item.get('hop'))} needs {format_value(item.get('supplied_by'))}"
        for item in document.items
        if item.get("missing") and item.get("supplied_by")
    )
    for says in dict.fromkeys(notes):  # one note for all sources
        yield from screen.wrap(
            f"{screen.marks.hop['missing']} {sanitize(says)}", "    "
        )


def render_proofs(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each audit record with its Merkle inclusion proof."""
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

"""Render the notes below lineage rows: missing hops, owners of roles, a legend."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.trace import TraceItem
from answerable.model.ids import is_iam_role_arn
from answerable.presentation.chain_groups import (
    MissingHopNotes,
    get_hops_by_name,
    is_break_glass_call,
    number_missing_hops,
    shorten_hop_id,
)
from answerable.presentation.text import sanitize

_MOST_NOTES = 12


def render_trace_notes(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the notes below chains: omitted events, missing hops, owners of roles."""
    items = cast("Sequence[TraceItem]", document.items)
    yield ""
    if document.total >= 0:
        yield f"the newest {len(items):,} of {document.total:,} events"
    if broken := sum(map(is_break_glass_call, items)):
        yield f"BREAK-GLASS: {broken:,} calls that a policy forbids; see decision ID"
    in_lake = bool(document.coverage.get("in_place"))
    for event_id in document.coverage.get("conflicts", ())[:_MOST_NOTES]:
        what = f"conflict: event {event_id} has records with different content"
        more = "its rows are in the lake" if in_lake else f"show {event_id} lists both"
        yield from screen.wrap(f"{what}; {more}", "    ")
    yield from _render_missing_hops(number_missing_hops(items), screen)
    yield from _render_role_owners(items, screen)


def render_table_notes(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the notes below a table of chains, and the legend of its marks."""
    yield from render_trace_notes(document, screen, now)
    yield format_legend(screen.marks.hop, screen)


def _render_missing_hops(notes: MissingHopNotes, screen: Screen) -> Iterator[str]:
    """Render the numbered notes about missing hops."""
    mark = screen.marks.hop["missing"]
    for (name, source), number in [*notes.numbers.items()][:_MOST_NOTES]:
        why = sanitize(source) or "no source is known"
        yield from screen.wrap(f"{mark} {number} {name} missing: {why}", "    ")
    more = len(notes.numbers) - _MOST_NOTES
    if more > 0:
        yield f"{mark} and {more} more; -o json lists them"


def _render_role_owners(items: Sequence[TraceItem], screen: Screen) -> Iterator[str]:
    """Render the owners of assumed roles; an owner did not make the call."""
    owned = {
        (
            shorten_hop_id("identity", get_hops_by_name(item)["identity"]["value"]),
            owner["value"],
        )
        for item in items
        for owner in [item["identity_owner"]]
        if owner["value"]
        and is_iam_role_arn(get_hops_by_name(item)["identity"]["value"])
    }
    for role, owner in sorted(owned)[:_MOST_NOTES]:
        yield from screen.wrap(
            f"{role} is owned by {shorten_hop_id('person', owner)}", "    "
        )
    if len(owned) > _MOST_NOTES:
        yield f"and {len(owned) - _MOST_NOTES} more owners of roles; -o json lists them"


def format_legend(marks: Mapping[str, str], screen: Screen) -> str:
    """Format the legend of the marks, strongest first."""
    said = (f"{mark.strip()} {status}" for status, mark in marks.items())
    return "hops: " + screen.marks.dot.join(said)

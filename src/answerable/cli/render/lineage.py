"""Render lineage rows as a table, with notes for missing hops and a legend."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.core import Document
from answerable.model.documents.trace import HopItem, TraceItem
from answerable.model.ids import is_role
from answerable.presentation.chain_groups import (
    COLUMNS,
    MissingHopNotes,
    hops_by_name,
    is_break_glass_call,
    is_missing,
    shorten_id,
)
from answerable.presentation.text import sanitize

_MOST_NOTES = 12
# The act and its outcome are most important; then person, time, identity, resource.
_IMPORTANCE = {
    "person": 2,
    "agent": 6,
    "tool": 7,
    "identity": 4,
    "action": 0,
    "resource": 5,
}


@dataclass(slots=True)
class HopNotes:
    """Numbered notes about the sources that would supply missing hops."""

    gaps: MissingHopNotes = field(default_factory=MissingHopNotes)

    def format_hop(self, name: str, hop: HopItem) -> str:
        """Format the value of a hop, or the number of its note if it is missing."""
        if is_missing(hop):
            return str(self.gaps.get_note_number(name, hop))
        return shorten_id(name, hop["value"])

    def render_notes(self, screen: Screen) -> Iterator[str]:
        """Render the notes."""
        mark = screen.marks.hop["missing"]
        for (name, source), number in [*self.gaps.numbers.items()][:_MOST_NOTES]:
            why = sanitize(source) or "no source is known"
            yield from screen.wrap(f"{mark} {number} {name} missing: {why}", "    ")
        more = len(self.gaps.numbers) - _MOST_NOTES
        if more > 0:
            yield f"{mark} and {more} more; -o json names them"


def format_action(item: TraceItem, notes: HopNotes) -> str:
    """Format the action, its failure if it failed, and a break-glass mark."""
    action, outcome = _mark_break_glass(item, notes), item["outcome"]
    return action if outcome in ("success", "") else f"{action} ({sanitize(outcome)})"


def _mark_break_glass(item: TraceItem, notes: HopNotes) -> str:
    """Format the action, with a mark if a break-glass exception allowed it."""
    action = notes.format_hop("action", hops_by_name(item)["action"])
    return f"BREAK-GLASS {action}" if is_break_glass_call(item) else action


def render_rows(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per event; the mark before a value is the status of its hop."""
    items = cast("Sequence[TraceItem]", document.items)
    columns = (
        TableColumn("time (UTC)", 3),
        *(TableColumn(name, _IMPORTANCE[name], floor=11) for name in COLUMNS),
        TableColumn("outcome", 1),
        TableColumn("event", 8),
    )
    notes = HopNotes()
    cells = []
    for item in items:
        hops = hops_by_name(item)
        texts = {name: notes.format_hop(name, hops[name]) for name in COLUMNS}
        texts["action"] = _mark_break_glass(item, notes)
        marked = [
            f"{screen.marks.hop.get(hops[name]['status'], '?')} {texts[name]}"
            for name in COLUMNS
        ]
        time = item["event_time"].replace("T", " ").removesuffix("Z")
        cells.append((time, *marked, item["outcome"], item["event_id"]))
    yield from render_table(columns, cells, screen, keep_together=True)
    yield ""
    yield from describe_omitted_events(document)
    if broken := sum(map(is_break_glass_call, items)):
        yield f"BREAK-GLASS: {broken:,} calls that a policy forbids; see decision ID"
    yield from notes.render_notes(screen)
    yield from render_role_owners(items, screen)
    yield format_legend(screen.marks.hop, screen)


def describe_omitted_events(document: Document) -> Iterator[str]:
    """Describe how many events exist if only the newest are listed."""
    if document.total >= 0:
        yield f"the newest {len(document.items):,} of {document.total:,} events"


def render_role_owners(items: Sequence[TraceItem], screen: Screen) -> Iterator[str]:
    """Render the owners of assumed roles; an owner did not make the call."""
    owned = {
        (
            shorten_id("identity", hops_by_name(item)["identity"]["value"]),
            owner["value"],
        )
        for item in items
        for owner in [item["identity_owner"]]
        if owner["value"] and is_role(hops_by_name(item)["identity"]["value"])
    }
    for role, owner in sorted(owned)[:_MOST_NOTES]:
        yield from screen.wrap(
            f"{role} is owned by {shorten_id('person', owner)}", "    "
        )
    if len(owned) > _MOST_NOTES:
        yield f"and {len(owned) - _MOST_NOTES} more owners of roles; -o json has them"


def format_legend(marks: Mapping[str, str], screen: Screen) -> str:
    """Format the legend of the marks, strongest first."""
    said = (f"{mark.strip()} {status}" for status, mark in marks.items())
    return "hops: " + screen.marks.dot.join(said)

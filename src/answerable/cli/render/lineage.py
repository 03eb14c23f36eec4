"""Renderers of lineage rows as a table; notes and legend shared with the tree."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import Column, table
from answerable.model.documents.core import Document
from answerable.model.documents.trace import HopItem, TraceItem
from answerable.model.ids import is_role
from answerable.presentation.chain_groups import (
    COLUMNS,
    Gaps,
    brief,
    hops_of,
    is_broken_glass,
    is_missing,
)
from answerable.presentation.relative_time import ago
from answerable.presentation.text import safe

_MOST_NOTES = 12
# The act is most important; then identity, resource and person.
_IMPORTANCE = {
    "person": 1,
    "agent": 4,
    "tool": 5,
    "identity": 2,
    "action": 0,
    "resource": 3,
}


@dataclass(slots=True)
class Notes:
    """Numbered notes about the sources that would supply missing hops."""

    gaps: Gaps = field(default_factory=Gaps)

    def node(self, name: str, hop: HopItem) -> str:
        """Format the value of a hop, or the number of its note if it is missing."""
        if is_missing(hop):
            return str(self.gaps.number(name, hop))
        return brief(name, hop["value"])

    def lines(self, screen: Screen) -> Iterator[str]:
        """Render the notes."""
        mark = screen.marks.hop["missing"]
        for (name, source), number in [*self.gaps.numbers.items()][:_MOST_NOTES]:
            why = safe(source) or "no source is known"
            yield from screen.wrap(f"{mark} {number} {name} missing: {why}", "    ")
        more = len(self.gaps.numbers) - _MOST_NOTES
        if more > 0:
            yield f"{mark} and {more} more; -o json names them"


def action_of(item: TraceItem, notes: Notes) -> str:
    """Format the action, its failure if it failed, and a break-glass mark."""
    action = notes.node("action", hops_of(item)["action"])
    if is_broken_glass(item):
        action = f"BREAK-GLASS {action}"
    outcome = item["outcome"]
    return action if outcome in ("success", "") else f"{action} ({safe(outcome)})"


def rows(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per event; the mark before a value is the status of its hop."""
    items = cast("Sequence[TraceItem]", document.items)
    columns = (
        Column("when", 6),
        *(Column(name, _IMPORTANCE[name], floor=11) for name in COLUMNS),
    )
    notes = Notes()
    cells = []
    for item in items:
        hops = hops_of(item)
        texts = {name: notes.node(name, hops[name]) for name in COLUMNS}
        texts["action"] = action_of(item, notes)
        marked = [
            f"{screen.marks.hop.get(hops[name]['status'], '?')} {texts[name]}"
            for name in COLUMNS
        ]
        cells.append((ago(item["event_time"], now), *marked))
    yield from table(columns, cells, screen, together=True)
    yield ""
    yield from part_of(document)
    if broken := sum(map(is_broken_glass, items)):
        yield f"BREAK-GLASS: {broken:,} calls that a policy forbids; see decision ID"
    yield from notes.lines(screen)
    yield from role_owners(items, screen)
    yield legend(screen.marks.hop, screen)


def part_of(document: Document) -> Iterator[str]:
    """Describe how many events exist if these are only the newest."""
    if document.total >= 0:
        yield f"the newest {len(document.items):,} of {document.total:,} events"


def role_owners(items: Sequence[TraceItem], screen: Screen) -> Iterator[str]:
    """Render the owners of assumed roles, who did not make the call."""
    owned = {
        (brief("identity", hops_of(item)["identity"]["value"]), owner["value"])
        for item in items
        for owner in [item["identity_owner"]]
        if owner["value"] and is_role(hops_of(item)["identity"]["value"])
    }
    for role, owner in sorted(owned)[:_MOST_NOTES]:
        yield from screen.wrap(f"{role} is owned by {brief('person', owner)}", "    ")
    if len(owned) > _MOST_NOTES:
        yield f"and {len(owned) - _MOST_NOTES} more owners of roles; -o json has them"


def legend(marks: Mapping[str, str], screen: Screen) -> str:
    """Format the legend of the marks, strongest first."""
    said = (f"{mark.strip()} {status}" for status, mark in marks.items())
    return "hops: " + screen.marks.dot.join(said)

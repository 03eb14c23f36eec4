"""Render behaviour baselines: their layers, changes and replays."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.baseline import (
    BaselineChangeItem,
    BaselineCheckItem,
    BaselineItem,
    BaselineReplayItem,
)
from answerable.model.documents.core import Document
from answerable.presentation.text import sanitize

_ID_LENGTH = 16


def render_profiles(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a paragraph per profile."""
    for number, item in enumerate(cast("Sequence[BaselineItem]", document.items)):
        if number:
            yield ""
        yield from _render_profile_head(item, screen)


def render_entries(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a paragraph per profile, then its entries."""
    for number, item in enumerate(cast("Sequence[BaselineItem]", document.items)):
        if number:
            yield ""
        yield from _render_profile_head(item, screen)
        yield ""
        columns = (
            TableColumn("layer", 0),
            TableColumn("tool", 1, floor=12),
            TableColumn("argument", 2),
            TableColumn("holds", 1, floor=20),
            TableColumn("times", 0, right=True),
            TableColumn("runs", 0, right=True),
            TableColumn("days", 3, right=True),
            TableColumn("last example", 4, floor=8),
        )
        rows = [
            (
                each["layer"],
                each["tool"],
                each["path"] + (" !" if each["sensitive"] else ""),
                each["what"] + ("" if each["firm"] else " (provisional)"),
                str(each["count"] or ""),
                str(each["runs"] or ""),
                str(each["days"] or ""),
                (each["example"] or "")[:_ID_LENGTH],
            )
            for each in item["entries"]
        ]
        yield from render_table(columns, rows, screen)
        if any(each["sensitive"] for each in item["entries"]):
            yield "! names who gets what"


def _render_profile_head(item: BaselineItem, screen: Screen) -> Iterator[str]:
    """Render state, subject and confidence of a profile as name-value lines."""
    standing = item["state"]
    if item["stage"]:
        standing = f"{standing}, {item['stage']}, signed by {item['person']}"
        standing += f" until {item['expires']}"
    rows = [
        ("baseline", item["digest"][:_ID_LENGTH]),
        ("of", f"{item['agent']} at {item['server']}"),
        ("as", item["identity"] or ""),
        ("state", standing),
        ("learned", f"{item['learned_at']} from {item['runs']} runs"),
        ("after", (item["parent"] or "")[:_ID_LENGTH]),
        ("ready", "yes" if item["ready"] else "no: " + "; ".join(item["not_ready"])),
    ]
    for name, value in rows:
        if value:
            yield from screen.wrap(f"{name:<10}{sanitize(value)}", " " * 10)
    for each in item["layers"]:
        if each["samples"]:
            yield (
                f"{'unseen':<10}{each['layer']} {each['unseen']:.1%} of what comes "
                f"next, at most {each['at_most']:.1%}"
            )


def render_changes(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per change, most severe first."""
    columns = (
        TableColumn("consequence", 0),
        TableColumn("tool", 1, floor=12),
        TableColumn("argument", 2),
        TableColumn("what", 1, floor=20),
        TableColumn("times", 0, right=True),
        TableColumn("runs", 0, right=True),
        TableColumn("last example", 3, floor=8),
    )
    rows = [
        (
            item["consequence"],
            item["tool"],
            item["path"],
            item["text"],
            str(item["count"] or ""),
            str(item["runs"] or ""),
            (item["example"] or "")[:_ID_LENGTH],
        )
        for item in cast("Sequence[BaselineChangeItem]", document.items)
    ]
    yield from render_table(columns, rows, screen)


def render_replay(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the calls that would have been blocked, then the counts."""
    for number, item in enumerate(cast("Sequence[BaselineReplayItem]", document.items)):
        if number:
            yield ""
        yield sanitize(
            f"{item['digest'][:_ID_LENGTH]} of {item['agent']} at {item['server']}: of "
            f"{item['calls']} calls it would have denied {item['denied']} and asked "
            f"about {item['asked']}"
        )
        if item["compared"]:
            yield (
                f"of {item['compared']} calls it was asked about when they came, it "
                f"says something else of {item['differing']}"
            )
        for each in item["held_back"]:
            line = f"  {each['at']} {each['decision'][:_ID_LENGTH]} {each['effect']}: "
            yield from screen.wrap(line + sanitize(each["sentence"]), "    ")


def render_departures(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per event that departs from earlier behaviour."""
    columns = (
        TableColumn("at", 0),
        TableColumn("action", 1, floor=12),
        TableColumn("resource", 1, floor=16),
        TableColumn("departs", 0),
        TableColumn("event", 3, floor=8),
    )
    rows = [
        (
            item["at"],
            item["action"],
            item["resource"],
            ", ".join(item["codes"]),
            item["event"][:_ID_LENGTH],
        )
        for item in cast("Sequence[BaselineCheckItem]", document.items)
    ]
    yield from render_table(columns, rows, screen)

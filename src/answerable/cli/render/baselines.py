"""Render behaviour baselines: their layers, changes and replays."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.listing import render_items
from answerable.cli.render.screen import Screen
from answerable.model.documents.baseline import (
    BaselineEntryItem,
    BaselineItem,
    BaselineReplayItem,
)
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.text import sanitize

_ID_LENGTH = 16


def render_profiles(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a paragraph for each learned baseline profile."""
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
        yield from render_items(BaselineEntryItem, item["entries"], screen, now)


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
                f"{'unseen':<10}{sanitize(each['layer'])} {each['unseen']:.1%} of "
                f"future calls, at most {each['at_most']:.1%}"
            )


def render_replay(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the calls that would have been blocked, then the counts."""
    for number, item in enumerate(cast("Sequence[BaselineReplayItem]", document.items)):
        if number:
            yield ""
        yield sanitize(
            f"{item['digest'][:_ID_LENGTH]} of {item['agent']} at "
            f"{item['server']}: of {item['calls']} calls, {item['denied']} would "
            f"be denied and {item['asked']} would require approval"
        )
        if item["compared"]:
            yield (
                f"of {item['compared']} calls that the baseline decided live, the "
                f"replay differs for {item['differing']}"
            )
        for each in item["held_back"]:
            line = f"  {each['at']} {each['decision'][:_ID_LENGTH]} {each['effect']}: "
            yield from screen.wrap(sanitize(line + each["sentence"]), "    ")

"""Render the effects of a revocation: ended and remaining access."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.core import Document
from answerable.model.documents.revocation import RevocationEffectItem


def render_effects(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per ended and per surviving thing."""
    columns = (
        TableColumn("state", 0),
        TableColumn("what", 0),
        TableColumn("where", 1, floor=14),
        TableColumn("until", 0),
        TableColumn("note", 2, floor=20),
    )
    rows = [
        (
            item["state"],
            item["id"] or _format_effect(item),
            item["where"],
            item["until"] or "",
            item["note"],
        )
        for item in cast("Sequence[RevocationEffectItem]", document.items)
    ]
    yield from render_table(columns, rows, screen)


def _format_effect(item: RevocationEffectItem) -> str:
    """Format an effect with its count, if it has one."""
    count = item["count"]
    return item["what"] if count is None else f"{count:,} {item['what']}"

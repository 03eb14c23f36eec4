"""Renderer of the effects of a revocation."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import Column, table
from answerable.model.documents.core import Document
from answerable.model.documents.revocation import KillEffectItem


def effects(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per ended and per surviving thing."""
    columns = (
        Column("state", 0),
        Column("what", 0),
        Column("where", 1, floor=14),
        Column("until", 0),
        Column("note", 2, floor=20),
    )
    rows = [
        (
            item["state"],
            item["id"] or _counted(item),
            item["where"],
            item["until"] or "",
            item["note"],
        )
        for item in cast("Sequence[KillEffectItem]", document.items)
    ]
    yield from table(columns, rows, screen)


def _counted(item: KillEffectItem) -> str:
    count = item["count"]
    return item["what"] if count is None else f"{count:,} {item['what']}"

"""Renderer of filed requests."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import Column, table
from answerable.model.documents.core import Document
from answerable.model.documents.person_requests import RequestItem

_ID = 16


def requests(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per request."""
    columns = (
        Column("request", 0),
        Column("state", 0),
        Column("agent", 1, floor=12),
        Column("by", 1, floor=10),
        Column("names", 1, floor=16),
        Column("run", 3, floor=8),
        Column("until", 2),
    )
    rows = [
        (
            item["id"][:_ID],
            item["state"],
            item["agent"].removeprefix("agent:"),
            (item["person"] or "").removeprefix("person:"),
            ", ".join(item["values"]),
            item["run"] or "any",
            (item["until"] or "")[:16],
        )
        for item in cast("Sequence[RequestItem]", document.items)
    ]
    yield from table(columns, rows, screen)

"""Render signed requests that persons filed for agents."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.core import Document
from answerable.model.documents.person_requests import PersonRequestItem

_ID_LENGTH = 16


def render_filed_requests(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render a row per request."""
    columns = (
        TableColumn("request", 0),
        TableColumn("state", 0),
        TableColumn("agent", 1, floor=12),
        TableColumn("by", 1, floor=10),
        TableColumn("names", 1, floor=16),
        TableColumn("run", 3, floor=8),
        TableColumn("until", 2),
    )
    rows = [
        (
            item["id"][:_ID_LENGTH],
            item["state"],
            item["agent"].removeprefix("agent:"),
            (item["person"] or "").removeprefix("person:"),
            ", ".join(item["values"]),
            item["run"] or "any",
            (item["until"] or "")[:16],
        )
        for item in cast("Sequence[PersonRequestItem]", document.items)
    ]
    yield from render_table(columns, rows, screen)

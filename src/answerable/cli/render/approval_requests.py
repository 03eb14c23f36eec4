"""Renderers of approval requests and policy exceptions."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import Column, table
from answerable.model.documents.approval_requests import AmendmentItem, AskItem
from answerable.model.documents.core import Document
from answerable.presentation.relative_time import ago
from answerable.presentation.text import safe

_ID = 16  # characters of an id in a table


def asks(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per approval request, then unread sources."""
    columns = (
        Column("ask", 0),
        Column("state", 0),
        Column("agent", 1, floor=12),
        Column("wants", 1, floor=12),
        Column("at", 2, floor=8),
        Column("last", 3),
        Column("times", 5, right=True),
        Column("owner", 4, floor=10),
        Column("by", 4, floor=10),
        Column("until", 5),
    )
    rows = [
        (
            item["id"][:_ID],
            item["state"],
            item["agent"].removeprefix("agent:"),
            _named(item["target"], item["name"]),
            item["server"],
            ago(item["last"], now),
            str(item["count"]),
            (item["owner"] or "").removeprefix("person:"),
            _persons(item["by"]),
            (item["until"] or "")[:16],
        )
        for item in cast("Sequence[AskItem]", document.items)
    ]
    yield from table(columns, rows, screen, together=True)
    for word in document.coverage["not_collected"]:
        yield from screen.wrap(f"not read: {safe(word)}")


def amendments(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per policy exception."""
    columns = (
        Column("amendment", 0),
        Column("state", 0),
        Column("kind", 2),
        Column("agent", 1, floor=12),
        Column("may", 1, floor=12),
        Column("at", 2, floor=8),
        Column("arguments", 4),
        Column("by", 2, floor=10),
        Column("until", 3),
        Column("code", 5),
    )
    rows = [
        (
            item["id"][:_ID],
            item["state"].replace("-", " "),
            item["kind"],
            item["agent"].removeprefix("agent:"),
            _named(item["target"], item["name"]),
            item["server"],
            (item["arguments"] or "any")[:12],
            _persons(item["persons"]),
            (item["until"] or "always")[:16],
            item["code"] or "",
        )
        for item in cast("Sequence[AmendmentItem]", document.items)
    ]
    yield from table(columns, rows, screen, together=True)


def _named(target: str, name: str) -> str:
    return name if target == "tool" else f"{target} {name}".strip()


def _persons(persons: Sequence[str]) -> str:
    return ", ".join(each.removeprefix("person:") for each in persons)

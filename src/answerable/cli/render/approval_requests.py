"""Render approval requests and policy exceptions as tables."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.approval_requests import (
    ApprovalRequestItem,
    PolicyExceptionItem,
)
from answerable.model.documents.core import Document
from answerable.presentation.relative_time import format_ago
from answerable.presentation.text import sanitize

_ID_LENGTH = 16  # characters of an id in a table


def render_approval_requests(
    document: Document, screen: Screen, now: int
) -> Iterator[str]:
    """Render a row per approval request, then unread sources."""
    columns = (
        TableColumn("ask", 0),
        TableColumn("state", 0),
        TableColumn("agent", 1, floor=12),
        TableColumn("wants", 1, floor=12),
        TableColumn("at", 2, floor=8),
        TableColumn("last", 3),
        TableColumn("times", 5, right=True),
        TableColumn("owner", 4, floor=10),
        TableColumn("by", 4, floor=10),
        TableColumn("until", 5),
    )
    rows = [
        (
            item["id"][:_ID_LENGTH],
            item["state"],
            item["agent"].removeprefix("agent:"),
            _format_target(item["target"], item["name"]),
            item["server"],
            format_ago(item["last"], now),
            str(item["count"]),
            (item["owner"] or "").removeprefix("person:"),
            _format_persons(item["by"]),
            (item["until"] or "")[:16],
        )
        for item in cast("Sequence[ApprovalRequestItem]", document.items)
    ]
    yield from render_table(columns, rows, screen, keep_together=True)
    for word in document.coverage["not_collected"]:
        yield from screen.wrap(f"not read: {sanitize(word)}")


def render_exceptions(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render a row per policy exception."""
    columns = (
        TableColumn("amendment", 0),
        TableColumn("state", 0),
        TableColumn("kind", 2),
        TableColumn("agent", 1, floor=12),
        TableColumn("may", 1, floor=12),
        TableColumn("at", 2, floor=8),
        TableColumn("arguments", 4),
        TableColumn("by", 2, floor=10),
        TableColumn("until", 3),
        TableColumn("code", 5),
    )
    rows = [
        (
            item["id"][:_ID_LENGTH],
            item["state"].replace("-", " "),
            item["kind"],
            item["agent"].removeprefix("agent:"),
            _format_target(item["target"], item["name"]),
            item["server"],
            (item["arguments"] or "any")[:12],
            _format_persons(item["persons"]),
            (item["until"] or "always")[:16],
            item["code"] or "",
        )
        for item in cast("Sequence[PolicyExceptionItem]", document.items)
    ]
    yield from render_table(columns, rows, screen, keep_together=True)


def _format_target(target: str, name: str) -> str:
    """Format the requested tool, resource or prompt."""
    return name if target == "tool" else f"{target} {name}".strip()


def _format_persons(persons: Sequence[str]) -> str:
    return ", ".join(each.removeprefix("person:") for each in persons)

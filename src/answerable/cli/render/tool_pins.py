"""Renderers of tool definitions, compared with their pins."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.model.documents.core import Document
from answerable.model.documents.pins import ToolsApproveItem, ToolsDiffItem
from answerable.presentation.relative_time import ago
from answerable.presentation.text import safe

MOST = 2000  # characters of one side of a field


def diff(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each item with its state, differences and similar names."""
    for at, item in enumerate(cast("Sequence[ToolsDiffItem]", document.items)):
        if at:
            yield ""
        yield from screen.wrap(_head(item, now), "    ")
        for each in item["differences"]:
            yield f"  {safe(each['field'])}"
            if each["pinned"] is not None:
                yield from screen.wrap(f"  - {_cut(each['pinned'])}", "    ")
            if each["seen"] is not None:
                yield from screen.wrap(f"  + {_cut(each['seen'])}", "    ")
        for other in item["alike"]:
            yield from screen.wrap(
                f"  {other['how']} name: {safe(other['id'])}", "    "
            )


def _head(item: ToolsDiffItem, now: int) -> str:
    where = "in quarantine" if item["quarantined"] else "passes"
    since = ago(item["since"], now) if item["since"] else ""
    parts = [
        safe(item["id"]),
        f"{item['state']}, {where}",
        f"({since})" if since else "",
    ]
    held = item["pinned"]
    if held is not None and held["person"]:
        parts.append(f"approved by {safe(held['person'])}")
        parts.append("" if held["proven"] else "(the log holds no such word)")
    return " ".join(part for part in parts if part)


def approved(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the approved items, the approver and the statement."""
    items = cast("Sequence[ToolsApproveItem]", document.items)
    for item in items:
        yield from screen.wrap(f"{safe(item['id'])} {safe(item['sha256'])}", "    ")
    if items:
        yield f"approved by {safe(items[0]['person'])}, within a second"
        yield from screen.wrap(f"statement {items[0]['statement']}", "    ")


def _cut(text: str) -> str:
    return safe(
        text if len(text) <= MOST else f"{text[:MOST]}... ({len(text)} letters)"
    )

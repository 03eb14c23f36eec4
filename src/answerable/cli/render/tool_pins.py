"""Render tool definitions, compared with their pinned versions."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.screen import Screen
from answerable.model.documents.pins import DefinitionApprovalItem, DefinitionDiffItem
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.relative_time import format_ago
from answerable.presentation.text import sanitize

MAX_FIELD_LENGTH = 2000  # characters of one side of a field


def render_differences(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render each item with its state, differences and similar names."""
    for at, item in enumerate(cast("Sequence[DefinitionDiffItem]", document.items)):
        if at:
            yield ""
        yield from screen.wrap(_format_definition_head(item, now), "    ")
        for each in item["differences"]:
            yield f"  {sanitize(each['field'])}"
            if each["pinned"] is not None:
                yield from screen.wrap(f"  - {_shorten_field(each['pinned'])}", "    ")
            if each["seen"] is not None:
                yield from screen.wrap(f"  + {_shorten_field(each['seen'])}", "    ")
        for other in item["alike"]:
            yield from screen.wrap(
                f"  {other['how']} name: {sanitize(other['id'])}", "    "
            )


def _format_definition_head(item: DefinitionDiffItem, now: int) -> str:
    """Format the id, state and approver of a definition."""
    where = "in quarantine" if item["quarantined"] else "passes"
    since = format_ago(item["since"], now) if item["since"] else ""
    parts = [
        sanitize(item["id"]),
        f"{item['state']}, {where}",
        f"({since})" if since else "",
    ]
    held = item["pinned"]
    if held is not None and held["person"]:
        parts.append(f"approved by {sanitize(held['person'])}")
        parts.append("" if held["proven"] else "(no such approval in the log)")
    return " ".join(part for part in parts if part)


def render_approval(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the approved items, the approver and the statement."""
    items = cast("Sequence[DefinitionApprovalItem]", document.items)
    for item in items:
        yield from screen.wrap(
            f"{sanitize(item['id'])} {sanitize(item['sha256'])}", "    "
        )
    if items:
        yield f"approved by {sanitize(items[0]['person'])}, within a second"
        yield from screen.wrap(f"statement {items[0]['statement']}", "    ")


def _shorten_field(text: str) -> str:
    """Cut a long field, and append its length."""
    return sanitize(
        text
        if len(text) <= MAX_FIELD_LENGTH
        else f"{text[:MAX_FIELD_LENGTH]}... ({len(text)} letters)"
    )

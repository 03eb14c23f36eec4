"""Renderers of permissions: verdict, conditions, path, deciding statements."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.conditions import conditions
from answerable.cli.render.proof import proof
from answerable.cli.render.screen import Screen
from answerable.model.documents.core import (
    CanItem,
    DeterminingItem,
    Document,
    PartItem,
    PathItem,
    ReachItem,
)
from answerable.presentation.conditions import statement
from answerable.presentation.pattern_extent import extent, told_parts
from answerable.presentation.permission_groups import Block, by_way
from answerable.presentation.proof_text import assuming
from answerable.presentation.text import safe, width
from answerable.presentation.unknown_text import looked, would_tell

_MOST = 6
_MOST_PARTS = 20


def can(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the verdict first, then open conditions, then the proof."""
    for item in cast("Sequence[CanItem]", document.items):
        assumed = assuming(item["verdict"], item.get("assuming", []))
        head = verdict(item["verdict"], screen)
        yield from screen.wrap(f"{head}, {assumed}" if assumed else head)
        yield from _question(item, screen)
        yield from unknown(item, screen, "  ")
        if item["admin"]:
            yield "  administrator: it can come to do anything"
        parts = told_parts(item)
        if parts:
            yield from _parts(item, parts, screen, "  ")
        else:
            yield from conditions(item["conditions"], screen, "  ")
        yield from _unguarded(item, screen, "  ")
        if item["verdict"] != "not-known":
            yield from proof(item, screen)


def _question(item: CanItem, screen: Screen) -> Iterator[str]:
    """Render the call, with the resource on a line of its own if needed."""
    does = f"  {safe(item['subject'])} {_does(item['verdict'])} {safe(item['action'])}"
    resource, much = safe(item["resource"]), extent(item)
    if width(f"{does} on {much}{resource}") <= screen.width:
        yield f"{does} on {much}{resource}"
        return
    yield from screen.wrap(f"{does} on {much}".rstrip(), "    ")
    yield from screen.wrap(f"    {resource}", "    ")


def _parts(
    item: CanItem | ReachItem,
    parts: Sequence[PartItem],
    screen: Screen,
    indent: str,
) -> Iterator[str]:
    """Render the parts of a pattern, each with verdict, conditions and path."""
    inner = indent + "    "
    for part in parts[:_MOST_PARTS]:
        word = verdict(part["verdict"], screen)
        yield from screen.wrap(f"{indent}{word}  {safe(part['resource'])}", inner)
        yield from conditions(part["conditions"], screen, inner)
        if part["path"] != item["path"]:
            yield from path(part["path"], item["subject"], screen, inner)
    if len(parts) > _MOST_PARTS:
        yield f"{indent}and {len(parts) - _MOST_PARTS:,} more parts: -o json lists all"


def _unguarded(item: CanItem | ReachItem, screen: Screen, indent: str) -> Iterator[str]:
    """Render a warning about a condition without effect."""
    if item.get("unguarded"):
        because = safe(item.get("unguarded_because", ""))
        yield from screen.wrap(f"{indent}unguarded: {because}", indent + "  ")


def _does(verdict_word: str) -> str:
    return {"never": "cannot", "not-known": "may or may not"}.get(verdict_word, "can")


def unknown(item: CanItem | ReachItem, screen: Screen, indent: str) -> Iterator[str]:
    """Render the reason of an unknown verdict, and the source that would tell."""
    for each in item.get("unknown", []):
        head = "" if each["id"] == item["subject"] else f"{safe(each['id'])}: "
        said = f"{indent}{head}{safe(would_tell(each))}"
        yield from screen.wrap(said, indent + "  ")


def verdict(word: str, screen: Screen, assumes: bool = False) -> str:
    """Format a verdict with its mark; `+assumes` if coverage is open."""
    mark = screen.marks.verdicts.get(word, "?")
    return f"{mark} {safe(word)}" + (" +assumes" if assumes else "")


def path(
    steps: Sequence[PathItem], subject: str, screen: Screen, indent: str
) -> Iterator[str]:
    """Render the steps from a subject to the acting identity."""
    if steps and steps[0]["from"] != subject:
        yield from screen.wrap(f"{indent}from {safe(steps[0]['from'])}", indent + "   ")
    stroke = screen.marks.hops["observed"].strip()
    inner = indent + "   "
    for step in steps:
        yield from screen.wrap(
            f"{indent}{stroke} {safe(step['via'])} {stroke} {safe(step['to'])}", inner
        )
        yield from conditions(step.get("conditions", []), screen, inner)
        yield from statements(step.get("determining", []), screen, inner)


def statements(
    items: Sequence[DeterminingItem], screen: Screen, indent: str
) -> Iterator[str]:
    """Render the deciding statements."""
    for item in items:
        yield from screen.wrap(f"{indent}because {statement(item)}", indent + "  ")


def reach(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render permissions grouped by path."""
    ways = by_way(cast("Sequence[ReachItem]", document.items))
    subject = ""
    for number, blocks in enumerate(ways):
        first = blocks[0].item
        if number:
            yield ""
        if first["subject"] != subject:
            subject = first["subject"]
            yield safe(subject)
            yield from _agents(first, screen)
        if first["admin"]:
            yield "  administrator: it can come to do anything"
        yield from path(first["path"], subject, screen, "  ")
        for block in blocks:
            yield from _block(block, screen)
    yield from _looked(document, screen)


def _agents(item: ReachItem, screen: Screen) -> Iterator[str]:
    """Render the agents that act through an identity."""
    agents = item.get("agents", [])
    if agents:
        shown = ", ".join(map(safe, agents[:_MOST]))
        rest = f" +{len(agents) - _MOST} more" if len(agents) > _MOST else ""
        yield from screen.wrap(f"  agents: {shown}{rest}", "    ")


def _looked(document: Document, screen: Screen) -> Iterator[str]:
    """Render the accounts and platforms that `who-can` covers."""
    if "looked" in document.coverage:
        yield ""
        yield from screen.wrap(safe(looked(document.coverage["looked"])), "  ")


def _block(block: Block, screen: Screen) -> Iterator[str]:
    shown = [safe(action) for action in block.actions[:_MOST]]
    rest = len(block.actions) - _MOST
    actions = ", ".join(shown) + (f" +{rest} more" if rest > 0 else "")
    word = verdict(block.item["verdict"], screen, bool(block.item.get("assuming")))
    resource = f"{extent(block.item)}{safe(block.item['resource'])}"
    yield from screen.wrap(f"  {word}  {actions} on {resource}", "      ")
    yield from unknown(block.item, screen, "      ")
    parts = told_parts(block.item)
    if parts:
        yield from _parts(block.item, parts, screen, "      ")
    else:
        yield from conditions(block.item["conditions"], screen, "      ")
    yield from _unguarded(block.item, screen, "      ")
    yield from statements(block.item["determining"], screen, "      ")

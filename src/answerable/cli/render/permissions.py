"""Render permissions: verdict, conditions, path, deciding statements."""

from collections.abc import Iterator, Sequence
from typing import cast

from answerable.cli.render.conditions import render_conditions
from answerable.cli.render.permission_proof import render_proof
from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import (
    AllowedPartItem,
    DeterminingStatementItem,
    Document,
    PathItem,
    PermissionCheckItem,
    ReachItem,
)
from answerable.presentation.pattern_extent import (
    describe_covered_extent,
    select_pattern_parts,
)
from answerable.presentation.permission_groups import (
    PermissionBlock,
    group_permissions_by_path,
)
from answerable.presentation.permission_proof_text import describe_assumptions
from answerable.presentation.policy_condition_text import describe_statement
from answerable.presentation.text import cell_width, sanitize
from answerable.presentation.unknown_permission_text import (
    describe_searched_scope,
    describe_unknown_verdict,
)

_MOST = 6
_MOST_PARTS = 20


def render_can(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render the verdict first, then open conditions, then the proof."""
    for item in cast("Sequence[PermissionCheckItem]", document.items):
        assumed = describe_assumptions(item["verdict"], item.get("assuming", []))
        head = format_verdict(item["verdict"], screen)
        yield from screen.wrap(f"{head}, {assumed}" if assumed else head)
        yield from _render_asked_call(item, screen)
        yield from render_unknown_verdict(item, screen, "  ")
        if item["admin"]:
            yield "  administrator: it can obtain every permission"
        parts = select_pattern_parts(item)
        if parts:
            yield from _render_pattern_parts(item, parts, screen, "  ")
        else:
            yield from render_conditions(item["conditions"], screen, "  ")
        yield from _render_unguarded_warning(item, screen, "  ")
        if item["verdict"] != "not-known":
            yield from render_proof(item, screen)


def _render_asked_call(item: PermissionCheckItem, screen: Screen) -> Iterator[str]:
    """Render the call, with the resource on a line of its own if needed."""
    does = f"  {sanitize(item['subject'])} {_format_verb(item['verdict'])} {sanitize(item['action'])}"
    resource, much = sanitize(item["resource"]), describe_covered_extent(item)
    if cell_width(f"{does} on {much}{resource}") <= screen.width:
        yield f"{does} on {much}{resource}"
        return
    yield from screen.wrap(f"{does} on {much}".rstrip(), "    ")
    yield from screen.wrap(f"    {resource}", "    ")


def _render_pattern_parts(
    item: PermissionCheckItem | ReachItem,
    parts: Sequence[AllowedPartItem],
    screen: Screen,
    indent: str,
) -> Iterator[str]:
    """Render the parts of a pattern, each with verdict, conditions and path."""
    inner = indent + "    "
    for part in parts[:_MOST_PARTS]:
        word = format_verdict(part["verdict"], screen)
        yield from screen.wrap(f"{indent}{word}  {sanitize(part['resource'])}", inner)
        yield from render_conditions(part["conditions"], screen, inner)
        if part["path"] != item["path"]:
            yield from render_path(part["path"], item["subject"], screen, inner)
    if len(parts) > _MOST_PARTS:
        yield f"{indent}and {len(parts) - _MOST_PARTS:,} more parts: -o json lists all"


def _render_unguarded_warning(
    item: PermissionCheckItem | ReachItem, screen: Screen, indent: str
) -> Iterator[str]:
    """Render a warning about a condition without effect."""
    if item.get("unguarded"):
        because = sanitize(item.get("unguarded_because", ""))
        yield from screen.wrap(f"{indent}unguarded: {because}", indent + "  ")


def _format_verb(verdict_word: str) -> str:
    """Return the verb of a verdict: can, cannot, may or may not."""
    return {"never": "cannot", "not-known": "may or may not"}.get(verdict_word, "can")


def render_unknown_verdict(
    item: PermissionCheckItem | ReachItem, screen: Screen, indent: str
) -> Iterator[str]:
    """Render why a verdict is unknown, and the source that has to be scanned."""
    for each in item.get("unknown", []):
        head = "" if each["id"] == item["subject"] else f"{sanitize(each['id'])}: "
        said = f"{indent}{head}{sanitize(describe_unknown_verdict(each))}"
        yield from screen.wrap(said, indent + "  ")


def format_verdict(verdict: str, screen: Screen, assumes: bool = False) -> str:
    """Format a verdict with its mark; `+assumes` if coverage is open."""
    mark = screen.marks.verdicts.get(verdict, "?")
    return f"{mark} {sanitize(verdict)}" + (" +assumes" if assumes else "")


def render_path(
    steps: Sequence[PathItem], subject: str, screen: Screen, indent: str
) -> Iterator[str]:
    """Render the steps from a subject to the acting identity."""
    if steps and steps[0]["from"] != subject:
        yield from screen.wrap(
            f"{indent}from {sanitize(steps[0]['from'])}", indent + "   "
        )
    stroke = screen.marks.hops["observed"].strip()
    inner = indent + "   "
    for step in steps:
        yield from screen.wrap(
            f"{indent}{stroke} {sanitize(step['via'])} {stroke} {sanitize(step['to'])}",
            inner,
        )
        yield from render_conditions(step.get("conditions", []), screen, inner)
        yield from render_statements(step.get("determining", []), screen, inner)


def render_statements(
    items: Sequence[DeterminingStatementItem], screen: Screen, indent: str
) -> Iterator[str]:
    """Render the policy statements that decided a verdict, one a line."""
    for item in items:
        yield from screen.wrap(
            f"{indent}because {describe_statement(item)}", indent + "  "
        )


def render_reach(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Render permissions grouped by path."""
    ways = group_permissions_by_path(cast("Sequence[ReachItem]", document.items))
    subject = ""
    for number, blocks in enumerate(ways):
        first = blocks[0].item
        if number:
            yield ""
        if first["subject"] != subject:
            subject = first["subject"]
            yield sanitize(subject)
            yield from _render_agents(first, screen)
        if first["admin"]:
            yield "  administrator: it can obtain every permission"
        yield from render_path(first["path"], subject, screen, "  ")
        for block in blocks:
            yield from _render_permission_group(block, screen)
    yield from _render_search_scope(document, screen)


def _render_agents(item: ReachItem, screen: Screen) -> Iterator[str]:
    """Render the agents that act through an identity."""
    agents = item.get("agents", [])
    if agents:
        shown = ", ".join(map(sanitize, agents[:_MOST]))
        rest = f" +{len(agents) - _MOST} more" if len(agents) > _MOST else ""
        yield from screen.wrap(f"  agents: {shown}{rest}", "    ")


def _render_search_scope(document: Document, screen: Screen) -> Iterator[str]:
    """Render the accounts and platforms that `who-can` covers."""
    if "looked" in document.coverage:
        yield ""
        yield from screen.wrap(
            sanitize(describe_searched_scope(document.coverage["looked"])), "  "
        )


def _render_permission_group(block: PermissionBlock, screen: Screen) -> Iterator[str]:
    """Render actions with the same verdict, resource, conditions and statements."""
    shown = [sanitize(action) for action in block.actions[:_MOST]]
    rest = len(block.actions) - _MOST
    actions = ", ".join(shown) + (f" +{rest} more" if rest > 0 else "")
    word = format_verdict(
        block.item["verdict"], screen, bool(block.item.get("assuming"))
    )
    resource = (
        f"{describe_covered_extent(block.item)}{sanitize(block.item['resource'])}"
    )
    yield from screen.wrap(f"  {word}  {actions} on {resource}", "      ")
    yield from render_unknown_verdict(block.item, screen, "      ")
    parts = select_pattern_parts(block.item)
    if parts:
        yield from _render_pattern_parts(block.item, parts, screen, "      ")
    else:
        yield from render_conditions(block.item["conditions"], screen, "      ")
    yield from _render_unguarded_warning(block.item, screen, "      ")
    yield from render_statements(block.item["determining"], screen, "      ")

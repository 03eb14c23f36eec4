"""Render the proof of one permission: path, deciding statements, assumptions."""

from collections.abc import Iterator, Sequence

from answerable.cli.render.conditions import render_conditions
from answerable.cli.render.screen import Screen
from answerable.model.documents.shared_shapes import (
    DeterminingStatementItem,
    PathItem,
    PermissionCheckItem,
    PolicyLayerItem,
)
from answerable.presentation.permission_proof_text import (
    describe_policy_effect,
    group_undecided_layers,
)
from answerable.presentation.policy_condition_text import format_layer_name
from answerable.presentation.text import cell_width, pad, sanitize, shorten_end

_MOST = 6
# The start and the end of a long path are most relevant.
_FIRST_STEPS, _LAST_STEPS = 3, 2
_TEXT_LINES = 3
_GUTTER = 10


def render_proof(item: PermissionCheckItem, screen: Screen) -> Iterator[str]:
    """Render the path of the subject, then the statements that decide the call."""
    if item["path"]:
        yield ""
        yield "path"
        yield from _render_path(item["path"], item["subject"], screen)
    yield ""
    yield "the call itself" if item["path"] else "decided by"
    yield from render_statement_lines(item["determining"], screen, "  ")
    if not item["determining"] and item["verdict"] == "never":
        yield "  no collected statement allows it"
    yield from _render_undecided_layers(item.get("layers", []), screen)


def _render_path(
    steps: Sequence[PathItem], subject: str, screen: Screen
) -> Iterator[str]:
    """Render the steps of a path; the middle of a long one is left out."""
    if steps[0]["from"] != subject:
        yield from screen.wrap(f"  from {sanitize(steps[0]['from'])}", "     ")
    left_out = range(_FIRST_STEPS, len(steps) - _LAST_STEPS)
    for number, step in enumerate(steps):
        if number in left_out:
            if number == _FIRST_STEPS:
                yield f"     and {len(left_out)} more steps; -o json lists them"
            continue
        yield from _render_step(step, number + 1, screen)


def _render_step(step: PathItem, number: int, screen: Screen) -> Iterator[str]:
    """Render a numbered step with its conditions and statements."""
    stroke = screen.marks.hops["observed"].strip()
    yield from screen.wrap(
        f"  {number}  {sanitize(step['via'])} {stroke} {sanitize(step['to'])}", "     "
    )
    yield from render_conditions(step["conditions"], screen, "     ", brief=True)
    yield from render_statement_lines(step["determining"], screen, "     ")


def render_statement_lines(
    items: Sequence[DeterminingStatementItem], screen: Screen, indent: str
) -> Iterator[str]:
    """Render statements in two columns: layer and effect."""
    inner = indent + " " * _GUTTER
    for item in items[:_MOST]:
        head = describe_policy_effect(item)
        layer = pad(format_layer_name(item["layer"], short=True), _GUTTER - 1) + " "
        yield from screen.wrap(f"{indent}{layer}{head}", inner)
        yield from _render_statement_text(item.get("text", ""), screen, inner)
    if len(items) > _MOST:
        yield f"{inner}and {len(items) - _MOST} more; -o json lists them"


def _render_statement_text(text: str, screen: Screen, indent: str) -> Iterator[str]:
    """Render a statement's text, cut after a few lines."""
    if not text:
        return
    lines = screen.wrap(indent + sanitize(text), indent)
    if len(lines) > _TEXT_LINES:
        mark = screen.marks.ellipsis
        last = lines[_TEXT_LINES - 1].strip() + mark * 2
        room = max(
            1,
            min(screen.width - cell_width(indent), cell_width(last) - cell_width(mark)),
        )
        lines = [*lines[: _TEXT_LINES - 1], indent + shorten_end(last, room, mark)]
    yield from lines


def _render_undecided_layers(
    layers: Sequence[PolicyLayerItem], screen: Screen
) -> Iterator[str]:
    """Render the layers that decided nothing, by reason."""
    for said, named in group_undecided_layers(layers):
        yield from screen.wrap(f"  {said}: {', '.join(named)}", "    ")

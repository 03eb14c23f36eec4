"""Renderer of the proof of one answer: path, deciding statements, assumptions."""

from collections.abc import Iterator, Sequence

from answerable.cli.render.conditions import conditions
from answerable.cli.render.screen import Screen
from answerable.model.documents.core import (
    CanItem,
    DeterminingItem,
    LayerItem,
    PathItem,
)
from answerable.presentation.conditions import layer_name
from answerable.presentation.proof_text import said_of, undecided
from answerable.presentation.text import pad, safe, shorten_end, width

_MOST = 6
# The start and the end of a long path are most relevant.
_FIRST_STEPS, _LAST_STEPS = 3, 2
_TEXT_LINES = 3
_GUTTER = 10


def proof(item: CanItem, screen: Screen) -> Iterator[str]:
    """Render the path of the subject, then the statements that decide the call."""
    if item["path"]:
        yield ""
        yield "path"
        yield from _path(item["path"], item["subject"], screen)
    yield ""
    yield "the call itself" if item["path"] else "decided by"
    yield from statement_lines(item["determining"], screen, "  ")
    if not item["determining"] and item["verdict"] == "never":
        yield "  no statement that was collected allows it"
    yield from _layers(item.get("layers", []), screen)


def _path(steps: Sequence[PathItem], subject: str, screen: Screen) -> Iterator[str]:
    if steps[0]["from"] != subject:
        yield from screen.wrap(f"  from {safe(steps[0]['from'])}", "     ")
    left_out = range(_FIRST_STEPS, len(steps) - _LAST_STEPS)
    for number, step in enumerate(steps):
        if number in left_out:
            if number == _FIRST_STEPS:
                yield f"     and {len(left_out)} more steps; -o json lists them"
            continue
        yield from _step(step, number + 1, screen)


def _step(step: PathItem, number: int, screen: Screen) -> Iterator[str]:
    stroke = screen.marks.hops["observed"].strip()
    yield from screen.wrap(
        f"  {number}  {safe(step['via'])} {stroke} {safe(step['to'])}", "     "
    )
    yield from conditions(step["conditions"], screen, "     ", brief=True)
    yield from statement_lines(step["determining"], screen, "     ")


def statement_lines(
    items: Sequence[DeterminingItem], screen: Screen, indent: str
) -> Iterator[str]:
    """Render statements in two columns: layer and effect."""
    inner = indent + " " * _GUTTER
    for item in items[:_MOST]:
        head = said_of(item)
        layer = pad(layer_name(item["layer"], short=True), _GUTTER)
        yield from screen.wrap(f"{indent}{layer}{head}", inner)
        yield from _quoted(item.get("text", ""), screen, inner)
    if len(items) > _MOST:
        yield f"{inner}and {len(items) - _MOST} more; -o json lists them"


def _quoted(text: str, screen: Screen, indent: str) -> Iterator[str]:
    """Render a statement's text, cut after a few lines."""
    if not text:
        return
    lines = screen.wrap(indent + safe(text), indent)
    if len(lines) > _TEXT_LINES:
        mark = screen.marks.ellipsis
        last = lines[_TEXT_LINES - 1].strip() + mark * 2
        room = max(1, min(screen.width - width(indent), width(last) - width(mark)))
        lines = [*lines[: _TEXT_LINES - 1], indent + shorten_end(last, room, mark)]
    yield from lines


def _layers(layers: Sequence[LayerItem], screen: Screen) -> Iterator[str]:
    """Render the layers that decided nothing, by reason."""
    for said, named in undecided(layers):
        yield from screen.wrap(f"  {said}: {', '.join(named)}", "    ")

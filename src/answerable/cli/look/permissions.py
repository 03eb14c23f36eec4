"""What may be done, and why: verdict, conditions, path, deciding statements."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from answerable.cli.look.conditions import condition, statement
from answerable.cli.look.coverage import words
from answerable.cli.look.screen import Screen
from answerable.cli.look.text import safe
from answerable.model.document import (
    AlternativeItem,
    CanItem,
    DeterminingItem,
    Document,
    PathItem,
    ReachItem,
)

_MOST = 6


def can(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Answer first, then conditions, path and statements."""
    for item in cast("Sequence[CanItem]", document.items):
        missing = (
            item["coverage"]["not_collected"] or document.coverage["not_collected"]
        )
        yield from screen.wrap(
            f"{verdict(item['verdict'], screen, bool(missing))}  "
            f"{safe(item['subject'])} {_does(item['verdict'])} "
            f"{safe(item['action'])} on {safe(item['resource'])}"
        )
        if item["admin"]:
            yield "  administrator: it can come to do anything"
        yield from conditions(item["conditions"], screen, "  ")
        yield from path(item["path"], item["subject"], screen, "  ")
        yield from statements(item["determining"], screen, "  ")
        if not item["determining"] and item["verdict"] == "never":
            yield "  because no statement that was collected allows it"
        if missing:
            yield from screen.wrap(
                f"  assumes that nothing not collected changes it: {words(missing)}",
                "    ",
            )


def _does(verdict_word: str) -> str:
    return "cannot" if verdict_word == "never" else "can"


def verdict(word: str, screen: Screen, assumes: bool = False) -> str:
    """Write a verdict with its mark; `+assumes` where coverage is open."""
    mark = screen.marks.verdicts.get(word, "?")
    return f"{mark} {safe(word)}" + (" +assumes" if assumes else "")


def conditions(
    alternatives: Sequence[AlternativeItem], screen: Screen, indent: str
) -> Iterator[str]:
    """Write each alternative: all of its conditions must hold."""
    for number, alternative in enumerate(alternatives):
        word = "or if " if number else "if "
        for one in alternative["all_of"]:
            yield from screen.wrap(f"{indent}{word}{condition(one)}", indent + "    ")
            word = "  and "


def path(
    steps: Sequence[PathItem], subject: str, screen: Screen, indent: str
) -> Iterator[str]:
    """Write how a subject comes to act as what is allowed, step by step."""
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
    """Write the statements that decided."""
    for item in items:
        yield from screen.wrap(f"{indent}because {statement(item)}", indent + "  ")


@dataclass(slots=True)
class _Block:
    """Items that differ in their action alone."""

    item: ReachItem
    actions: list[str]


def reach(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Show permissions under the path that leads to them, alike ones together."""
    assumes = bool(document.coverage["not_collected"])
    ways = _by_way(cast("Sequence[ReachItem]", document.items))
    subject = ""
    for number, blocks in enumerate(ways):
        first = blocks[0].item
        if number:
            yield ""
        if first["subject"] != subject:
            subject = first["subject"]
            yield safe(subject)
        if first["admin"]:
            yield "  administrator: it can come to do anything"
        yield from path(first["path"], subject, screen, "  ")
        for block in blocks:
            yield from _block(block, screen, assumes)


def _by_way(items: Sequence[ReachItem]) -> list[list[_Block]]:
    ways: dict[str, dict[str, _Block]] = {}
    for item in items:
        way = repr((item["subject"], item["admin"], item["path"]))
        rest = (item["verdict"], item["resource"], item["conditions"])
        same = repr((rest, item["determining"]))
        block = ways.setdefault(way, {}).setdefault(same, _Block(item, []))
        block.actions.append(item["action"])
    return [list(blocks.values()) for blocks in ways.values()]


def _block(block: _Block, screen: Screen, assumes: bool) -> Iterator[str]:
    shown = [safe(action) for action in block.actions[:_MOST]]
    rest = len(block.actions) - _MOST
    actions = ", ".join(shown) + (f" +{rest} more" if rest > 0 else "")
    word = verdict(block.item["verdict"], screen, assumes)
    yield from screen.wrap(
        f"  {word}  {actions} on {safe(block.item['resource'])}", "      "
    )
    yield from conditions(block.item["conditions"], screen, "      ")
    yield from statements(block.item["determining"], screen, "      ")

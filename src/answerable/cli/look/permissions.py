"""What may be done, and why: verdict, conditions, path, deciding statements."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from answerable.cli.look.coverage import words
from answerable.cli.look.screen import Screen
from answerable.cli.look.text import safe
from answerable.model.document import (
    AlternativeItem,
    CanItem,
    ConditionItem,
    DeterminingItem,
    Document,
    PathItem,
    ReachItem,
)

# Operators as a stranger reads them; what is not here stands as the policy wrote it.
_OPERATORS = {
    "StringEquals": ("is", "is not"),
    "StringEqualsIgnoreCase": ("is, in any case,", "is not, in any case,"),
    "StringLike": ("matches", "does not match"),
    "ArnEquals": ("is", "is not"),
    "ArnLike": ("matches", "does not match"),
    "IpAddress": ("is inside", "is outside"),
    "Bool": ("is", "is not"),
    "Null": ("is absent:", "is not absent:"),
    "NumericEquals": ("is", "is not"),
    "NumericLessThan": ("is less than", "is not less than"),
    "NumericLessThanEquals": ("is at most", "is not at most"),
    "NumericGreaterThan": ("is more than", "is not more than"),
    "NumericGreaterThanEquals": ("is at least", "is not at least"),
    "DateLessThan": ("is before", "is not before"),
    "DateGreaterThan": ("is after", "is not after"),
}

_ASSERTED = {
    "platform": "set by the platform",
    "operation": "set by what is asked for",
    "caller": "chosen by the caller",
    "depends": "depends on who sets it",
}

_EFFECTS = {"allow": "allowed", "deny": "denied", "bound": "limited"}
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
            yield "  it can grant itself anything (administrator)"
        yield from conditions(item["conditions"], screen, "  ")
        yield from path(item["path"], screen, "  ")
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


def condition(item: ConditionItem) -> str:
    """Write one open condition and who writes its key."""
    words_of = _OPERATORS.get(item["operator"])
    if words_of is None:
        says = ("not " if item["negated"] else "") + safe(item["operator"])
    else:
        says = words_of[item["negated"]]
    values = " or ".join(safe(value) for value in item["values"][:_MOST])
    rest = len(item["values"]) - _MOST
    values += f" or one of {rest} more" if rest > 0 else ""
    by = _ASSERTED.get(item["asserted_by"], safe(item["asserted_by"]))
    return f"{safe(item['key'])} {says} {values} ({by})"


def path(steps: Sequence[PathItem], screen: Screen, indent: str) -> Iterator[str]:
    """Write how the subject comes to act as what is allowed, step by step."""
    if not steps:
        return
    yield f"{indent}path {safe(steps[0]['from'])}"
    stroke = screen.marks.hops["observed"].strip()
    for step in steps:
        yield from screen.wrap(
            f"{indent}  {stroke} {safe(step['via'])} {stroke} {safe(step['to'])}",
            indent + "     ",
        )
        yield from conditions(step.get("conditions", []), screen, indent + "     ")
        yield from statements(step.get("determining", []), screen, indent + "     ")


def statements(
    items: Sequence[DeterminingItem], screen: Screen, indent: str
) -> Iterator[str]:
    """Write the statements that decided."""
    for item in items:
        yield from screen.wrap(f"{indent}because {statement(item)}", indent + "  ")


def statement(item: DeterminingItem) -> str:
    """Write one statement: `allowed by identity policy WarehouseRead, statement Read`."""
    effect = _EFFECTS.get(item["effect"].lower(), safe(item["effect"]))
    layer = safe(item["layer"]).replace("-", " ")
    text = f"{effect} by {layer} {safe(item['policy'])}".rstrip()
    return f"{text}, statement {safe(item['statement'])}" if item["statement"] else text


@dataclass(slots=True)
class _Block:
    """Items that differ in their action alone."""

    item: ReachItem
    actions: list[str]


def reach(document: Document, screen: Screen, now: int) -> Iterator[str]:
    """Show permissions under the path that leads to them, alike ones together."""
    assumes = bool(document.coverage["not_collected"])
    ways = _by_way(cast("Sequence[ReachItem]", document.items))
    for number, blocks in enumerate(ways):
        first = blocks[0].item
        if number:
            yield ""
        yield safe(first["subject"]) + (" (administrator)" if first["admin"] else "")
        yield from path(first["path"], screen, "  ")
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

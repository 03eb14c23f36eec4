"""Table rows of permission answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from answerable.model.documents.core import (
    AlternativeItem,
    CanItem,
    DeterminingItem,
    PathItem,
    ReachItem,
)
from answerable.presentation.conditions import condition, layer_name, statement
from answerable.presentation.pattern_extent import extent, told_parts
from answerable.presentation.permission_groups import Block, by_way
from answerable.presentation.proof_text import said_of
from answerable.presentation.unknown_text import would_tell
from answerable.web.pages.reach.question import Question
from answerable.web.template_filters import page_of

_MOST = 6
_PATTERN = frozenset("*? ")
Row = Mapping[str, Any]


def open_conditions(alternatives: Sequence[AlternativeItem]) -> list[list[str]]:
    """Format alternatives, each a list of conditions that must all hold."""
    return [
        [condition(one, brief=True) for one in alternative["all_of"]]
        for alternative in alternatives
    ]


def told_conditions(alternatives: Sequence[AlternativeItem]) -> list[list[str]]:
    """Format alternatives, with the writer of each key."""
    return [
        [condition(one) for one in alternative["all_of"]]
        for alternative in alternatives
    ]


def statements(found: Sequence[DeterminingItem]) -> list[Row]:
    """Return statements with layer, effect and text."""
    return [
        {
            "layer": layer_name(item["layer"]),
            "said": said_of(item),
            "text": item.get("text", ""),
        }
        for item in found
    ]


def steps(path: Sequence[PathItem]) -> list[Row]:
    """Return the steps of a path."""
    return [
        {
            "from": step["from"],
            "via": step["via"],
            "to": step["to"],
            "page": page_of(step["to"]),
            "conditions": open_conditions(step["conditions"]),
            "told": told_conditions(step["conditions"]),
            "statements": statements(step["determining"]),
            "because": [statement(item) for item in step["determining"]],
        }
        for step in path
    ]


def ways(items: Sequence[ReachItem], question: Question) -> list[Row]:
    """Group rows by path and merge equal ones."""
    return [_way(blocks, question) for blocks in by_way(items)]


def _way(blocks: Sequence[Block], question: Question) -> Row:
    first = blocks[0].item
    path = first["path"]
    return {
        "identity": path[-1]["to"] if path else first["subject"],
        "admin": first["admin"],
        "steps": steps(path),
        "rows": [_row(block, question) for block in blocks],
    }


def _row(block: Block, question: Question) -> Row:
    item, actions = block.item, block.actions
    # A pattern is no call, so there is no one proof of it.
    why = ""
    if len(actions) == 1 and not _PATTERN & set(actions[0]):
        why = question.at("/can", **_call(item["subject"], actions[0], item))
    return {
        "verdict": item["verdict"],
        "actions": actions[:_MOST],
        "more": len(actions) - _MOST,
        "resource": item["resource"],
        "conditions": open_conditions(item["conditions"]),
        "unguarded": _unguarded(item),
        "unknown": unknown(item),
        "assumes": bool(item.get("assuming")),
        "because": [statement(one) for one in item["determining"]],
        "why": why,
    }


def _call(subject: str, action: str, item: ReachItem) -> dict[str, str]:
    # `arn:... except arn:...` is a description, not a resource to query.
    resource = item["resource"]
    return {
        "subject": subject,
        "action": action,
        "resource": "*" if " " in resource else resource,
    }


def _unguarded(item: ReachItem | CanItem) -> str:
    return item.get("unguarded_because", "") if item.get("unguarded") else ""


def unknown(item: ReachItem | CanItem) -> list[str]:
    """Return why a verdict is not known, and the source that would tell."""
    return [
        would_tell(each)
        if each["id"] == item["subject"]
        else f"{each['id']}: {would_tell(each)}"
        for each in item.get("unknown", [])
    ]


def pairs(items: Sequence[ReachItem], question: Question) -> Iterator[Row]:
    """Yield a row for each identity that can make the call."""
    for item in items:
        yield {
            "subject": item["subject"],
            "page": page_of(item["subject"]),
            "verdict": item["verdict"],
            "admin": item["admin"],
            "agents": [(one, page_of(one)) for one in item.get("agents", [])],
            "extent": extent(item),
            "parts": parts(item),
            "steps": steps(item["path"]),
            "conditions": _told_open(item),
            "unguarded": _unguarded(item),
            "unknown": unknown(item),
            "assumes": bool(item.get("assuming")),
            "because": [statement(one) for one in item["determining"]],
            "why": question.at("/can", **_call(item["subject"], item["action"], item)),
        }


def _told(item: CanItem) -> list[list[str]]:
    """Return the conditions of an answer without per-part conditions."""
    return [] if told_parts(item) else told_conditions(item["conditions"])


def parts(item: CanItem | ReachItem) -> list[Row]:
    """Return the parts of a pattern that differ from the whole answer."""
    return [
        {
            "verdict": part["verdict"],
            "resource": part["resource"],
            "conditions": open_conditions(part["conditions"]),
        }
        for part in told_parts(item)
    ]


def _told_open(item: ReachItem) -> list[list[str]]:
    return [] if told_parts(item) else open_conditions(item["conditions"])


def proof(item: CanItem) -> Row:
    """Return the proof of one answer."""
    return {
        "conditions": _told(item),
        "extent": extent(item),
        "parts": parts(item),
        "unguarded": _unguarded(item),
        "steps": steps(item["path"]),
        "statements": statements(item["determining"]),
    }

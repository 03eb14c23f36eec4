"""Table rows of permission answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from answerable.model.documents.core import (
    ConditionSetItem,
    DeterminingStatementItem,
    PathItem,
    PermissionCheckItem,
    ReachItem,
)
from answerable.presentation.conditions import (
    describe_condition,
    describe_statement,
    layer_name,
)
from answerable.presentation.pattern_extent import describe_extent, select_parts
from answerable.presentation.permission_groups import PermissionBlock, group_by_path
from answerable.presentation.proof_text import describe_policy
from answerable.presentation.unknown_text import describe_unknown
from answerable.web.pages.reach.question import ReachQuestion
from answerable.web.template_filters import entity_page

_MAX_ACTIONS = 6
_PATTERN = frozenset("*? ")
TemplateRow = Mapping[str, Any]


def brief_conditions(alternatives: Sequence[ConditionSetItem]) -> list[list[str]]:
    """Format alternatives, each a list of conditions that must all hold."""
    return [
        [describe_condition(one, brief=True) for one in alternative["all_of"]]
        for alternative in alternatives
    ]


def full_conditions(alternatives: Sequence[ConditionSetItem]) -> list[list[str]]:
    """Format alternatives, with the writer of each key."""
    return [
        [describe_condition(one) for one in alternative["all_of"]]
        for alternative in alternatives
    ]


def statement_rows(found: Sequence[DeterminingStatementItem]) -> list[TemplateRow]:
    """Return statements with layer, effect and text."""
    return [
        {
            "layer": layer_name(item["layer"]),
            "said": describe_policy(item),
            "text": item.get("text", ""),
        }
        for item in found
    ]


def step_rows(path: Sequence[PathItem]) -> list[TemplateRow]:
    """Return the steps of a path."""
    return [
        {
            "from": step["from"],
            "via": step["via"],
            "to": step["to"],
            "page": entity_page(step["to"]),
            "conditions": brief_conditions(step["conditions"]),
            "told": full_conditions(step["conditions"]),
            "statements": statement_rows(step["determining"]),
            "because": [describe_statement(item) for item in step["determining"]],
        }
        for step in path
    ]


def path_rows(items: Sequence[ReachItem], question: ReachQuestion) -> list[TemplateRow]:
    """Group rows by path and merge equal ones."""
    return [_path_row(blocks, question) for blocks in group_by_path(items)]


def _path_row(
    blocks: Sequence[PermissionBlock], question: ReachQuestion
) -> TemplateRow:
    first = blocks[0].item
    path = first["path"]
    return {
        "identity": path[-1]["to"] if path else first["subject"],
        "admin": first["admin"],
        "steps": step_rows(path),
        "rows": [_block_row(block, question) for block in blocks],
    }


def _block_row(block: PermissionBlock, question: ReachQuestion) -> TemplateRow:
    item, actions = block.item, block.actions
    # A pattern is no call, so there is no one proof of it.
    why = ""
    if len(actions) == 1 and not _PATTERN & set(actions[0]):
        why = question.link_to(
            "/can", **_call_parameters(item["subject"], actions[0], item)
        )
    return {
        "verdict": item["verdict"],
        "actions": actions[:_MAX_ACTIONS],
        "more": len(actions) - _MAX_ACTIONS,
        "resource": item["resource"],
        "conditions": brief_conditions(item["conditions"]),
        "unguarded": _unguarded_reason(item),
        "unknown": unknown_reasons(item),
        "assumes": bool(item.get("assuming")),
        "because": [describe_statement(one) for one in item["determining"]],
        "why": why,
    }


def _call_parameters(subject: str, action: str, item: ReachItem) -> dict[str, str]:
    # `arn:... except arn:...` is a description, not a resource to query.
    resource = item["resource"]
    return {
        "subject": subject,
        "action": action,
        "resource": "*" if " " in resource else resource,
    }


def _unguarded_reason(item: ReachItem | PermissionCheckItem) -> str:
    return item.get("unguarded_because", "") if item.get("unguarded") else ""


def unknown_reasons(item: ReachItem | PermissionCheckItem) -> list[str]:
    """Return why a verdict is not known, and the source that would tell."""
    return [
        describe_unknown(each)
        if each["id"] == item["subject"]
        else f"{each['id']}: {describe_unknown(each)}"
        for each in item.get("unknown", [])
    ]


def subject_rows(
    items: Sequence[ReachItem], question: ReachQuestion
) -> Iterator[TemplateRow]:
    """Yield a row for each identity that can make the call."""
    for item in items:
        yield {
            "subject": item["subject"],
            "page": entity_page(item["subject"]),
            "verdict": item["verdict"],
            "admin": item["admin"],
            "agents": [(one, entity_page(one)) for one in item.get("agents", [])],
            "extent": describe_extent(item),
            "parts": part_rows(item),
            "steps": step_rows(item["path"]),
            "conditions": _brief_condition_rows(item),
            "unguarded": _unguarded_reason(item),
            "unknown": unknown_reasons(item),
            "assumes": bool(item.get("assuming")),
            "because": [describe_statement(one) for one in item["determining"]],
            "why": question.link_to(
                "/can", **_call_parameters(item["subject"], item["action"], item)
            ),
        }


def _condition_rows(item: PermissionCheckItem) -> list[list[str]]:
    """Return the conditions of an answer without per-part conditions."""
    return [] if select_parts(item) else full_conditions(item["conditions"])


def part_rows(item: PermissionCheckItem | ReachItem) -> list[TemplateRow]:
    """Return the parts of a pattern that differ from the whole answer."""
    return [
        {
            "verdict": part["verdict"],
            "resource": part["resource"],
            "conditions": brief_conditions(part["conditions"]),
        }
        for part in select_parts(item)
    ]


def _brief_condition_rows(item: ReachItem) -> list[list[str]]:
    return [] if select_parts(item) else brief_conditions(item["conditions"])


def proof_values(item: PermissionCheckItem) -> TemplateRow:
    """Return the proof of one answer."""
    return {
        "conditions": _condition_rows(item),
        "extent": describe_extent(item),
        "parts": part_rows(item),
        "unguarded": _unguarded_reason(item),
        "steps": step_rows(item["path"]),
        "statements": statement_rows(item["determining"]),
    }

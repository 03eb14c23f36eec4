"""Build the table rows of reach, can and who-can answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from answerable.model.documents.core import (
    ConditionSetItem,
    DeterminingStatementItem,
    PathItem,
    PermissionCheckItem,
    ReachItem,
)
from answerable.presentation.pattern_extent import describe_extent, select_parts
from answerable.presentation.permission_groups import PermissionBlock, group_by_path
from answerable.presentation.permission_proof_text import describe_policy
from answerable.presentation.policy_condition_text import (
    describe_condition,
    describe_statement,
    format_layer_name,
)
from answerable.presentation.unknown_permission_text import describe_unknown
from answerable.web.pages.reach.question import ReachQuestion
from answerable.web.template_filters import entity_page

_MAX_ACTIONS = 6
_PATTERN = frozenset("*? ")
TemplateRow = Mapping[str, Any]


def brief_conditions(alternatives: Sequence[ConditionSetItem]) -> list[list[str]]:
    """Format condition sets; the conditions of one set must all hold."""
    return [
        [
            describe_condition(condition, brief=True)
            for condition in alternative["all_of"]
        ]
        for alternative in alternatives
    ]


def full_conditions(alternatives: Sequence[ConditionSetItem]) -> list[list[str]]:
    """Format condition sets, with the party that sets each condition key."""
    return [
        [describe_condition(condition) for condition in alternative["all_of"]]
        for alternative in alternatives
    ]


def statement_rows(statements: Sequence[DeterminingStatementItem]) -> list[TemplateRow]:
    """Return layer, description and text of policy statements."""
    return [
        {
            "layer": format_layer_name(item["layer"]),
            "said": describe_policy(item),
            "text": item.get("text", ""),
        }
        for item in statements
    ]


def step_rows(path: Sequence[PathItem]) -> list[TemplateRow]:
    """Return the steps of a path with their conditions and statements."""
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
    """Group permissions by path and merge rows that differ only in the action."""
    return [_path_row(blocks, question) for blocks in group_by_path(items)]


def _path_row(
    blocks: Sequence[PermissionBlock], question: ReachQuestion
) -> TemplateRow:
    """Build the row group of one path."""
    first = blocks[0].item
    path = first["path"]
    return {
        "identity": path[-1]["to"] if path else first["subject"],
        "admin": first["admin"],
        "steps": step_rows(path),
        "rows": [_permission_row(block, question) for block in blocks],
    }


def _permission_row(block: PermissionBlock, question: ReachQuestion) -> TemplateRow:
    """Build one row: verdict, actions, resource, conditions, link to the proof."""
    item, actions = block.item, block.actions
    # A pattern is not one call, so it has no single proof.
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
    """Return the query parameters of one call."""
    # `A except B` is a description, not a resource to query.
    resource = item["resource"]
    return {
        "subject": subject,
        "action": action,
        "resource": "*" if " " in resource else resource,
    }


def _unguarded_reason(item: ReachItem | PermissionCheckItem) -> str:
    """Return why a grant counts as unguarded: a condition without effect; else empty."""
    return item.get("unguarded_because", "") if item.get("unguarded") else ""


def unknown_reasons(item: ReachItem | PermissionCheckItem) -> list[str]:
    """Return why a verdict is unknown, and the source that would decide it."""
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
    """Return the parts of a resource pattern with a verdict of their own."""
    return [
        {
            "verdict": part["verdict"],
            "resource": part["resource"],
            "conditions": brief_conditions(part["conditions"]),
        }
        for part in select_parts(item)
    ]


def _brief_condition_rows(item: ReachItem) -> list[list[str]]:
    """Return the conditions of a row; none if its parts have their own."""
    return [] if select_parts(item) else brief_conditions(item["conditions"])


def proof_values(item: PermissionCheckItem) -> TemplateRow:
    """Return the template values of the proof: conditions, path, statements."""
    return {
        "conditions": _condition_rows(item),
        "extent": describe_extent(item),
        "parts": part_rows(item),
        "unguarded": _unguarded_reason(item),
        "steps": step_rows(item["path"]),
        "statements": statement_rows(item["determining"]),
    }

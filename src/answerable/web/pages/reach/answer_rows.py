"""Build the table rows of reach, can and who-can answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from answerable.model.documents.shared_shapes import (
    ConditionSetItem,
    DeterminingStatementItem,
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
from answerable.presentation.permission_proof_text import describe_policy_effect
from answerable.presentation.policy_condition_text import (
    describe_condition,
    describe_statement,
    format_layer_name,
)
from answerable.presentation.unknown_permission_text import describe_unknown_verdict
from answerable.web.pages.reach.question import ReachQuestion
from answerable.web.template_filters import entity_page, strip_exception

_MAX_ACTIONS = 6
_MAX_PARTS = 3  # of a pattern, in the row of a caller; the proof lists all
_MAX_AGENTS = 6  # of a caller
_PATTERN = frozenset("*? ")
TemplateRow = Mapping[str, Any]


def format_brief_conditions(
    alternatives: Sequence[ConditionSetItem],
) -> list[list[str]]:
    """Format condition sets; the conditions of one set must all hold."""
    return [
        [
            describe_condition(condition, brief=True)
            for condition in alternative["all_of"]
        ]
        for alternative in alternatives
    ]


def format_full_conditions(alternatives: Sequence[ConditionSetItem]) -> list[list[str]]:
    """Format condition sets, with the party that sets each condition key."""
    return [
        [describe_condition(condition) for condition in alternative["all_of"]]
        for alternative in alternatives
    ]


def build_statement_rows(
    statements: Sequence[DeterminingStatementItem],
) -> list[TemplateRow]:
    """Return layer, description and text of policy statements."""
    return [
        {
            "layer": format_layer_name(item["layer"]),
            "said": describe_policy_effect(item),
            "text": item.get("text", ""),
        }
        for item in statements
    ]


def build_step_rows(path: Sequence[PathItem]) -> list[TemplateRow]:
    """Return the steps of a path with their conditions and statements."""
    return [
        {
            "from": step["from"],
            "via": step["via"],
            "to": step["to"],
            "page": entity_page(step["to"]),
            "conditions": format_brief_conditions(step["conditions"]),
            "told": format_full_conditions(step["conditions"]),
            "statements": build_statement_rows(step["determining"]),
            "because": [describe_statement(item) for item in step["determining"]],
        }
        for step in path
    ]


def build_path_rows(
    items: Sequence[ReachItem], question: ReachQuestion
) -> list[TemplateRow]:
    """Group permissions by path, administrators first; merge rows of several actions."""
    grouped = group_permissions_by_path(items)
    grouped.sort(key=lambda blocks: not blocks[0].item["admin"])
    return [_build_path_row(blocks, question) for blocks in grouped]


def _build_path_row(
    blocks: Sequence[PermissionBlock], question: ReachQuestion
) -> TemplateRow:
    """Build the table rows of one path and its permissions."""
    first = blocks[0].item
    path = first["path"]
    return {
        "identity": _get_path_end(first),
        "admin": first["admin"],
        "steps": build_step_rows(path),
        "count": sum(len(block.actions) for block in blocks),
        "only": question.link_to_paths(to=_get_path_end(first), rows=""),
        "rows": []
        if question.collapsed
        else [_build_permission_row(block, question) for block in blocks],
    }


def _get_path_end(item: ReachItem) -> str:
    """Return the identity that makes the call."""
    return item["path"][-1]["to"] if item["path"] else item["subject"]


def _build_permission_row(
    block: PermissionBlock, question: ReachQuestion
) -> TemplateRow:
    """Build one row: verdict, actions, resource, conditions, link to the proof."""
    item, actions = block.item, block.actions
    links = [
        ""
        if item.get("unknown")
        else _link_to_proof(item["subject"], one, item, question)
        for one in actions[:_MAX_ACTIONS]
    ]
    return {
        "verdict": item["verdict"],
        "actions": list(zip(actions, links, strict=False)),
        "more": len(actions) - _MAX_ACTIONS,
        "resource": item["resource"],
        "conditions": format_brief_conditions(item["conditions"]),
        "unguarded": _get_unguarded_reason(item),
        "unknown": get_unknown_reasons(item),
        "assumes": bool(item.get("assuming")),
        "because": [describe_statement(one) for one in item["determining"]],
        "why": links[0],
        "is_pattern": bool(_PATTERN & set(actions[0])),
    }


def _link_to_proof(
    subject: str, action: str, item: ReachItem, question: ReachQuestion
) -> str:
    """Return the URL of the proof of a call; for a pattern, of the rows in it."""
    if _PATTERN & set(action):  # not one call, so it has no single proof
        action, resource = map(strip_exception, (action, item["resource"]))
        return question.link_to(
            "/reach", subject=subject, action=action, resource=resource
        )
    # `A except B` is a description, not a resource to query.
    resource = "*" if " " in item["resource"] else item["resource"]
    return question.link_to("/can", subject=subject, action=action, resource=resource)


def _get_unguarded_reason(item: ReachItem | PermissionCheckItem) -> str:
    """Return why a grant counts as unguarded: a condition without effect; else empty."""
    return item.get("unguarded_because", "") if item.get("unguarded") else ""


def get_unknown_reasons(item: ReachItem | PermissionCheckItem) -> list[str]:
    """Return why a verdict is unknown, and the source that would decide it."""
    return [
        describe_unknown_verdict(each)
        if each["id"] == item["subject"]
        else f"{each['id']}: {describe_unknown_verdict(each)}"
        for each in item.get("unknown", [])
    ]


def build_caller_rows(
    items: Sequence[ReachItem], question: ReachQuestion
) -> Iterator[TemplateRow]:
    """Yield a row for each identity that can make the call."""
    for item in items:
        agents, parts = item.get("agents", []), build_pattern_part_rows(item)
        yield {
            "subject": item["subject"],
            "verdict": item["verdict"],
            "admin": item["admin"],
            "agents": [(one, entity_page(one)) for one in agents[:_MAX_AGENTS]],
            "more_agents": len(agents) - _MAX_AGENTS,
            "extent": describe_covered_extent(item),
            "parts": parts[:_MAX_PARTS],
            "more_parts": len(parts) - _MAX_PARTS,
            "steps": build_step_rows(item["path"]),
            "conditions": _build_brief_condition_rows(item),
            "unguarded": _get_unguarded_reason(item),
            "unknown": get_unknown_reasons(item),
            "assumes": bool(item.get("assuming")),
            "because": [describe_statement(one) for one in item["determining"]],
            "why": _link_to_proof(item["subject"], item["action"], item, question),
        }


def _build_condition_rows(item: PermissionCheckItem) -> list[list[str]]:
    """Return the conditions of an answer without per-part conditions."""
    return (
        [] if select_pattern_parts(item) else format_full_conditions(item["conditions"])
    )


def build_pattern_part_rows(item: PermissionCheckItem | ReachItem) -> list[TemplateRow]:
    """Return the parts of a resource pattern with a verdict of their own."""
    return [
        {
            "verdict": part["verdict"],
            "resource": part["resource"],
            "conditions": format_brief_conditions(part["conditions"]),
        }
        for part in select_pattern_parts(item)
    ]


def _build_brief_condition_rows(item: ReachItem) -> list[list[str]]:
    """Return the conditions of a row; none if its parts have their own."""
    return (
        []
        if select_pattern_parts(item)
        else format_brief_conditions(item["conditions"])
    )


def build_proof_values(item: PermissionCheckItem) -> TemplateRow:
    """Return the template values of the proof: conditions, path, statements."""
    return {
        "conditions": _build_condition_rows(item),
        "extent": describe_covered_extent(item),
        "parts": build_pattern_part_rows(item),
        "unguarded": _get_unguarded_reason(item),
        "steps": build_step_rows(item["path"]),
        "statements": build_statement_rows(item["determining"]),
    }

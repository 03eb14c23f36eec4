"""Conversion of answers to the items of documents."""

from collections.abc import Callable
from typing import cast

from answerable.model.documents.core import (
    AllowedPartItem,
    ConditionItem,
    ConditionSetItem,
    CoverageRecord,
    DeterminingStatementItem,
    PathItem,
    PermissionCheckItem,
    ReachItem,
)
from answerable.reach.aws.condition_keys.classification import (
    GITHUB_ISSUER,
    classify_key,
)
from answerable.reach.aws.evaluation.request import DeterminingStatement
from answerable.reach.aws.paths.search import PathHop
from answerable.reach.aws.pattern_parts import format_part
from answerable.reach.aws.permission_rows.row_types import format_row
from answerable.reach.formula import ConditionAtom, Formula, get_verdict
from answerable.reach.queries import ReachAnswer


def build_can_item(
    reply: ReachAnswer, action: str, resource: str, coverage: CoverageRecord
) -> PermissionCheckItem:
    """Build the item of `can`."""
    return cast(
        "PermissionCheckItem",
        {**build_pair_item(reply, action, resource), "coverage": coverage},
    )


def build_part_items(reply: ReachAnswer) -> list[AllowedPartItem]:
    """Build the items of the allowed parts of a pattern."""
    return [
        {
            "resource": format_part(part),
            "verdict": get_verdict(part.formula).value,
            "conditions": build_conditions(part.formula),
            "determining": build_determining_items(part.determining),
            "path": [build_path_item(hop) for hop in part.path],
        }
        for part in reply.parts
    ]


def build_reach_item(reply: ReachAnswer, spelled: Callable[[str], str]) -> ReachItem:
    """Build a row of `reach`.

    Args:
        reply: An answer with its row.
        spelled: Formats an action pattern in its service's spelling.
    """
    action, resource = format_row(reply.row, spelled) if reply.row else ("", "")
    return build_pair_item(reply, action, resource)


def build_pair_item(reply: ReachAnswer, action: str, resource: str) -> ReachItem:
    """Build a row of `reach` or `who-can` for given patterns."""
    item: ReachItem = {
        "subject": reply.subject,
        "action": action,
        "resource": resource,
        "verdict": get_verdict(reply.formula).value,
        "conditions": build_conditions(reply.formula),
        "admin": reply.admin,
        "determining": build_determining_items(reply.determining),
        "path": [build_path_item(hop) for hop in reply.path],
    }
    if reply.covers is not None:
        item["covers"] = reply.covers.value
        item["parts"] = build_part_items(reply)
    return item


def build_conditions(formula: Formula) -> list[ConditionSetItem]:
    """Build the alternatives of open conditions, the shortest first."""
    listed = [sorted(alternative) for alternative in formula if alternative]
    if frozenset() in formula:
        return []
    return [
        {"all_of": [build_condition_item(a) for a in alternative]}
        for alternative in sorted(listed, key=lambda one: (len(one), one))
    ]


def build_condition_item(a: ConditionAtom) -> ConditionItem:
    """Build one condition, with the principals that can satisfy it."""
    found = classify_key(a.key)
    return {
        "key": a.key,
        "operator": a.operator,
        "values": list(a.values),
        "negated": a.negated,
        "asserted_by": found.asserted_by.value,
        "who": _describe_github_pusher(a) or found.who,
    }


def _describe_github_pusher(a: ConditionAtom) -> str:
    """Describe who can satisfy a condition on the subject of a GitHub token."""
    key = a.key.lower()
    if not (key.startswith(GITHUB_ISSUER) and key.endswith(":sub")) or a.negated:
        return ""
    return "; ".join(_describe_pusher(value) for value in a.values)


def _describe_pusher(value: str) -> str:
    kind, _, rest = value.partition(":")
    if kind != "repo" or not rest:
        return "anyone GitHub issues a token with that subject to"
    repository, _, part = rest.partition(":")
    many = "any repository matching " if "*" in repository else "repository "
    if not part or part.strip("*") == "":
        return (
            f"anyone who can start a workflow in {many}{repository}, "
            "on a branch, tag, pull request or environment of their choosing"
        )
    if part.startswith("ref:"):
        return f"anyone who can push {part.removeprefix('ref:')} in {many}{repository}"
    if part.startswith("environment:"):
        name = part.removeprefix("environment:")
        return f"anyone who may deploy to environment {name} of {many}{repository}"
    return f"anyone whose workflow in {many}{repository} runs as {part}"


def build_determining_items(
    found: tuple[DeterminingStatement, ...],
) -> list[DeterminingStatementItem]:
    """Build the items of determining statements."""
    return [
        {
            "layer": d.layer,
            "policy": d.policy,
            "statement": d.statement,
            "effect": d.effect,
        }
        for d in found
    ]


def build_path_item(hop: PathHop) -> PathItem:
    """Build the item of one hop."""
    return {
        "from": hop.origin,
        "via": hop.via,
        "to": hop.to,
        "conditions": build_conditions(hop.formula),
        "determining": build_determining_items(hop.determining),
    }

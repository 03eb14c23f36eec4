"""Convert answers about AWS permissions to the items of output documents."""

from collections.abc import Callable
from functools import partial

from answerable.model.documents.shared_shapes import AllowedPartItem, ReachItem
from answerable.reach import answer_items
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.condition_formula import ConditionAtom, get_verdict


def _classify_condition_key(atom: ConditionAtom) -> tuple[str, str]:
    """Return the author of a condition key's value, and who can satisfy it."""
    from answerable.reach.aws.condition_keys.key_classification import (
        classify_condition_key,
    )

    found = classify_condition_key(atom.key)
    return found.asserted_by.value, _describe_token_subject(atom) or found.who


build_conditions = partial(
    answer_items.build_condition_alternatives, classify=_classify_condition_key
)
build_path_item = partial(
    answer_items.build_path_hop_item, classify=_classify_condition_key
)


def build_permission_row_item(
    answer: ReachAnswer, format_action: Callable[[str], str]
) -> ReachItem:
    """Build the JSON item for one permission row of `reach`.

    Args:
        answer: An answer with its row.
        format_action: Formats an action pattern in its service's spelling.
    """
    from answerable.reach.aws.permission_rows.row_types import format_permission_row

    action, resource = (
        format_permission_row(answer.row, format_action) if answer.row else ("", "")
    )
    return build_call_answer_item(answer, action, resource)


def build_call_answer_item(
    answer: ReachAnswer, action: str, resource: str
) -> ReachItem:
    """Build the JSON item for an answer about one action and resource."""
    item: ReachItem = {
        "subject": answer.subject,
        "action": action,
        "resource": resource,
        "verdict": get_verdict(answer.formula).value,
        "conditions": build_conditions(answer.formula),
        "admin": answer.admin,
        "determining": answer_items.build_determining_items(answer.determining),
        "path": [build_path_item(hop) for hop in answer.path],
    }
    if answer.covers is not None:
        item["covers"] = answer.covers.value
        item["parts"] = [_build_allowed_part_item(part) for part in answer.parts]
    return item


def _build_allowed_part_item(part: ReachAnswer) -> AllowedPartItem:
    """Build the JSON item for an allowed part of a resource pattern."""
    from answerable.reach.aws.resource_pattern_union import format_part_pattern

    return {
        "resource": format_part_pattern(part),
        "verdict": get_verdict(part.formula).value,
        "conditions": build_conditions(part.formula),
        "determining": answer_items.build_determining_items(part.determining),
        "path": [build_path_item(hop) for hop in part.path],
    }


def _describe_token_subject(atom: ConditionAtom) -> str:
    """Describe who can satisfy a condition on the subject of a GitHub token."""
    from answerable.reach.aws.condition_keys.key_classification import GITHUB_ISSUER

    key = atom.key.lower()
    if not (key.startswith(GITHUB_ISSUER) and key.endswith(":sub")) or atom.negated:
        return ""
    return "; ".join(_describe_github_token_holders(value) for value in atom.values)


def _describe_github_token_holders(value: str) -> str:
    """Describe the GitHub users who get a token with a given subject."""
    kind, _, rest = value.partition(":")
    if kind != "repo" or not rest:
        return "anyone to whom GitHub issues a token with that subject"
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

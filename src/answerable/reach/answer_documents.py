"""Conversion of answers to the items of documents."""

from collections.abc import Callable
from typing import cast

from answerable.model.documents.core import (
    AlternativeItem,
    CanItem,
    ConditionItem,
    Coverage,
    DeterminingItem,
    PartItem,
    PathItem,
    ReachItem,
)
from answerable.reach.aws.condition_keys.classification import GITHUB, key_class
from answerable.reach.aws.evaluation.request import Determining
from answerable.reach.aws.paths.search import Hop
from answerable.reach.aws.pattern_parts import part_text
from answerable.reach.aws.permission_rows.row_types import row_texts
from answerable.reach.formula import Atom, Formula, verdict
from answerable.reach.queries import Reply


def can_item(reply: Reply, action: str, resource: str, coverage: Coverage) -> CanItem:
    """Build the item of `can`."""
    return cast("CanItem", {**pair_item(reply, action, resource), "coverage": coverage})


def part_items(reply: Reply) -> list[PartItem]:
    """Build the items of the allowed parts of a pattern."""
    return [
        {
            "resource": part_text(part),
            "verdict": verdict(part.formula).value,
            "conditions": conditions(part.formula),
            "determining": determining(part.determining),
            "path": [path_item(hop) for hop in part.path],
        }
        for part in reply.parts
    ]


def reach_item(reply: Reply, spelled: Callable[[str], str]) -> ReachItem:
    """Build a row of `reach`.

    Args:
        reply: An answer with its row.
        spelled: Formats an action pattern in its service's spelling.
    """
    action, resource = row_texts(reply.row, spelled) if reply.row else ("", "")
    return pair_item(reply, action, resource)


def pair_item(reply: Reply, action: str, resource: str) -> ReachItem:
    """Build a row of `reach` or `who-can` for given patterns."""
    item: ReachItem = {
        "subject": reply.subject,
        "action": action,
        "resource": resource,
        "verdict": verdict(reply.formula).value,
        "conditions": conditions(reply.formula),
        "admin": reply.admin,
        "determining": determining(reply.determining),
        "path": [path_item(hop) for hop in reply.path],
    }
    if reply.covers is not None:
        item["covers"] = reply.covers.value
        item["parts"] = part_items(reply)
    return item


def conditions(formula: Formula) -> list[AlternativeItem]:
    """Build the alternatives of open conditions, the shortest first."""
    listed = [sorted(alternative) for alternative in formula if alternative]
    if frozenset() in formula:
        return []
    return [
        {"all_of": [condition_item(a) for a in alternative]}
        for alternative in sorted(listed, key=lambda one: (len(one), one))
    ]


def condition_item(a: Atom) -> ConditionItem:
    """Build one condition, with the principals that can satisfy it."""
    found = key_class(a.key)
    return {
        "key": a.key,
        "operator": a.operator,
        "values": list(a.values),
        "negated": a.negated,
        "asserted_by": found.asserted_by.value,
        "who": _who(a) or found.who,
    }


def _who(a: Atom) -> str:
    """Describe who can satisfy a condition on the subject of a GitHub token."""
    key = a.key.lower()
    if not (key.startswith(GITHUB) and key.endswith(":sub")) or a.negated:
        return ""
    return "; ".join(_pusher(value) for value in a.values)


def _pusher(value: str) -> str:
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


def determining(found: tuple[Determining, ...]) -> list[DeterminingItem]:
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


def path_item(hop: Hop) -> PathItem:
    """Build the item of one hop."""
    return {
        "from": hop.origin,
        "via": hop.via,
        "to": hop.to,
        "conditions": conditions(hop.formula),
        "determining": determining(hop.determining),
    }

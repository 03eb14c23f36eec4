"""What-if page: the effect of removing the selected statements."""

from collections.abc import Mapping, Sequence
from typing import cast

from answerable.model.documents.core import ReachItem
from answerable.model.documents.what_if import WhatIfItem
from answerable.model.errors import UsageError
from answerable.presentation.command_hints import command
from answerable.presentation.conditions import statement
from answerable.presentation.unknown_text import would_tell
from answerable.reach.aws.what_if.policy_edits import StatementId
from answerable.services.reach.policy_edits import Edit
from answerable.usecases.reach import what_if as flow
from answerable.web.pages.reach.answer_rows import steps
from answerable.web.pages.reach.question import REMOVED, Question
from answerable.web.routing import Answer, Asked, Page
from answerable.web.store_cache import Desk
from answerable.web.template_filters import page_of, url
from answerable.web.visitor import Visit

_ROWS = 150
_SAID = {
    "appears": "appears",
    "stronger": "becomes stronger",
    "weaker": "becomes weaker",
    "falls-away": "falls away",
    "not-known": "not known",
}
# Statements that stand in no policy: what an identity gains on the way.
_MADE = ("#chosen", "#after-edit", "#root", "#policies")


def what_if(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show the permissions lost or gained without the selected statements."""
    del visit
    question = Question(
        subject=asked.query.get("subject", ""),
        action=asked.query.get("action", ""),
        resource=asked.query.get("resource", ""),
    )
    removed = [asked.query[name] for name in REMOVED if asked.query.get(name)]
    values: dict[str, object] = {
        "question": question,
        "removed": [
            (name, asked.query[name]) for name in REMOVED if name in asked.query
        ],
        "answer": None,
        "problem": None,
        "coverage": None,
        "back": question.at("/reach"),
        "everybody": url(
            "/what-if",
            **{name: asked.query[name] for name in REMOVED if asked.query.get(name)},
        ),
    }
    status = 200
    try:
        document = flow.what_if(
            desk.standing().inventory,
            question.subject,
            Edit(statements=removed),
            now=desk.now,
            action=question.action or "*",
            resource=question.resource or "*",
            limit=_ROWS,
        )
        items = cast("Sequence[WhatIfItem]", document.items)
        values["answer"] = {
            "rows": [_row(item) for item in items],
            "shown": document.coverage.get("shown"),
            "command": _command(question.subject, removed),
        }
        values["coverage"] = document.coverage
    except UsageError as problem:
        status = 400
        values["problem"] = problem
    return Page("reach/what_if.html", "What if?", values, status)


def _command(subject: str, removed: Sequence[str]) -> str:
    words = [word for each in removed for word in ("--without", each)]
    return command("what-if", subject or "--all", *words)


def _row(item: WhatIfItem) -> Mapping[str, object]:
    return {
        **item,
        "said": _SAID.get(item["change"], item["change"]),
        "page": page_of(item["subject"]),
        "steps": steps(item["path"]),
        "because": [statement(one) for one in item["determining"]],
        "why": [would_tell(each) for each in item.get("unknown", [])],
    }


def ticks(items: Sequence[ReachItem]) -> list[tuple[str, str, str]]:
    """List the statements behind some rows: field, id and label."""
    found: dict[str, str] = {}
    for item in items:
        behind = [*item["determining"]]
        for step in item["path"]:
            behind += step["determining"]
        for one in behind:
            real = one["statement"] and one["effect"] in ("allow", "deny")
            if real and not one["policy"].endswith(_MADE):
                name = StatementId(one["policy"], one["statement"])
                found.setdefault(str(name), statement(one))
    return [
        (field, name, said)
        for field, (name, said) in zip(REMOVED, found.items(), strict=False)
    ]

"""Show the what-if page: permissions that change if statements are removed."""

from collections.abc import Mapping, Sequence
from typing import cast

from answerable.model.documents.shared_shapes import (
    DeterminingStatementItem,
    Document,
    ReachItem,
)
from answerable.model.documents.what_if import AccessChangeItem
from answerable.model.errors import UsageError
from answerable.presentation.command_hints import format_command
from answerable.presentation.permission_proof_text import CHANGE_LABELS
from answerable.presentation.policy_condition_text import describe_statement
from answerable.presentation.unknown_permission_text import describe_unknown_verdict
from answerable.reach.platform import PolicyEdit
from answerable.usecases.reach import what_if as flow
from answerable.web.pages.reach.answer_rows import build_step_rows
from answerable.web.pages.reach.entity_links import EntityLinks
from answerable.web.pages.reach.question import REMOVED_FIELDS, ReachQuestion
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

_MAX_ROWS = 40  # a row has up to four kilobytes
_PATIENCE = 0.2  # seconds that a page of a large inventory waits for its answer
# Statements that are in no policy, such as the rights of the root user.
_SYNTHETIC = ("#chosen", "#after-edit", "#root", "#policies")
# Facts that prove a step and that no edit removes: layers, policies, statements.
_FACT_LAYERS = (
    "pod",
    "pod-identity",
    "run",
    "runner",
    "secret",
    "service-account",
    "workflow",
)
_FACT_POLICIES = ("the last step gives", "group system:masters", "Node authorizer")
_FACT_STATEMENTS = "visibility "


def show_what_if(
    cache: StoreCache, _visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the permissions that are lost or gained without the selected statements."""
    question = ReachQuestion(
        subject=request.query.get("subject", ""),
        action=request.query.get("action", ""),
        resource=request.query.get("resource", ""),
    )
    removed = [
        request.query[name] for name in REMOVED_FIELDS if request.query.get(name)
    ]
    values: dict[str, object] = {
        "question": question,
        "removed": [
            (name, request.query[name])
            for name in REMOVED_FIELDS
            if name in request.query
        ],
        "answer": None,
        "pending": False,
        "cut": False,
        "problem": None,
        "coverage": None,
        "links": EntityLinks.of_store(cache),
        "back": question.link_to("/reach"),
        "everybody": build_url(
            "/what-if",
            **{
                name: request.query[name]
                for name in REMOVED_FIELDS
                if request.query.get(name)
            },
        ),
    }
    status = 200
    try:
        document = _compare_or_start(cache, question, removed)
        values["pending"] = document is None
        if document is not None:
            values |= _build_answer_values(document, question.subject, removed)
    except UsageError as problem:
        status = 400
        values["problem"] = problem
    return PageAnswer("reach/what_if.html", "What if?", values, status)


def _compare_or_start(
    cache: StoreCache, question: ReachQuestion, removed: Sequence[str]
) -> Document | None:
    """Compare the permissions; None while a large inventory is being compared.

    An answer over an earlier inventory is not shown.
    """
    view = cache.current_view()

    def compare(cache: StoreCache) -> Document:
        return flow.compare_policy_edit(
            view.inventory,
            question.subject,
            PolicyEdit(statements=removed),
            now=cache.now,
            action=question.action or "*",
            resource=question.resource or "*",
            limit=_MAX_ROWS,
        )

    found = cache.background_answers.get_or_start(
        cache,
        ("what-if", view.version, question, tuple(removed)),
        len(view.inventory.facts.attachments),
        compare,
        patience=_PATIENCE,
    )
    return found.value if found else None


def _build_answer_values(
    document: Document, subject: str, removed: Sequence[str]
) -> dict[str, object]:
    """Build the template values of the changes, with the equivalent command."""
    items = cast("Sequence[AccessChangeItem]", document.items)
    answer = {
        "rows": [_build_change_row(item) for item in items],
        "shown": document.coverage.get("shown"),
        "command": _build_command(subject, removed),
    }
    return {
        "answer": answer,
        "coverage": document.coverage,
        "cut": "paths" in document.coverage["not_collected"],
    }


def _build_command(subject: str, removed: Sequence[str]) -> str:
    """Return the equivalent CLI command."""
    words = [word for each in removed for word in ("--without", each)]
    return format_command("what-if", subject or "--all", *words)


def _build_change_row(item: AccessChangeItem) -> Mapping[str, object]:
    """Build the row of one permission change."""
    return {
        **item,
        "said": CHANGE_LABELS.get(item["change"], item["change"]),
        "steps": build_step_rows(item["path"]),
        "because": [describe_statement(one) for one in item["determining"]],
        "why": [describe_unknown_verdict(each) for each in item.get("unknown", [])],
    }


def list_removable_statements(items: Sequence[ReachItem]) -> list[tuple[str, str, str]]:
    """List the policy statements behind rows: form field, id and label."""
    found: dict[str, str] = {}
    for item in items:
        statements = [*item["determining"]]
        for step in item["path"]:
            statements += step["determining"]
        for statement in statements:
            if name := name_if_removable(statement):
                found.setdefault(name, describe_statement(statement))
    return [
        (field, name, said)
        for field, (name, said) in zip(REMOVED_FIELDS, found.items(), strict=False)
    ]


def name_if_removable(statement: DeterminingStatementItem) -> str:
    """Return the id of a statement for an edit; empty if no edit can remove it."""
    if not _is_removable(statement):
        return ""
    return f"{statement['policy']}#{statement['statement']}"


def _is_removable(statement: DeterminingStatementItem) -> bool:
    """Return whether a policy edit can remove a determining statement."""
    return (
        bool(statement["statement"])
        and statement["effect"] in ("allow", "deny")
        and statement["layer"] not in _FACT_LAYERS
        and statement["policy"] not in _FACT_POLICIES
        and not statement["policy"].endswith(_SYNTHETIC)
        and not statement["statement"].startswith(_FACT_STATEMENTS)
    )

"""Build the documents of `can`, `reach` and `who-can` from the engine's answers."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from answerable.model.documents.shared_shapes import (
    CoverageRecord,
    Document,
    PermissionCheckItem,
    ReachItem,
)
from answerable.model.ids import IdentityId
from answerable.model.inventory import Inventory
from answerable.presentation import answer_coverage
from answerable.presentation.command_hints import format_command
from answerable.reach import engine
from answerable.reach.platform import Answer, AnswerList, PageBounds, Question
from answerable.services.reach.platform_registry import PLATFORMS, open_platforms
from answerable.services.reach.subject_resolution import resolve_subject
from answerable.services.reach.unknown_verdict_rows import (
    build_unknown_reason_items,
    describe_search_scope,
    suggest_scan_command,
)

if TYPE_CHECKING:
    from answerable.reach.expected_verdict import VerdictExpectation
    from answerable.services.reach.permission_list_cursor import PermissionPage


def check_permission(
    inventory: Inventory, question: Question, expected: "VerdictExpectation"
) -> Document:
    """Answer whether a subject can make one call: verdict, proof and missing data.

    Args:
        question: Question as typed.

    Raises:
        UsageError: Subject, action or resource are not known.
    """
    question = _resolve_session_identity(inventory, question)
    platform, parsed = engine.parse_permission_question(PLATFORMS, inventory, question)
    parsed = replace(parsed, subject=resolve_subject(inventory, question.subject))
    opened = open_platforms(inventory, parsed)
    answer = engine.answer_permission_question(opened, platform, parsed)
    coverage = _build_answer_coverage(inventory, question.now, answer)
    item = cast(
        "PermissionCheckItem",
        {**_build_answer_row(inventory, answer), "coverage": coverage},
    )
    following = suggest_scan_command(answer.unknown)
    if not answer.unknown:
        following = format_command("who-can", parsed.action, parsed.resource)
    return Document(
        kind="can",
        items=[item],
        coverage=coverage,
        failed=expected.is_contradicted_by_answer(
            item, has_unread_statements=answer.unread
        ),
        undecided=expected.explain_why_undecided(
            item, is_partial=coverage["partial"], has_unread_statements=answer.unread
        ),
        next=following,
    )


def list_permissions(
    inventory: Inventory, question: Question, page: PageBounds
) -> "PermissionPage":
    """List the actions and resources that a subject can use.

    Raises:
        UsageError: The subject is not known, no action or resource can match, or the
            cursor is malformed.
    """
    from answerable.services.reach.permission_list_cursor import PermissionPage

    question = _resolve_session_identity(inventory, question)
    question = replace(question, subject=resolve_subject(inventory, question.subject))
    opened = open_platforms(inventory, replace(question, action="*"))
    found, identities = engine.list_permissions_of_subject(opened, question, page)
    items = [_build_answer_row(inventory, each) for each in found.answers]
    document = Document(
        kind="reach",
        items=items,
        coverage=_build_answer_coverage(inventory, question.now, found),
        next=_suggest_who_can_command(items)
        or suggest_scan_command(identities.unknown),
    )
    return PermissionPage(document, found.cursor, found.examined, found.shown)


def list_permissions_as(
    inventory: Inventory, question: Question, target: str, page: PageBounds
) -> "PermissionPage":
    """List what a subject can do as one identity, with the path from one to the other.

    Raises:
        UsageError: Subject or target are not known, no action or resource can match, or
            the cursor is malformed.
    """
    from answerable.reach import permissions_as_identity
    from answerable.services.reach.permission_list_cursor import PermissionPage

    question = _resolve_session_identity(inventory, question)
    question = replace(question, subject=resolve_subject(inventory, question.subject))
    identity = IdentityId(resolve_subject(inventory, target))
    opened = open_platforms(inventory, replace(question, action="*"))
    alone = open_platforms(inventory, replace(question, action="*", direct=True))
    found, identities = permissions_as_identity.list_permissions_as(
        opened, alone, question, identity, page
    )
    items = [_build_answer_row(inventory, each) for each in found.answers]
    following = suggest_scan_command(identities.unknown)
    document = Document(
        "reach",
        items,
        _build_answer_coverage(inventory, question.now, found),
        next=following,
    )
    return PermissionPage(document, found.cursor, found.examined, found.shown)


def list_callers(
    inventory: Inventory, question: Question, page: PageBounds
) -> "PermissionPage":
    """List the identities that can make one call, with unknown identities at the end.

    Raises:
        UsageError: Action or resource are not known, or the cursor is malformed.
    """
    from answerable.reach.acting_agents import list_agents_by_identity_used
    from answerable.services.reach.permission_list_cursor import PermissionPage

    platform, parsed = engine.parse_permission_question(PLATFORMS, inventory, question)
    opened = open_platforms(inventory, parsed)
    found = engine.list_callers(opened, platform, parsed, page)
    items = [_build_answer_row(inventory, each) for each in found.answers]
    for item in items:
        if "unknown" not in item:
            item["agents"] = list_agents_by_identity_used(inventory, item["subject"])
    coverage = _build_answer_coverage(inventory, question.now, found)
    coverage["looked"] = describe_search_scope(opened, platform)
    following = suggest_scan_command(
        one for each in found.answers for one in each.unknown
    )
    if items and "unknown" not in items[0]:
        following = format_command(
            "can", items[0]["subject"], parsed.action, parsed.resource
        )
    document = Document("who-can", items, coverage, next=following)
    return PermissionPage(document, found.cursor, found.examined, found.shown)


def _resolve_session_identity(inventory: Inventory, question: Question) -> Question:
    """Resolve an assumed-role session to its role and the context keys it sets."""
    for platform in PLATFORMS:
        subject, context = platform.parse_session(
            inventory, question.subject, question.context
        )
        question = replace(question, subject=subject, context=context)
    return question


def _build_answer_row(inventory: Inventory, answer: Answer) -> ReachItem:
    """Return the row of an answer, with the reasons of an unknown verdict."""
    if answer.unknown:
        unknown = build_unknown_reason_items(inventory, answer.unknown)
        return {**answer.item, "unknown": unknown}
    return answer.item


def _build_answer_coverage(
    inventory: Inventory, now: int, answer: Answer | AnswerList
) -> CoverageRecord:
    """Build the coverage of answers: the collected and the missing data."""
    coverage = answer_coverage.build_coverage(
        inventory, now, sorted(answer.not_collected)
    )
    if answer.unread:
        coverage["partial"] = True
    return coverage


def _suggest_who_can_command(items: list[ReachItem]) -> str:
    """Suggest the `who-can` command for a row with a single action."""
    for item in items:
        simple = not set("*? ") & set(item["action"]) and " " not in item["resource"]
        if simple and "unknown" not in item:
            return format_command("who-can", item["action"], item["resource"])
    return ""

"""Show the identities that are a risk, and the smallest edits that end an access."""

from collections.abc import Mapping, Sequence
from typing import cast

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.what_if import BreakageItem, CutSetItem, ExposureItem
from answerable.model.errors import AmbiguousError, UsageError
from answerable.presentation.command_hints import format_command
from answerable.presentation.unknown_permission_text import describe_unknown_verdict
from answerable.usecases.aws_permissions import find_minimal_cuts, list_exposures
from answerable.web.paged_list import parse_offset
from answerable.web.pages.reach.answer_rows import build_step_rows
from answerable.web.pages.reach.entity_links import EntityLinks
from answerable.web.pages.reach.question import REMOVED_FIELDS, ReachQuestion
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url, entity_page
from answerable.web.visitor import Visitor, WebPermission

_MAX_ROWS = 50  # a row has up to four kilobytes
_MAX_SUBJECTS = 6  # agents and outsiders that a row names


def show_exposures(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show administrators, public and externally assumable identities, gravest first."""
    values: dict[str, object] = {
        "links": EntityLinks.of_store(cache),
        "rows": None,
        "problem": None,
        "coverage": None,
        "command": format_command("reach", "--all"),
    }
    try:
        start = parse_offset(request.query.get("from", ""))
        document = list_exposures.list_exposures(
            cache.current_view().inventory,
            now=cache.now,
            limit=_MAX_ROWS,
            start=start,
        )
        values |= _build_exposure_page(document, start)
    except UsageError as problem:
        # The inventory is too large: that is the answer, and no fault of the question.
        values["problem"] = problem
    return PageAnswer("reach/all.html", "Which identities are a risk?", values)


def _build_exposure_page(document: Document, start: int) -> dict[str, object]:
    """Build the rows after so many; the identities that are not known come last."""
    items = cast("Sequence[ExposureItem]", document.items)
    unknown = [each for each in items if each["becomes"] is None]
    rows = [each for each in items if each["becomes"] is not None]
    graded = document.coverage.get("shown", {}).get("of", len(rows))
    total, end = graded + len(unknown), start + _MAX_ROWS
    rows += unknown[max(0, start - graded) : max(0, end - graded)]
    return {
        "rows": [_build_exposure_row(each) for each in rows],
        "total": total,
        "unknown": len(unknown),
        "complete": not document.coverage["not_collected"],
        "older": _link_to_exposures(end) if end < total else "",
        "newer": _link_to_exposures(max(0, start - _MAX_ROWS)) if start else "",
        "coverage": document.coverage,
    }


def _link_to_exposures(start: int) -> str:
    """Link to the risky identities after so many."""
    return build_url("/reach/all", **({"from": str(start)} if start else {}))


def _build_exposure_row(item: ExposureItem) -> Mapping[str, object]:
    """Build the row of one identity."""
    subject = item["subject"]
    return {
        **item,
        "agents": [
            (each, entity_page(each)) for each in item["agents"][:_MAX_SUBJECTS]
        ],
        "more": len(item["agents"]) - _MAX_SUBJECTS,
        "entered_by": item["entered_by"][:_MAX_SUBJECTS],
        "outside": len(item["entered_by"]) - _MAX_SUBJECTS,
        "reach": build_url("/reach", subject=subject),
        "paths": build_url("/reach", subject=subject, rows="none"),
        "steps": build_step_rows(item["path"]),
        "why": [describe_unknown_verdict(each) for each in item.get("unknown", [])],
    }


def show_cuts(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the smallest sets of statements whose removal ends an access."""
    query = request.query
    question = ReachQuestion(
        subject=query.get("subject", "").strip(),
        action=query.get("action", "").strip(),
        resource=query.get("resource", "").strip(),
    )
    values: dict[str, object] = {
        "question": question,
        "cuts": None,
        "problem": None,
        "choices": [],
        "coverage": None,
        "back": question.link_to("/reach"),
        "command": "",
    }
    status = 200
    try:
        if question.subject and question.resource:
            values |= _find_cuts(cache, question)
    except UsageError as problem:
        status = 400
        values["problem"] = problem
        if isinstance(problem, AmbiguousError):
            values["choices"] = [
                (one, question.link_to("/what-if/cuts", subject=one))
                for one in problem.candidates
            ]
    return PageAnswer("reach/cuts.html", "What ends an access?", values, status)


def _find_cuts(cache: StoreCache, question: ReachQuestion) -> dict[str, object]:
    """Find the cuts of a question."""
    view = cache.current_view()
    with cache.open_store() as store:
        document = find_minimal_cuts.find_cuts(
            store,
            view.inventory,
            question.subject,
            question.resource,
            now=cache.now,
            action=question.action or "*",
            chains=view.chains,
        )
    items = cast("Sequence[CutSetItem]", document.items)
    words = ["what-if", question.subject, "--cuts", question.resource]
    words += ["--action", question.action] if question.action else []
    return {
        "cuts": [_build_cut_row(each, question) for each in items],
        "coverage": document.coverage,
        "command": format_command(*words),
    }


def _build_cut_row(item: CutSetItem, question: ReachQuestion) -> Mapping[str, object]:
    """Build the row of one set of statements."""
    names = [each["id"] for each in item["statements"]]
    ticked = dict(zip(REMOVED_FIELDS, names, strict=False))
    return {
        **item,
        "what_if": build_url("/what-if", subject=question.subject, **ticked)
        if ticked
        else "",
        "broken": _count_broken_calls(item["breaks"]),
        "why": [describe_unknown_verdict(each) for each in item.get("unknown", [])],
    }


def _count_broken_calls(breaks: BreakageItem) -> int | None:
    """Count the logged calls that a cut denies; None if the log does not tell."""
    used = breaks["used"]
    return None if used is None else sum(each["count"] for each in used)


CUT_PERMISSIONS = frozenset({WebPermission.INVESTIGATE})

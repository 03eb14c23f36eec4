"""Answer the reach, who-can and can pages, and serve their path graphs as JSON."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from answerable.model.documents.shared_shapes import (
    CoverageRecord,
    Document,
    PermissionCheckItem,
    ReachItem,
)
from answerable.model.errors import AmbiguousError, UsageError
from answerable.presentation.permission_proof_text import (
    describe_assumptions,
    group_undecided_layers,
)
from answerable.presentation.unknown_permission_text import describe_searched_scope
from answerable.services.reach.permission_list_cursor import PermissionPage
from answerable.usecases.aws_permissions.find_minimal_cuts import is_cuttable
from answerable.usecases.reach import permissions as flow
from answerable.web.pages.reach import answer_rows, path_graph
from answerable.web.pages.reach.choke_points import find_choke_points
from answerable.web.pages.reach.entity_links import EntityLinks
from answerable.web.pages.reach.question import ReachQuestion, parse_question
from answerable.web.pages.reach.what_if import list_removable_statements
from answerable.web.routing import DocumentAnswer, PageAnswer, RouteAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

_MAX_ROWS, _MAX_PATHS, _MAX_PAIRS, _MAX_EXAMPLES = 150, 12, 25, 12
_MAX_COLLAPSED = 50  # identities of a page without their rows
_PATTERN = frozenset("*? ")
_AnswerBuilder = Callable[[StoreCache, ReachQuestion], Mapping[str, object]]


def show_reach(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the permissions of a subject, grouped by path."""
    return _build_page(
        cache, request, "/reach", "What can it reach?", _build_reach_values
    )


def show_who_can(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the identities that can make a call."""
    return _build_page(
        cache, request, "/who-can", "Who has a permission?", _build_who_can_values
    )


def show_can(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> RouteAnswer:
    """Show whether a subject can make a call, with the proof."""
    return _build_page(
        cache, request, "/can", "Is a call allowed, and why?", _build_can_values
    )


def get_graph(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Return the path graph of an answer as JSON, at most 200 nodes."""
    question = parse_question(request.query)
    match request.query.get("of", ""):
        case "reach":
            listed, graph = _compute_reach(cache, question)
            document = listed.document
        case "who-can":
            document, graph = _compute_who_can(cache, question)[:2]
        case "can":
            document, graph = _compute_can(cache, question)[:2]
        case other:
            raise UsageError(
                f"unknown graph (got {other[:20]!r}, expected reach, who-can or can)"
            )
    return DocumentAnswer(Document("graph", list(graph.items), document.coverage))


def _build_page(
    cache: StoreCache,
    request: RouteRequest,
    path: str,
    title: str,
    build_answer: _AnswerBuilder,
) -> PageAnswer:
    """Build a question page: form, answer, error or examples."""
    question = parse_question(request.query)
    values: dict[str, object] = {
        "path": path,
        "heading": title,
        "question": question,
        "tabs": [
            (to, name, _link_tab(question, to))
            for to, name in (
                ("/reach", "What can it reach?"),
                ("/who-can", "Who has a permission?"),
                ("/can", "Is a call allowed, and why?"),
                ("/reach/all", "Which identities are a risk?"),
            )
        ],
        "answer": None,
        "problem": None,
        "choices": [],
        "examples": [],
        "coverage": None,
        "links": EntityLinks.of_store(cache),
    }
    status = 200
    try:
        if _is_question_complete(path, question):
            values["answer"] = answer = build_answer(cache, question)
            values["coverage"] = answer["coverage"]
        else:
            values["examples"] = _build_example_links(cache, path)
    except UsageError as problem:
        status = 400
        values["problem"] = problem
        if isinstance(problem, AmbiguousError):
            values["choices"] = [
                (one, question.link_to(path, subject=one)) for one in problem.candidates
            ]
    return PageAnswer("reach/answer.html", title, values, status)


def _link_tab(question: ReachQuestion, path: str) -> str:
    """Link to another question; one call is asked about, so patterns stay behind."""
    if path == "/reach/all":
        return path
    is_call = path == "/reach" or not _PATTERN & set(question.action)
    return question.link_to(path) if is_call else question.link_to(path, action="")


def _is_question_complete(path: str, question: ReachQuestion) -> bool:
    """Return whether a permission question has every field that the page needs."""
    call = bool(question.action and question.resource)
    return {
        "/reach": bool(question.subject),
        "/who-can": call,
        "/can": call and bool(question.subject),
    }[path]


def _build_example_links(cache: StoreCache, path: str) -> list[tuple[str, str]]:
    """Return links to the reach of a few agents with identities."""
    if path != "/reach":
        return []
    agents = cache.current_view().inventory.agents
    acting = [key for key, agent in agents.items() if agent.identities]
    return [
        (key, ReachQuestion(key).link_to("/reach")) for key in acting[:_MAX_EXAMPLES]
    ]


def _compute_reach(
    cache: StoreCache, question: ReachQuestion
) -> tuple[PermissionPage, path_graph.PathGraph]:
    """Compute one page of the reach answer and its graph."""
    listed = flow.list_subject_permissions_page(
        cache.current_view().inventory,
        question.subject,
        now=cache.now,
        action=question.action or "*",
        resource=question.resource or "*",
        direct=question.direct,
        context=question.condition_keys,
        to=question.to,
        cursor=question.after,
        max_rows=_MAX_ROWS,
        max_identities=_MAX_COLLAPSED if question.collapsed else _MAX_PATHS,
    )
    items = cast("Sequence[ReachItem]", listed.document.items)
    graph = path_graph.build_reach_graph(items, question)
    return listed, EntityLinks.of_store(cache).remove_dead_links(graph)


def _build_reach_values(
    cache: StoreCache, question: ReachQuestion
) -> Mapping[str, object]:
    """Return the template values of the reach page."""
    listed, graph = _compute_reach(cache, question)
    document, after = listed.document, listed.after
    items = cast("Sequence[ReachItem]", document.items)
    words = ["reach", items[0]["subject"] if items else question.subject]
    for option, value in (("action", question.action), ("resource", question.resource)):
        words += [f"--{option}", value] if value else []
    return {
        **_build_shared_values(document, graph, question, "reach"),
        "ways": answer_rows.build_path_rows(items, question),
        "ticks": list_removable_statements(items),
        "count": len(items),
        "gone": listed.examined,
        "shown": listed.shown,
        "older": question.link_to_paths(after=after) if after else "",
        "newest": question.link_to_paths() if question.after else "",
        "command": question.build_command(*words),
        "to": question.to,
        "collapsed": question.collapsed,
        "cuts": _link_to_cuts(question),
        "every": question.link_to_paths(to=""),
        "fold": question.link_to_paths(rows="" if question.collapsed else "none"),
        "choke_points": find_choke_points(items, question),
    }


def _link_to_cuts(question: ReachQuestion) -> str:
    """Link to the smallest cuts of an access; empty if they cannot be computed."""
    if not is_cuttable(question.action, question.resource):
        return ""
    return question.link_to("/what-if/cuts", direct="", context="")


def _compute_who_can(
    cache: StoreCache, question: ReachQuestion
) -> tuple[Document, path_graph.PathGraph, str, int]:
    """Compute one page of the who-can answer, graph, cursor and progress."""
    listed = flow.list_who_can_page(
        cache.current_view().inventory,
        question.action,
        question.resource,
        now=cache.now,
        direct=question.direct,
        context=question.condition_keys,
        cursor=question.after,
        max_rows=_MAX_PAIRS,
    )
    items = cast("Sequence[ReachItem]", listed.document.items)
    graph = path_graph.build_who_can_graph(items, question)
    EntityLinks.of_store(cache).remove_dead_links(graph)
    return listed.document, graph, listed.after, listed.examined


def _build_who_can_values(
    cache: StoreCache, question: ReachQuestion
) -> Mapping[str, object]:
    """Return the template values of the page on who may make a call."""
    document, graph, after, gone = _compute_who_can(cache, question)
    items = cast("Sequence[ReachItem]", document.items)
    return {
        **_build_shared_values(document, graph, question, "who-can"),
        "pairs": list(answer_rows.build_caller_rows(items, question)),
        "able": _count_callers(items),
        "looked": _describe_searched_scope(document.coverage),
        "gone": gone,
        "call": (question.action, question.resource),
        "older": question.link_to("/who-can", after=after) if after else "",
        "newest": question.link_to("/who-can") if question.after else "",
        "command": question.build_command(
            "who-can", question.action, question.resource
        ),
    }


def _describe_searched_scope(coverage: CoverageRecord) -> str:
    """Describe the accounts and platforms that were searched."""
    return describe_searched_scope(coverage["looked"]) if "looked" in coverage else ""


def _count_callers(items: Sequence[ReachItem]) -> int | None:
    """Count identities that can make the call; None if all verdicts are unknown."""
    able = sum(item["verdict"] in ("always", "only-if") for item in items)
    return able if able or not items else None


def _compute_can(
    cache: StoreCache, question: ReachQuestion
) -> tuple[Document, path_graph.PathGraph, PermissionCheckItem]:
    """Compute the answer to "can SUBJECT do ACTION on RESOURCE", and its graph."""
    document = flow.check_permission(
        cache.current_view().inventory,
        question.subject,
        question.action,
        question.resource,
        now=cache.now,
        direct=question.direct,
        context=question.condition_keys,
    )
    item = cast("PermissionCheckItem", document.items[0])
    graph = path_graph.build_can_graph(item, question)
    return document, EntityLinks.of_store(cache).remove_dead_links(graph), item


def _build_can_values(
    cache: StoreCache, question: ReachQuestion
) -> Mapping[str, object]:
    """Return the template values of the page for one permission check."""
    document, graph, item = _compute_can(cache, question)
    call = (item["action"], item["resource"])
    return {
        **_build_shared_values(document, graph, question, "can"),
        "item": item,
        "assuming": describe_assumptions(item["verdict"], item.get("assuming", [])),
        "unknown": answer_rows.get_unknown_reasons(item),
        "proof": answer_rows.build_proof_values(item),
        "undecided": list(group_undecided_layers(item.get("layers", []))),
        "others": question.link_to("/who-can", action=call[0], resource=call[1]),
        "command": question.build_command("can", item["subject"], *call),
    }


def _build_shared_values(
    document: Document,
    graph: path_graph.PathGraph,
    question: ReachQuestion,
    graph_name: str,
) -> dict[str, object]:
    """Return the template values that all answers share."""
    coverage: CoverageRecord = document.coverage
    return {
        "of": graph_name,
        "coverage": coverage,
        "assumes": bool(coverage["not_collected"]),
        "cut": "paths" in coverage["not_collected"],
        "picture": graph.svg_markup if graph.edges else None,
        "nodes": len(graph.nodes),
        "left": graph.omitted_paths,
        "graph": question.link_to(
            "/reach/graph", of=graph_name, after=question.after, to=question.to
        ),
    }

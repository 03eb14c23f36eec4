"""Pages for reach, who-can and can, and the graph of each as a document."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from answerable.model.documents.core import CanItem, Coverage, Document, ReachItem
from answerable.model.errors import AmbiguousError, UsageError
from answerable.presentation.proof_text import assuming, undecided
from answerable.presentation.unknown_text import looked
from answerable.services.reach.permission_lists import Listed
from answerable.usecases.reach import permissions as flow
from answerable.web.pages.reach import answer_rows, path_graph
from answerable.web.pages.reach.question import Question, read
from answerable.web.pages.reach.what_if import ticks
from answerable.web.routing import Answer, Asked, Page, Told
from answerable.web.store_cache import Desk
from answerable.web.visitor import Visit

_ROWS, _WAYS, _PAIRS, _FIRST = 150, 12, 50, 12
_Answered = Callable[[Desk, Question], Mapping[str, object]]


def reach(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show what a subject can reach, grouped by path."""
    return _page(desk, asked, "/reach", "What can it reach?", _reach)


def who_can(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show who can make a call."""
    return _page(desk, asked, "/who-can", "Who can do it?", _who_can)


def can(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show whether a subject can make a call, with the proof."""
    return _page(desk, asked, "/can", "Can it, and why?", _can)


def graph(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Return the graph of an answer, at most 200 nodes."""
    question = read(asked.query)
    match asked.query.get("of", ""):
        case "reach":
            listed, drawn = _reached(desk, question)
            document = listed.document
        case "who-can":
            document, drawn = _able(desk, question)[:2]
        case "can":
            document, drawn = _proved(desk, question)[:2]
        case other:
            raise UsageError(
                f"no graph of that (got {other[:20]!r}, expected reach, who-can or can)"
            )
    return Told(Document("graph", list(drawn.items), document.coverage))


def _page(desk: Desk, asked: Asked, path: str, title: str, answered: _Answered) -> Page:
    question = read(asked.query)
    values: dict[str, object] = {
        "path": path,
        "heading": title,
        "question": question,
        "tabs": [
            (to, name, question.at(to))
            for to, name in (
                ("/reach", "What can it reach?"),
                ("/who-can", "Who can do it?"),
                ("/can", "Can it, and why?"),
            )
        ],
        "answer": None,
        "problem": None,
        "choices": [],
        "examples": [],
        "coverage": None,
    }
    status = 200
    try:
        if _is_whole(path, question):
            values["answer"] = answer = answered(desk, question)
            values["coverage"] = answer["coverage"]
        else:
            values["examples"] = _examples(desk, path)
    except UsageError as problem:
        status = 400
        values["problem"] = problem
        if isinstance(problem, AmbiguousError):
            values["choices"] = [
                (one, question.at(path, subject=one)) for one in problem.candidates
            ]
    return Page("reach/answer.html", title, values, status)


def _is_whole(path: str, question: Question) -> bool:
    call = bool(question.action and question.resource)
    return {
        "/reach": bool(question.subject),
        "/who-can": call,
        "/can": call and bool(question.subject),
    }[path]


def _examples(desk: Desk, path: str) -> list[tuple[str, str]]:
    """Return example agents with identities."""
    if path != "/reach":
        return []
    agents = desk.standing().inventory.agents
    acting = [key for key, agent in agents.items() if agent.identities]
    return [(key, Question(key).at("/reach")) for key in acting[:_FIRST]]


def _reached(desk: Desk, question: Question) -> tuple[Listed, path_graph.Picture]:
    listed = flow.reach_part(
        desk.standing().inventory,
        question.subject,
        now=desk.now,
        action=question.action or "*",
        resource=question.resource or "*",
        direct=question.direct,
        context=question.context,
        after=question.after,
        rows=_ROWS,
        ways=_WAYS,
    )
    items = cast("Sequence[ReachItem]", listed.document.items)
    drawn = path_graph.of_reach(items, question)
    return listed, drawn


def _reach(desk: Desk, question: Question) -> Mapping[str, object]:
    listed, drawn = _reached(desk, question)
    document, after = listed.document, listed.after
    items = cast("Sequence[ReachItem]", document.items)
    words = ["reach", items[0]["subject"] if items else question.subject]
    for option, value in (("action", question.action), ("resource", question.resource)):
        words += [f"--{option}", value] if value else []
    return {
        **_common(document, drawn, question, "reach"),
        "ways": answer_rows.ways(items, question),
        "ticks": ticks(items),
        "count": len(items),
        "gone": listed.gone,
        "shown": listed.shown,
        "older": question.at("/reach", after=after) if after else "",
        "newest": question.at("/reach") if question.after else "",
        "command": question.command(*words),
    }


def _able(
    desk: Desk, question: Question
) -> tuple[Document, path_graph.Picture, str, int]:
    listed = flow.who_can_part(
        desk.standing().inventory,
        question.action,
        question.resource,
        now=desk.now,
        direct=question.direct,
        context=question.context,
        after=question.after,
        rows=_PAIRS,
    )
    items = cast("Sequence[ReachItem]", listed.document.items)
    drawn = path_graph.of_who_can(items, question)
    return listed.document, drawn, listed.after, listed.gone


def _who_can(desk: Desk, question: Question) -> Mapping[str, object]:
    document, drawn, after, gone = _able(desk, question)
    items = cast("Sequence[ReachItem]", document.items)
    return {
        **_common(document, drawn, question, "who-can"),
        "pairs": list(answer_rows.pairs(items, question)),
        "able": _able_count(items),
        "looked": _where(document.coverage),
        "gone": gone,
        "call": (question.action, question.resource),
        "older": question.at("/who-can", after=after) if after else "",
        "newest": question.at("/who-can") if question.after else "",
        "command": question.command("who-can", question.action, question.resource),
    }


def _where(coverage: Coverage) -> str:
    """Describe the accounts and platforms that were searched."""
    return looked(coverage["looked"]) if "looked" in coverage else ""


def _able_count(items: Sequence[ReachItem]) -> int | None:
    """Count identities that can; None if only unknown ones exist."""
    able = sum(item["verdict"] in ("always", "only-if") for item in items)
    return able if able or not items else None


def _proved(
    desk: Desk, question: Question
) -> tuple[Document, path_graph.Picture, CanItem]:
    document = flow.can(
        desk.standing().inventory,
        question.subject,
        question.action,
        question.resource,
        now=desk.now,
        direct=question.direct,
        context=question.context,
    )
    item = cast("CanItem", document.items[0])
    return document, path_graph.of_can(item, question), item


def _can(desk: Desk, question: Question) -> Mapping[str, object]:
    document, drawn, item = _proved(desk, question)
    call = (item["action"], item["resource"])
    return {
        **_common(document, drawn, question, "can"),
        "item": item,
        "assuming": assuming(item["verdict"], item.get("assuming", [])),
        "unknown": answer_rows.unknown(item),
        "proof": answer_rows.proof(item),
        "undecided": list(undecided(item.get("layers", []))),
        "others": question.at("/who-can", action=call[0], resource=call[1]),
        "command": question.command("can", item["subject"], *call),
    }


def _common(
    document: Document, drawn: path_graph.Picture, question: Question, of: str
) -> dict[str, object]:
    coverage: Coverage = document.coverage
    return {
        "of": of,
        "coverage": coverage,
        "assumes": bool(coverage["not_collected"]),
        "cut": "paths" in coverage["not_collected"],
        "picture": drawn.drawn if drawn.steps else None,
        "nodes": len(drawn.spots),
        "left": drawn.left,
        "graph": question.at("/reach/graph", of=of, after=question.after),
    }

"""Completion of the fields of a permission question."""

from answerable.usecases.reach.suggest_names import (
    suggest_actions,
    suggest_resources,
    suggest_subjects,
)
from answerable.web.pages.reach.question import parse_question
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor


def complete_field(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Suggest values for the named field."""
    question = parse_question(asked.query)
    match asked.query.get("field", ""):
        case "subject":
            found = suggest_subjects(desk.current_view().inventory, question.subject)
        case "action":
            found = suggest_actions(question.action)
        case "resource":
            found = suggest_resources(desk.current_view().inventory, question.resource)
        case _:
            found = []
    return PageAnswer("reach/complete.html", "Completion", {"proposed": found})

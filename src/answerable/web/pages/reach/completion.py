"""Complete the subject, action and resource fields of a permission question."""

from answerable.usecases.reach.complete_names import (
    suggest_actions,
    suggest_resources,
    suggest_subjects,
)
from answerable.web.pages.reach.question import parse_question
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor


def complete_field(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Suggest values for the field that is being typed."""
    question = parse_question(request.query)
    match request.query.get("field", ""):
        case "subject":
            found = suggest_subjects(cache.current_view().inventory, question.subject)
        case "action":
            found = suggest_actions(question.action)
        case "resource":
            found = suggest_resources(cache.current_view().inventory, question.resource)
        case _:
            found = []
    return PageAnswer("reach/complete.html", "Completion", {"proposed": found})

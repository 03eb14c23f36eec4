"""Completion of the fields of a permission question."""

from answerable.usecases.reach.suggest_names import (
    actions_like,
    resources_like,
    subjects_like,
)
from answerable.web.pages.reach.question import read
from answerable.web.routing import Answer, Asked, Page
from answerable.web.store_cache import Desk
from answerable.web.visitor import Visit


def complete(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Suggest values for the named field."""
    question = read(asked.query)
    match asked.query.get("field", ""):
        case "subject":
            found = subjects_like(desk.standing().inventory, question.subject)
        case "action":
            found = actions_like(question.action)
        case "resource":
            found = resources_like(desk.standing().inventory, question.resource)
        case _:
            found = []
    return Page("reach/complete.html", "Completion", {"proposed": found})

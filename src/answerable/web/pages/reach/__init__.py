"""Permission pages: reach, can, who-can, what-if; lists first, diagrams second."""

from answerable.web.pages.reach.completion import complete
from answerable.web.pages.reach.question import ASKED, REMOVED
from answerable.web.pages.reach.question_pages import can, graph, reach, who_can
from answerable.web.pages.reach.what_if import what_if
from answerable.web.routing import Route

ROUTES: tuple[Route, ...] = (
    Route("/reach", reach, takes=ASKED),
    Route("/can", can, takes=ASKED),
    Route("/who-can", who_can, takes=ASKED),
    Route("/what-if", what_if, takes=("subject", "action", "resource", *REMOVED)),
    Route("/reach/graph", graph, takes=(*ASKED, "of")),
    Route("/reach/complete", complete, takes=(*ASKED, "field")),
)

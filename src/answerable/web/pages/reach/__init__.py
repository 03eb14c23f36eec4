"""Permission pages: reach, can, who-can and what-if; tables first, then diagrams."""

from answerable.web.pages.reach.completion import complete_field
from answerable.web.pages.reach.question import (
    PATH_FIELDS,
    QUESTION_FIELDS,
    REMOVED_FIELDS,
)
from answerable.web.pages.reach.question_pages import (
    get_graph,
    show_can,
    show_reach,
    show_who_can,
)
from answerable.web.pages.reach.risk_pages import (
    CUT_PERMISSIONS,
    show_cuts,
    show_exposures,
)
from answerable.web.pages.reach.what_if import show_what_if
from answerable.web.routing import WebRoute

ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/reach", show_reach, parameters=(*QUESTION_FIELDS, *PATH_FIELDS)),
    WebRoute("/can", show_can, parameters=QUESTION_FIELDS),
    WebRoute("/who-can", show_who_can, parameters=QUESTION_FIELDS),
    WebRoute(
        "/what-if",
        show_what_if,
        parameters=("subject", "action", "resource", *REMOVED_FIELDS),
    ),
    WebRoute("/reach/all", show_exposures, parameters=("from",)),
    WebRoute(
        "/what-if/cuts",
        show_cuts,
        CUT_PERMISSIONS,
        ("subject", "action", "resource"),
    ),
    WebRoute("/reach/graph", get_graph, parameters=(*QUESTION_FIELDS, "of", "to")),
    WebRoute("/reach/complete", complete_field, parameters=(*QUESTION_FIELDS, "field")),
)

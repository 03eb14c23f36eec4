"""Event counts over time as a document, and redirects to a time span."""

from answerable.lineage.search_query import parse
from answerable.model.documents.core import Document
from answerable.model.errors import UsageError
from answerable.presentation.inventory_lists import coverage, spelled_time
from answerable.services.lineage import row_search as flow
from answerable.web.activity_scope import DEEDS, scene
from answerable.web.routing import Answer, Asked, Moved, Route, Told
from answerable.web.store_cache import Desk
from answerable.web.svg.timeline import OUTCOMES
from answerable.web.template_filters import url
from answerable.web.visitor import Visit

_SECOND = 1_000_000_000
_MOST_DIGITS = 11


def times(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Count the events of a query per span, empty spans included."""
    around = scene(desk, visit)
    wanted = flow.wanted(around, parse(asked.query.get("q", "")), now=desk.now)
    with desk.store() as store:
        found = flow.times(store, wanted)
    counts = {bar.at: bar.events for bar in found.bars}
    told = [name for name in OUTCOMES if any(name in each for each in counts.values())]
    items = [
        {
            "at": at // _SECOND,
            **{name: counts.get(at, {}).get(name, 0) for name in told},
        }
        for at in range(found.since, found.until, found.width)
    ]
    rests_on = coverage(around.inventory, desk.now)
    return Told(Document("times", items if counts else [], rests_on))


def span(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Redirect to the same query within a span, given in UTC seconds."""
    query = parse(asked.query.get("q", ""))
    for field in ("since", "until"):
        said = asked.query.get(field, "")
        if not (said.isascii() and said.isdigit() and len(said) <= _MOST_DIGITS):
            raise UsageError(f"no time (got {said[:20]!r}, expected seconds)")
        query = query.asking(field, spelled_time(int(said) * _SECOND))
    return Moved(url("/trace", q=query.text))


ROUTES: tuple[Route, ...] = (
    Route("/trace/times", times, DEEDS, ("q",)),
    Route("/trace/span", span, DEEDS, ("q", "since", "until")),
)

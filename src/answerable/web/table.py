"""Table of all routes of pages and `/api/v1`."""

from answerable.web import live
from answerable.web.api import table as api
from answerable.web.pages import (
    agent,
    asks,
    baselines,
    decisions,
    event,
    evidence,
    identity,
    investigation,
    keys,
    kills,
    lists,
    overview,
    pins,
    reach,
    signing,
    times,
)
from answerable.web.routes import Route, Stream

ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *lists.ROUTES,
    *agent.ROUTES,
    *identity.ROUTES,
    *investigation.ROUTES,
    *event.ROUTES,
    *times.ROUTES,
    *reach.ROUTES,
    *baselines.ROUTES,
    *decisions.ROUTES,
    *asks.ROUTES,
    *keys.ROUTES,
    *signing.ROUTES,
    *kills.ROUTES,
    *pins.ROUTES,
    *evidence.ROUTES,
    *api.ROUTES,
)

STREAMS: tuple[Stream, ...] = (*live.STREAMS,)

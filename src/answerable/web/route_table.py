"""Collect all routes of pages, API and streams from their modules."""

from answerable.web import decision_stream
from answerable.web.api import operation_table as api
from answerable.web.pages import (
    agent,
    approval_requests,
    baselines,
    decisions,
    event,
    evidence,
    identity,
    inventory_lists,
    investigation,
    overview,
    owner_keys,
    pin_diff,
    reach,
    revocations,
    signing,
    time_counts,
)
from answerable.web.routing import StreamRoute, WebRoute

ROUTES: tuple[WebRoute, ...] = (
    *overview.ROUTES,
    *inventory_lists.ROUTES,
    *agent.ROUTES,
    *identity.ROUTES,
    *investigation.ROUTES,
    *event.ROUTES,
    *time_counts.ROUTES,
    *reach.ROUTES,
    *baselines.ROUTES,
    *decisions.ROUTES,
    *approval_requests.ROUTES,
    *owner_keys.ROUTES,
    *signing.ROUTES,
    *revocations.ROUTES,
    *pin_diff.ROUTES,
    *evidence.ROUTES,
    *api.ROUTES,
)

STREAMS: tuple[StreamRoute, ...] = (*decision_stream.STREAMS,)

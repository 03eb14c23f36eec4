"""Collect all routes of pages, API and streams from their modules."""

from answerable.web import decision_stream
from answerable.web.api import operation_table as api
from answerable.web.pages import (
    agent,
    approval_requests,
    baselines,
    bulk_ownership,
    cases,
    changes,
    decisions,
    event_and_decision,
    event_histogram,
    evidence,
    finding_trend,
    findings,
    identity_credential_person,
    inventory_list_pages,
    investigation,
    overview,
    owner_keys,
    pin_diff,
    reach,
    revocations,
    saved_queries,
    search,
    show,
    signing,
    trace_summary,
)
from answerable.web.routing import StreamRoute, WebRoute

ROUTES: tuple[WebRoute, ...] = (
    *overview.ROUTES,
    *inventory_list_pages.ROUTES,
    *findings.ROUTES,
    *finding_trend.ROUTES,
    *changes.ROUTES,
    *agent.ROUTES,
    *identity_credential_person.ROUTES,
    *search.ROUTES,
    *show.ROUTES,
    *investigation.ROUTES,
    *event_and_decision.ROUTES,
    *event_histogram.ROUTES,
    *trace_summary.ROUTES,
    *saved_queries.ROUTES,
    *cases.ROUTES,
    *reach.ROUTES,
    *baselines.ROUTES,
    *decisions.ROUTES,
    *approval_requests.ROUTES,
    *owner_keys.ROUTES,
    *bulk_ownership.ROUTES,
    *signing.ROUTES,
    *revocations.ROUTES,
    *pin_diff.ROUTES,
    *evidence.ROUTES,
    *api.ROUTES,
)

STREAMS: tuple[StreamRoute, ...] = (*decision_stream.STREAMS,)

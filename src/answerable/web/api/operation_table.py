"""Collect the operations of `/api/v1` from its modules, with their routes."""

from answerable.web.api import (
    activity,
    cases,
    evidence,
    inventory,
    openapi,
    overview,
    ownership,
    permissions,
    person_merges,
    server_state,
    signed_statements,
    signing_operations,
    trace_summary,
)
from answerable.web.api.operations import ApiOperation
from answerable.web.routing import WebRoute

OPERATIONS: tuple[ApiOperation, ...] = (
    *overview.OPERATIONS,
    *inventory.OPERATIONS,
    *permissions.OPERATIONS,
    *activity.OPERATIONS,
    *trace_summary.OPERATIONS,
    *cases.OPERATIONS,
    *signed_statements.OPERATIONS,
    *signing_operations.OPERATIONS,
    *ownership.OPERATIONS,
    *person_merges.OPERATIONS,
    *evidence.OPERATIONS,
    *server_state.OPERATIONS,
)
ROUTES: tuple[WebRoute, ...] = (
    openapi.build_openapi_route(OPERATIONS),
    *(each.to_route for each in OPERATIONS),
)

"""Table of all operations of `/api/v1`."""

from answerable.web.api import (
    activity,
    evidence,
    inventory,
    openapi,
    permissions,
    server_state,
    signed_statements,
)
from answerable.web.api.operations import Operation
from answerable.web.routing import Route

OPERATIONS: tuple[Operation, ...] = (
    *inventory.OPERATIONS,
    *permissions.OPERATIONS,
    *activity.OPERATIONS,
    *signed_statements.OPERATIONS,
    *evidence.OPERATIONS,
    *server_state.OPERATIONS,
)
ROUTES: tuple[Route, ...] = (
    openapi.route(OPERATIONS),
    *(each.route for each in OPERATIONS),
)

"""Table of all operations of `/api/v1`."""

from answerable.web.api import (
    deeds,
    evidence,
    inventory,
    machine,
    openapi,
    permissions,
    signed,
)
from answerable.web.api.operations import Operation
from answerable.web.routes import Route

OPERATIONS: tuple[Operation, ...] = (
    *inventory.OPERATIONS,
    *permissions.OPERATIONS,
    *deeds.OPERATIONS,
    *signed.OPERATIONS,
    *evidence.OPERATIONS,
    *machine.OPERATIONS,
)
ROUTES: tuple[Route, ...] = (
    openapi.route(OPERATIONS),
    *(each.route for each in OPERATIONS),
)

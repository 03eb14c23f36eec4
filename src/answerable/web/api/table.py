"""The one list of what can be asked over `/api/v1`.

`doctor` and `where` are not here: they speak of the machine and the home of whoever asks,
which over HTTP would be the server's.
"""

from answerable.web.api import deeds, evidence, inventory, openapi, permissions, signed
from answerable.web.api.operations import Operation
from answerable.web.routes import Route

OPERATIONS: tuple[Operation, ...] = (
    *inventory.OPERATIONS,
    *permissions.OPERATIONS,
    *deeds.OPERATIONS,
    *signed.OPERATIONS,
    *evidence.OPERATIONS,
)
ROUTES: tuple[Route, ...] = (
    openapi.route(OPERATIONS),
    *(each.route for each in OPERATIONS),
)

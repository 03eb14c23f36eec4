"""One event, one decision."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

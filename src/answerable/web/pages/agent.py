"""One agent."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

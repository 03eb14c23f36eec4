"""What agents asked for, and what owners say."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

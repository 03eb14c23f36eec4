"""What can X reach, who can reach Y, and why."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

"""Ending and reviving what acts."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

"""Decisions as they are made."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

"""One identity, credential or person."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

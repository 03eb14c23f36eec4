"""What there is, at a glance."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

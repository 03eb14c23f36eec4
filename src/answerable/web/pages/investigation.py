"""What was done, and who stands behind it."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

"""Keys of owners, in the browser too."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

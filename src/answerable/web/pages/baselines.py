"""What an agent does, and what its owner signs of it."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

"""Lists of agents, identities, credentials, tools and people."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

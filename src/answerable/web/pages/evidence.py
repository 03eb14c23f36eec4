"""The log: checkpoint, verification, proof of one record."""

from answerable.web.routes import Route

ROUTES: tuple[Route, ...] = ()

"""Routes that only show what reached them, for tests of what stands before every route."""

from answerable.model.errors import UsageError, VerificationError
from answerable.web.routing import Answer, Asked, File, Forbidden, Moved, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

CRLF = "a\r\nSet-Cookie: x=y\r\n\r\n<script>alert(1)</script>"


def told(asked: Asked, visit: Visit) -> Answer:
    """Show everything that was asked, as a page would."""
    title = asked.query.get("title", "A title")
    return Page("refused.html", title, {"refusal": _Said(asked)})


class _Said:
    def __init__(self, asked: Asked) -> None:
        self.says = repr(dict(asked.query))
        self.hint = asked.said


class Acts:
    """A route that changes something, and counts how often."""

    def __init__(self) -> None:
        self.done: list[dict[str, str]] = []

    def act(self, desk: Desk, visit: Visit, asked: Asked) -> Answer:
        self.done.append(dict(asked.form))
        return Moved(asked.form.get("to", "/look"), "it was done")


def refuse(error: Exception) -> Answer:
    raise error


def routes(acts: Acts) -> tuple[Route, ...]:
    look, admin = frozenset({May.LOOK}), frozenset({May.ADMINISTER})
    named = {"title", "q"}
    return (
        Route("/look", lambda d, v, a: told(a, v), look, tuple(named)),
        Route("/act", acts.act, admin, ("to", "what"), "POST"),
        Route(
            "/file", lambda d, v, a: File(a.query["q"], "text/csv", b"x"), look, ("q",)
        ),
        Route("/fails", lambda d, v, a: refuse(ValueError("secret-canary")), look),
        Route("/hidden", lambda d, v, a: refuse(Forbidden("secret-canary")), look),
        Route("/usage", lambda d, v, a: refuse(UsageError("no", "do so")), look),
        Route("/wrong", lambda d, v, a: refuse(VerificationError("no")), look),
        Route("/api/v1/fails", lambda d, v, a: refuse(ValueError("canary")), look),
    )

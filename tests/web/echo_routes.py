"""Routes that only show what reached them, for tests of what stands before every route."""

from answerable.model.errors import UsageError, VerificationError
from answerable.web.routing import (
    FileDownload,
    Forbidden,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

CRLF = "a\r\nSet-Cookie: x=y\r\n\r\n<script>alert(1)</script>"


def told(asked: RouteRequest, visit: Visitor) -> RouteAnswer:
    """Show everything that was asked, as a page would."""
    title = asked.query.get("title", "A title")
    return PageAnswer("refused.html", title, {"refusal": _EchoedRequest(asked)})


class _EchoedRequest:
    def __init__(self, asked: RouteRequest) -> None:
        self.says = repr(dict(asked.query))
        self.hint, self.link = asked.said, ""


class CountingRoute:
    """A route that changes something, and counts how often."""

    def __init__(self) -> None:
        self.done: list[dict[str, str]] = []

    def act(self, desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
        self.done.append(dict(asked.form))
        return Redirect(asked.form.get("to", "/look"), "it was done")


def refuse(error: Exception) -> RouteAnswer:
    raise error


def routes(acts: CountingRoute) -> tuple[WebRoute, ...]:
    look, admin = frozenset({WebPermission.LOOK}), frozenset({WebPermission.ADMINISTER})
    named = {"title", "q"}
    return (
        WebRoute("/look", lambda d, v, a: told(a, v), look, tuple(named)),
        WebRoute("/act", acts.act, admin, ("to", "what"), "POST"),
        WebRoute(
            "/file",
            lambda d, v, a: FileDownload(a.query["q"], "text/csv", b"x"),
            look,
            ("q",),
        ),
        WebRoute("/fails", lambda d, v, a: refuse(ValueError("secret-canary")), look),
        WebRoute("/hidden", lambda d, v, a: refuse(Forbidden("secret-canary")), look),
        WebRoute("/usage", lambda d, v, a: refuse(UsageError("no", "do so")), look),
        WebRoute("/wrong", lambda d, v, a: refuse(VerificationError("no")), look),
        WebRoute("/api/v1/fails", lambda d, v, a: refuse(ValueError("canary")), look),
    )

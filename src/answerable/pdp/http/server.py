"""HTTP server for enforcement points: authentication, limits, error documents.

Every response repeats the request's `X-Request-ID` (AuthZEN 1.0, 10.1.3). Errors are
problem documents; a denial is not an error.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from answerable.model.worker_limits import Limits
from answerable.pdp.enforcement_points import Enforcer, Enforcers
from answerable.pdp.recording.evaluation_recorder import Recorder
from answerable.pdp.wire.evaluation_request import MAX_BODY, Members, read_body
from answerable.pdp.wire.problems import MEDIA, Invalid, Problem
from answerable.server.connection_info import Link
from answerable.server.wire.host_check import check_place
from answerable.server.wire.refusals import Refused
from answerable.server.wire.request_head import Head

JSON = "application/json"
REQUEST_ID = b"x-request-id"
# Read by us: one value, or it is none.
_ONCE = ("authorization", "content-type", "dpop", "host", "origin", "x-request-id")

Handler: TypeAlias = Callable[[Members, Enforcer], Awaitable[dict[str, Any]]]
Page: TypeAlias = Callable[[Request], Awaitable[Response]]


class Door:
    """HTTP server of the decision point.

    Args:
        failed: Called with unexpected errors.

    Attributes:
        in_flight: Requests in progress by enforcement point.
    """

    def __init__(
        self,
        enforcers: Enforcers,
        recorder: Recorder,
        limits: Limits,
        failed: Callable[[Exception], None],
    ) -> None:
        self._enforcers, self._recorder = enforcers, recorder
        self._failed = failed
        self.limits = limits
        self.in_flight: Counter[str] = Counter()

    def app(
        self, handlers: Mapping[str, Handler], pages: Mapping[str, Page]
    ) -> "WithRequestId":
        """Build the ASGI application.

        Args:
            handlers: Endpoints for POST by path.
            pages: Public pages for GET by path.
        """
        asked = [
            Route(path, self._asked(h), methods=["POST"])
            for path, h in handlers.items()
        ]
        read = [
            Route(path, self._read(p), methods=["GET"]) for path, p in pages.items()
        ]
        return WithRequestId(
            Starlette(
                routes=[*asked, *read], exception_handlers={HTTPException: _no_route}
            )
        )

    @contextmanager
    def counted(self, enforcer: Enforcer) -> Iterator[None]:
        """Count a request in progress of one enforcement point.

        Raises:
            Problem: It has too many.
        """
        principal, counts = enforcer.principal, self.in_flight
        if counts[principal] >= self.limits.calls_per_caller:
            raise Problem(429, "too-many-calls", "too many requests are under way")
        counts[principal] += 1
        try:
            yield
        finally:
            counts[principal] -= 1
            if not counts[principal]:
                del counts[principal]

    def _asked(self, handler: Handler) -> Page:
        async def endpoint(request: Request) -> Response:
            return await self._answered(request, handler)

        return endpoint

    def _read(self, page: Page) -> Page:
        async def endpoint(request: Request) -> Response:
            try:
                _check_place(_head(request), request)
                return await page(request)
            except Problem as problem:
                return self._refused(problem)

        return endpoint

    async def _answered(self, request: Request, handler: Handler) -> Response:
        try:
            head = _head(request)
            _check_place(head, request)
            enforcer = await self._enforcers.identify(head, _link(request))
            request.scope["state"]["caller"] = enforcer.principal
            with self.counted(enforcer):
                said = read_body(await self._body(request, head))
                told = await handler(said, enforcer)
        except Problem as problem:
            return self._refused(problem)
        except ClientDisconnect:
            return Response(status_code=400)  # the client is gone
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it is no yes
            self._failed(error)
            says = "the request could not be evaluated"
            return self._refused(Problem(500, "failed", says))
        return Response(
            msgspec.json.encode(told),
            media_type=JSON,
            headers={"cache-control": "no-store"},
        )

    async def _body(self, request: Request, head: Head) -> bytes:
        kind = head.fields.get("content-type", "").partition(";")[0].strip().lower()
        if kind != JSON:
            raise Invalid("Content-Type must be application/json", "content-type")
        if head.fields.get("content-encoding", "identity").lower() != "identity":
            raise Invalid("the body must not be encoded", "content-coding")
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY:
                says = f"the body has more than {MAX_BODY} bytes"
                raise Problem(413, "body-too-large", says, {"connection": "close"})
        return bytes(body)

    def _refused(self, problem: Problem) -> Response:
        self._recorder.turned_away(problem.why)
        return _response(problem)


class WithRequestId:
    """ASGI middleware that repeats `X-Request-ID` on every response."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        given = [
            (name, value)
            for name, value in scope.get("headers", ())
            if name == REQUEST_ID
        ]

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *given[:1]]
            await send(message)

        await self._app(scope, receive, told)


def _head(request: Request) -> Head:
    """Build the request head that authenticates the sender."""
    fields: dict[str, str] = {}
    for raw, value in request.scope["headers"]:
        name = raw.decode("latin-1")
        if name in fields and name in _ONCE:
            raise Invalid(f"{name} stands twice", "repeated-field")
        fields[name] = value.decode("latin-1")
    fields.setdefault("host", "")
    target = request.scope["raw_path"].decode("latin-1")
    return Head(request.method, target, fields, 0, expects=False, closes=False)


def _check_place(head: Head, request: Request) -> None:
    try:
        check_place(head, request.scope["state"]["served"])
    except Refused as refused:
        says = refused.wire.says
        raise Problem(refused.wire.status, refused.why.value, says) from None


def _link(request: Request) -> Link:
    link: Link = request.scope["state"]["link"]
    return link


def _response(problem: Problem) -> Response:
    fields = {"cache-control": "no-store"} | problem.fields
    return Response(problem.body(), problem.status, fields, MEDIA)


async def _no_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these alone
    says = (
        "the method is not supported here"
        if error.status_code == 405
        else "nothing is served here"
    )
    return _response(
        Problem(error.status_code, "no-route", says, dict(error.headers or {}))
    )

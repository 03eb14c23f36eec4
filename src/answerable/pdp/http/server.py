"""Serve AuthZEN over HTTP: authenticate enforcement points, limit bodies, answer.

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

from answerable.model.worker_limits import WorkerLimits
from answerable.pdp.enforcement_points import (
    EnforcementPoint,
    EnforcementPointAuthenticator,
)
from answerable.pdp.recording.evaluation_recorder import EvaluationRecorder
from answerable.pdp.wire.evaluation_request import MAX_BODY, JsonMembers, parse_body
from answerable.pdp.wire.problem_documents import (
    PROBLEM_TYPE,
    MalformedRequest,
    ProblemResponse,
)
from answerable.server.connection_info import ConnectionInfo
from answerable.server.wire.host_check import check_host_and_origin
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import HttpRequestHead

JSON_TYPE = "application/json"
REQUEST_ID_FIELD = b"x-request-id"
# Read by us: one value, or it is none.
_SINGLE_FIELDS = (
    "authorization",
    "content-type",
    "dpop",
    "host",
    "origin",
    "x-request-id",
)

QuestionHandler: TypeAlias = Callable[
    [JsonMembers, EnforcementPoint], Awaitable[dict[str, Any]]
]
PageHandler: TypeAlias = Callable[[Request], Awaitable[Response]]


class PdpHttpServer:
    """HTTP server of the decision point.

    Args:
        failed: Called with unexpected errors.

    Attributes:
        in_flight: Requests in progress by enforcement point.
    """

    def __init__(
        self,
        enforcers: EnforcementPointAuthenticator,
        recorder: EvaluationRecorder,
        limits: WorkerLimits,
        failed: Callable[[Exception], None],
    ) -> None:
        self._enforcers, self._recorder = enforcers, recorder
        self._failed = failed
        self.limits = limits
        self.in_flight: Counter[str] = Counter()

    def build_app(
        self, handlers: Mapping[str, QuestionHandler], pages: Mapping[str, PageHandler]
    ) -> "RequestIdMiddleware":
        """Build the ASGI application.

        Args:
            handlers: Endpoints for POST by path.
            pages: Public pages for GET by path.
        """
        asked = [
            Route(path, self._build_post_endpoint(h), methods=["POST"])
            for path, h in handlers.items()
        ]
        read = [
            Route(path, self._build_page_endpoint(p), methods=["GET"])
            for path, p in pages.items()
        ]
        return RequestIdMiddleware(
            Starlette(
                routes=[*asked, *read],
                exception_handlers={HTTPException: _build_route_error},
            )
        )

    @contextmanager
    def count_in_flight(self, enforcement_point: EnforcementPoint) -> Iterator[None]:
        """Count a request of a caller as in flight; refuse it over the limit.

        Raises:
            Problem: It has too many.
        """
        principal, counts = enforcement_point.principal, self.in_flight
        if counts[principal] >= self.limits.calls_per_caller:
            raise ProblemResponse(429, "too-many-calls", "too many concurrent requests")
        counts[principal] += 1
        try:
            yield
        finally:
            counts[principal] -= 1
            if not counts[principal]:
                del counts[principal]

    def _build_post_endpoint(self, handler: QuestionHandler) -> PageHandler:
        """Wrap a handler as the endpoint of an AuthZEN POST request."""

        async def endpoint(request: Request) -> Response:
            return await self._answer_post(request, handler)

        return endpoint

    def _build_page_endpoint(self, page: PageHandler) -> PageHandler:
        """Wrap a page as an endpoint that checks Host and Origin."""

        async def endpoint(request: Request) -> Response:
            try:
                _check_host_and_origin(_build_request_head(request), request)
                return await page(request)
            except ProblemResponse as problem:
                return self._build_rejection_response(problem)

        return endpoint

    async def _answer_post(
        self, request: Request, handler: QuestionHandler
    ) -> Response:
        """Authenticate, parse and handle a POST; errors become problem documents."""
        try:
            head = _build_request_head(request)
            _check_host_and_origin(head, request)
            enforcer = await self._enforcers.authenticate(
                head, _get_connection_info(request)
            )
            request.scope["state"]["caller"] = enforcer.principal
            with self.count_in_flight(enforcer):
                said = parse_body(await self._read_body(request, head))
                told = await handler(said, enforcer)
        except ProblemResponse as problem:
            return self._build_rejection_response(problem)
        except ClientDisconnect:
            return Response(status_code=400)  # the client is gone
        except Exception as error:  # noqa: BLE001 - no failure allows a call
            self._failed(error)
            says = "the request could not be evaluated"
            return self._build_rejection_response(ProblemResponse(500, "failed", says))
        return Response(
            msgspec.json.encode(told),
            media_type=JSON_TYPE,
            headers={"cache-control": "no-store"},
        )

    async def _read_body(self, request: Request, head: HttpRequestHead) -> bytes:
        """Read a JSON body of at most MAX_BODY bytes."""
        kind = head.fields.get("content-type", "").partition(";")[0].strip().lower()
        if kind != JSON_TYPE:
            raise MalformedRequest(
                "Content-Type must be application/json", "content-type"
            )
        if head.fields.get("content-encoding", "identity").lower() != "identity":
            raise MalformedRequest(
                "the body must not have a Content-Encoding", "content-coding"
            )
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY:
                says = f"the body has more than {MAX_BODY} bytes"
                raise ProblemResponse(
                    413, "body-too-large", says, {"connection": "close"}
                )
        return bytes(body)

    def _build_rejection_response(self, problem: ProblemResponse) -> Response:
        """Count a rejected request, and build its response."""
        self._recorder.count_refused_request(problem.why)
        return _build_problem_response(problem)


class RequestIdMiddleware:
    """ASGI middleware that repeats `X-Request-ID` on every response."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        given = [
            (name, value)
            for name, value in scope.get("headers", ())
            if name == REQUEST_ID_FIELD
        ]

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *given[:1]]
            await send(message)

        await self._app(scope, receive, send_with_id)


def _build_request_head(request: Request) -> HttpRequestHead:
    """Build the request head that authenticates the sender."""
    fields: dict[str, str] = {}
    for raw, value in request.scope["headers"]:
        name = raw.decode("latin-1")
        if name in fields and name in _SINGLE_FIELDS:
            raise MalformedRequest(f"{name} is repeated", "repeated-field")
        fields[name] = value.decode("latin-1")
    fields.setdefault("host", "")
    target = request.scope["raw_path"].decode("latin-1")
    return HttpRequestHead(
        request.method, target, fields, 0, expects=False, closes=False
    )


def _check_host_and_origin(head: HttpRequestHead, request: Request) -> None:
    """Reject a request whose Host or Origin is not ours."""
    try:
        check_host_and_origin(head, request.scope["state"]["served"])
    except RequestRefused as refused:
        says = refused.wire.says
        raise ProblemResponse(refused.wire.status, refused.why.value, says) from None


def _get_connection_info(request: Request) -> ConnectionInfo:
    """Return the connection facts of a request."""
    link: ConnectionInfo = request.scope["state"]["link"]
    return link


def _build_problem_response(problem: ProblemResponse) -> Response:
    """Build the HTTP response of a problem document."""
    fields = {"cache-control": "no-store"} | problem.fields
    return Response(problem.body(), problem.status, fields, PROBLEM_TYPE)


async def _build_route_error(_: Request, error: Exception) -> Response:
    """Build the problem document for an unknown path or method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these alone
    says = (
        "the method is not supported here" if error.status_code == 405 else "not found"
    )
    return _build_problem_response(
        ProblemResponse(error.status_code, "no-route", says, dict(error.headers or {}))
    )

"""Request dispatcher: checks, routing, authentication, permission, handler.

The order is: host and origin; route; visitor; permission; parameters. Nothing is read
from the store before the handler.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from answerable.model.errors import AnswerableError
from answerable.server.connection_info import ConnectionInfo
from answerable.web.auth.visitors import ANONYMOUS
from answerable.web.http import request_checks
from answerable.web.http.authentication import AuthenticatedSender, RequestAuthenticator
from answerable.web.http.errors import RequestRejected, from_domain_error, not_found
from answerable.web.http.event_streams import EVENT_STREAM_TYPE, EventStreams
from answerable.web.http.incoming_request import (
    CSRF_FIELD,
    Endpoint,
    IncomingRequest,
    read_form_body,
)
from answerable.web.http.request_metrics import RequestMetrics
from answerable.web.http.request_parsing import (
    MAX_TARGET,
    build_permalink,
    parse_etags,
    parse_fields,
)
from answerable.web.http.responses import (
    API_PREFIX,
    build_response,
    error_response,
    redirect_response,
)
from answerable.web.http.worker_pool import WorkerPool
from answerable.web.routing import (
    Forbidden,
    Redirect,
    RouteRequest,
    StreamRoute,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

OTHER_PATH = "other"  # for counting: any path that is none of ours


class WebDispatcher:
    """ASGI application of the web interface.

    Args:
        desk: Cache over the store.
        own: Public endpoints: (path, method) -> endpoint; a path that ends with a slash
            covers everything below it.
        failed: Called with unexpected errors; returns an error id.
    """

    def __init__(
        self,
        desk: StoreCache,
        entrance: RequestAuthenticator,
        routes: tuple[WebRoute, ...],
        streams: tuple[StreamRoute, ...],
        own: Mapping[tuple[str, str], Endpoint],
        failed: Callable[[Exception], str],
    ) -> None:
        self.desk = desk
        self._entrance, self._failed = entrance, failed
        self._routes = {(each.path, each.method): each for each in routes}
        self._streams = {each.path: each for each in streams}
        self._own = dict(own)
        self.counted, self.pool, self.open = (
            RequestMetrics(),
            WorkerPool(),
            EventStreams(failed),
        )
        self.app = GZipMiddleware(self._handle_request, minimum_size=1000)

    async def _handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        request = Request(scope, receive)
        response = await self._build_response(request)
        link: ConnectionInfo = scope["state"]["link"]
        for name, value in request_checks.security_fields(link.url).items():
            response.headers.setdefault(name, value)
        path = scope["path"]
        known = self._metric_path(path)
        self.counted.count_answer(
            known, response.status_code, time.perf_counter() - begun
        )
        await response(scope, receive, send)

    def _metric_path(self, path: str) -> str:
        """Return the path for metrics: a known one, or `OTHER_PATH`."""
        if path in self._streams or any(path == each for each, _ in self._routes):
            return path
        return next(
            (own for own, _ in self._own if _matches_path(path, own)), OTHER_PATH
        )

    async def _build_response(self, request: Request) -> Response:
        visit, path = ANONYMOUS, str(request.scope["path"])
        try:
            come = self._check_request(request)
            own = self._find_public(path, request.method)
            if own is not None:
                return await own(come)
            route, none = self._find_route(come)
            known = await self._entrance.authenticate(come)
            if known is None:
                return self._challenge(come, none)
            request.scope["state"]["caller"] = known.key.hex()
            visit = await self.pool.run(partial(self._entrance.build_visitor, known))
            if route is None or visit.may.isdisjoint(route.may):
                raise none
            if isinstance(route, StreamRoute):
                return self._open_stream(route, come, known, visit)
            return await self._run_handler(route, come, known, visit)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return self._error_response(error, visit, path, request)

    def _check_request(self, request: Request) -> IncomingRequest:
        scope = request.scope
        served, link = scope["state"]["served"], scope["state"]["link"]
        fields = request_checks.parse_head(scope["headers"])
        request_checks.check_request(request.method, fields, served, link.url)
        if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
            raise RequestRejected(414, "too-long", "the address is too long")
        return IncomingRequest(request, fields, served, link)

    def _find_public(self, path: str, method: str) -> Endpoint | None:
        method = "GET" if method == "HEAD" else method
        for (own, by), endpoint in self._own.items():
            if by == method and _matches_path(path, own):
                return endpoint
        return None

    def _find_route(
        self, come: IncomingRequest
    ) -> tuple[WebRoute | StreamRoute | None, RequestRejected]:
        """Find the route, with the error if there is none."""
        method = "POST" if come.is_post else "GET"
        found: WebRoute | StreamRoute | None = self._routes.get((come.path, method))
        if found is None and not come.is_post:
            found = self._streams.get(come.path)
        other = (come.path, "GET" if come.is_post else "POST")
        if found is None and (
            other in self._routes
            or any(_matches_path(come.path, p) for p, _ in self._own)
        ):
            says = f"nothing is served here by {method}"
            return None, RequestRejected(405, "method", says)
        return found, not_found()

    def _challenge(self, come: IncomingRequest, none: RequestRejected) -> Response:
        """Redirect an anonymous visitor to sign in; raise `none` for unknown paths."""
        if self._metric_path(come.path) == OTHER_PATH or none.status == 405:
            raise none
        if come.path.startswith(API_PREFIX):
            says = "sign in first"
            hint = "send a token of a pinned issuer, or the cookie of a session"
            raise RequestRejected(401, "unknown-visitor", says, hint)
        here = "/" if come.is_post else _request_target(come)
        to = build_permalink("/sign-in", {"next": here} if here != "/" else {})
        if "hx-request" in come.fields:
            return Response(b"", 401, {"hx-redirect": to, "cache-control": "no-store"})
        return redirect_response(to)

    async def _run_handler(
        self,
        route: WebRoute,
        come: IncomingRequest,
        known: AuthenticatedSender,
        visit: Visitor,
    ) -> Response:
        asked = await self._parse_request(route, come, known)
        if not come.is_post and known.session is not None and not asked.part:
            asked, known.session.said = (
                _with_confirmation(asked, known.session.said),
                "",
            )

        def work() -> Response:
            answer = route.handler(self.desk, visit, asked)
            if isinstance(answer, Redirect) and known.session is not None:
                known.session.said = answer.said
            return build_response(answer, visit, asked)

        return await self.pool.run(work)

    async def _parse_request(
        self, route: WebRoute, come: IncomingRequest, known: AuthenticatedSender
    ) -> RouteRequest:
        part = come.fields.get("hx-request", "") == "true" and (
            come.fields.get("hx-history-restore-request") != "true"
        )
        if not come.is_post:
            query = parse_fields(come.query, route.takes, blanks=route.blanks)
            held = parse_etags(come.fields.get("if-none-match", ""))
            url = build_permalink(come.path, query)
            return RouteRequest(query, {}, url, part, held=held)
        if come.query:
            raise RequestRejected(400, "query", "a form has its fields in its body")
        form = parse_fields(await read_form_body(come), (*route.takes, CSRF_FIELD))
        token = form.pop(CSRF_FIELD, "") or come.fields.get("x-csrf-token", "")
        if known.session is not None and not known.session.accepts_csrf(token):
            raise RequestRejected(
                403,
                "csrf",
                "the form is not one of this session",
                "open the page again, and send it from there",
            )
        return RouteRequest({}, form, come.path, part)

    def _allowed_methods(self, path: str) -> list[str]:
        """List the methods of a path."""
        gets = (path, "GET") in self._routes or path in self._streams
        gets = gets or self._find_public(path, "GET") is not None
        posts = (path, "POST") in self._routes
        posts = posts or self._find_public(path, "POST") is not None
        return [*(("GET", "HEAD") if gets else ()), *(("POST",) if posts else ())]

    def _open_stream(
        self,
        stream: StreamRoute,
        come: IncomingRequest,
        known: AuthenticatedSender,
        visit: Visitor,
    ) -> Response:
        query = parse_fields(come.query, stream.takes)
        heard = come.fields.get("last-event-id", "")
        asked = RouteRequest(query, {}, build_permalink(come.path, query), heard=heard)
        self.open.check_capacity(known.key)
        lives = partial(self._entrance.is_alive, known)
        events = stream.tell(self.desk, visit, asked)
        fields = {"cache-control": "no-store", "x-accel-buffering": "no"}
        told = self.open.stream_events(events, known.key, lives)
        return StreamingResponse(told, 200, fields, EVENT_STREAM_TYPE)

    def _error_response(
        self, error: Exception, visit: Visitor, path: str, request: Request
    ) -> Response:
        match error:
            case RequestRejected():
                refusal = error
            case Forbidden():
                refusal = not_found()
            case AnswerableError():
                refusal = from_domain_error(error)
            case ClientDisconnect():
                return Response(status_code=400)  # the client is gone
            case _:
                number = self._failed(error)
                hint = f"the log has it as {number}"
                refusal = RequestRejected(
                    500, "failed", "this went wrong in here", hint
                )
        self.counted.count_refusal(refusal.why)
        try:
            part = request.headers.get("hx-request") == "true"
            answer = error_response(
                refusal, visit, RouteRequest(url=path, part=part), path
            )
            if refusal.status == 405:  # RFC 9110 15.5.6
                answer.headers["allow"] = ", ".join(self._allowed_methods(path))
            return answer
        except Exception as second:  # noqa: BLE001 - the page that tells it fails too
            self._failed(second)
            return Response(
                f"{refusal.says}\n", refusal.status, media_type="text/plain"
            )


def _request_target(come: IncomingRequest) -> str:
    query = come.query.decode("latin-1")
    return f"{come.path}?{query}" if query else come.path


def _with_confirmation(asked: RouteRequest, said: str) -> RouteRequest:
    return replace(asked, said=said)


def _matches_path(path: str, own: str) -> bool:
    return path == own or (own.endswith("/") and own != "/" and path.startswith(own))

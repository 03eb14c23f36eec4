"""Dispatch HTTP requests: checks, authentication, permission, then the route handler.

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

from answerable.model.errors import (
    AnswerableError,
    DerivedFileError,
    RemovedFileError,
)
from answerable.server.connection_info import ConnectionInfo
from answerable.web.auth.visitor_factory import ANONYMOUS
from answerable.web.http import request_checks
from answerable.web.http.authentication import AuthenticatedSender, RequestAuthenticator
from answerable.web.http.errors import (
    RequestRejected,
    build_not_found_error,
    build_session_error,
    convert_use_case_error,
)
from answerable.web.http.event_streams import EVENT_STREAM_TYPE, EventStreams
from answerable.web.http.incoming_request import (
    CSRF_FIELD,
    Endpoint,
    IncomingRequest,
    read_form_body,
)
from answerable.web.http.refused_form import find_refused_form
from answerable.web.http.request_metrics import RequestMetrics
from answerable.web.http.request_parsing import (
    MAX_TARGET,
    build_permalink,
    parse_etags,
    parse_fields,
)
from answerable.web.http.responses import (
    build_response,
    error_response,
    redirect_response,
)
from answerable.web.http.worker_pool import WorkerPool
from answerable.web.killed_subjects import read_killed_subjects
from answerable.web.navigation import count_entries
from answerable.web.routing import (
    API_PREFIX,
    Forbidden,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    StreamRoute,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

OTHER_PATH = "other"  # metric label of unknown paths
_NOT_SHOWN_YET = " The pages do not show this change yet; reload in a minute."


class WebDispatcher:
    """ASGI application of the web interface.

    Args:
        cache: Cache over the store.
        public_endpoints: Endpoints without sign-in by (path, method); a path that ends
            with a slash covers everything below it.
        report_error: Called with unexpected errors; returns an error id.
    """

    def __init__(
        self,
        cache: StoreCache,
        authenticator: RequestAuthenticator,
        routes: tuple[WebRoute, ...],
        streams: tuple[StreamRoute, ...],
        public_endpoints: Mapping[tuple[str, str], Endpoint],
        report_error: Callable[[Exception], str],
    ) -> None:
        self.desk = cache
        self._authenticator, self._report_error = authenticator, report_error
        self._routes = {(route.path, route.method): route for route in routes}
        self._streams = {route.path: route for route in streams}
        self._public_endpoints = dict(public_endpoints)
        self.counted, self.pool, self.open = (
            RequestMetrics(),
            WorkerPool(),
            EventStreams(report_error),
        )
        self.app = GZipMiddleware(self._handle_request, minimum_size=1000)

    async def _handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request and count it."""
        started = time.perf_counter()
        request = Request(scope, receive)
        response = await self._build_response(request)
        link: ConnectionInfo = scope["state"]["link"]
        for name, value in request_checks.security_headers(link.url).items():
            response.headers.setdefault(name, value)
        path = scope["path"]
        metric_path = self._get_metric_path(path)
        self.counted.count_answer(
            metric_path, response.status_code, time.perf_counter() - started
        )
        await response(scope, receive, send)

    def _get_metric_path(self, path: str) -> str:
        """Return the path as a metric label: a known path, or `OTHER_PATH`."""
        if path in self._streams or any(
            path == route_path for route_path, _ in self._routes
        ):
            return path
        return next(
            (
                public_path
                for public_path, _ in self._public_endpoints
                if _matches_path(path, public_path)
            ),
            OTHER_PATH,
        )

    async def _build_response(self, request: Request) -> Response:
        """Run all checks and the handler; map each error to a response."""
        visitor, path = ANONYMOUS, str(request.scope["path"])
        try:
            incoming = self._check_request(request)
            endpoint = self._find_public_endpoint(path, request.method)
            if endpoint is not None:
                return await endpoint(incoming)
            route, refusal = self._find_route(incoming)
            sender = await self._authenticator.authenticate(incoming)
            if sender is None:
                if isinstance(route, WebRoute) and route.labels:
                    await read_form_body(incoming)
                    raise build_session_error()
                return self._redirect_to_sign_in(incoming, refusal)
            request.scope["state"]["caller"] = sender.key.hex()
            visitor = await self.pool.run(
                partial(self._authenticator.build_visitor, sender)
            )
            if route is None or visitor.may.isdisjoint(route.permissions):
                raise refusal
            if isinstance(route, StreamRoute):
                return self._open_stream(route, incoming, sender, visitor)
            return await self._run_handler(route, incoming, sender, visitor)
        except Exception as error:  # noqa: BLE001 - every error gets a response
            return self._build_error_response(error, visitor, path, request)

    def _check_request(self, request: Request) -> IncomingRequest:
        """Check headers, host, origin and length of a request."""
        scope = request.scope
        served, link = scope["state"]["served"], scope["state"]["link"]
        fields = request_checks.parse_headers(scope["headers"])
        request_checks.check_request(
            request.method, scope["path"], fields, served, link.url
        )
        if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
            raise RequestRejected(414, "too-long", "the address is too long")
        return IncomingRequest(request, fields, served, link)

    def _find_public_endpoint(self, path: str, method: str) -> Endpoint | None:
        """Find the endpoint that needs no sign-in, None for other paths."""
        method = "GET" if method == "HEAD" else method
        for (public_path, endpoint_method), endpoint in self._public_endpoints.items():
            if endpoint_method == method and _matches_path(path, public_path):
                return endpoint
        return None

    def _find_route(
        self, incoming: IncomingRequest
    ) -> tuple[WebRoute | StreamRoute | None, RequestRejected]:
        """Find the route; also return the 404 or 405 error to raise without one."""
        method = "POST" if incoming.is_post else "GET"
        found: WebRoute | StreamRoute | None = self._routes.get((incoming.path, method))
        if found is None and not incoming.is_post:
            found = self._streams.get(incoming.path)
        other = (incoming.path, "GET" if incoming.is_post else "POST")
        if found is None and (
            other in self._routes
            or any(_matches_path(incoming.path, p) for p, _ in self._public_endpoints)
        ):
            says = f"this path does not support the method {method}"
            return None, RequestRejected(405, "method", says)
        return found, build_not_found_error()

    def _redirect_to_sign_in(
        self, incoming: IncomingRequest, refusal: RequestRejected
    ) -> Response:
        """Redirect an anonymous visitor to sign-in; raise `refusal` for other paths."""
        if self._get_metric_path(incoming.path) == OTHER_PATH or refusal.status == 405:
            raise refusal
        if incoming.path.startswith(API_PREFIX):
            says = "sign in first"
            hint = "send a token of a pinned issuer, or the cookie of a session"
            raise RequestRejected(401, "unknown-visitor", says, hint)
        next_path = "/" if incoming.is_post else _get_request_target(incoming)
        sign_in_url = build_permalink(
            "/sign-in", {"next": next_path} if next_path != "/" else {}
        )
        if "hx-request" in incoming.fields:
            return Response(
                b"", 401, {"hx-redirect": sign_in_url, "cache-control": "no-store"}
            )
        return redirect_response(sign_in_url)

    async def _run_handler(
        self,
        route: WebRoute,
        incoming: IncomingRequest,
        sender: AuthenticatedSender,
        visitor: Visitor,
    ) -> Response:
        """Parse the request, run the handler in a worker thread, build the response."""
        request = await self._parse_request(route, incoming, sender)
        if not incoming.is_post and sender.session is not None and not request.part:
            request, sender.session.confirmation = (
                _add_confirmation_message(request, sender.session.confirmation),
                "",
            )

        def call_handler() -> Response:
            shown = _get_shown_stamp(self.desk)  # before the page reads the data
            answer = self._call_handler(route, visitor, request)
            if isinstance(answer, Redirect) and sender.session is not None:
                sender.session.confirmation = answer.confirmation
            if not isinstance(answer, PageAnswer):
                return build_response(answer, visitor, request)
            marked = replace(request, killed=read_killed_subjects(self.desk))
            if not request.part:
                counts = count_entries(self.desk, visitor)
                marked = replace(marked, counts=counts, shown=shown)
            return build_response(answer, visitor, marked)

        return await self.pool.run(call_handler)

    def _call_handler(
        self, route: WebRoute, visitor: Visitor, request: RouteRequest
    ) -> RouteAnswer:
        """Call the handler; after a change, wait for a view that contains it.

        A page that reads a damaged derived file is built once more, from the store.
        """
        if route.method != "POST":
            try:
                return route.handler(self.desk, visitor, request)
            except (DerivedFileError, RemovedFileError):
                self.desk.discard_view()
                return route.handler(self.desk, visitor, request)
        before = self.desk.read_stamp()
        answer = route.handler(self.desk, visitor, request)
        try:
            shown = self.desk.wait_for_change(before)
        except AnswerableError:
            shown = False  # the change is recorded, so this is not an error of it
        if shown or not isinstance(answer, Redirect):
            return answer
        return replace(answer, confirmation=f"{answer.confirmation}{_NOT_SHOWN_YET}")

    async def _parse_request(
        self, route: WebRoute, incoming: IncomingRequest, sender: AuthenticatedSender
    ) -> RouteRequest:
        """Parse the query, or the form with its CSRF token."""
        is_part = incoming.fields.get("hx-request", "") == "true" and (
            incoming.fields.get("hx-history-restore-request") != "true"
        )
        if not incoming.is_post:
            query = parse_fields(
                incoming.query, route.parameters, keep_empty=route.keeps_empty_fields
            )
            etags = parse_etags(incoming.fields.get("if-none-match", ""))
            url = build_permalink(incoming.path, query)
            return RouteRequest(
                query, {}, url, is_part, etags=etags, origin=incoming.origin
            )
        if incoming.query:
            raise RequestRejected(
                400, "query", "a form must send its fields in the body"
            )
        body = await read_form_body(incoming)
        form = parse_fields(body, (*route.parameters, CSRF_FIELD))
        token = form.pop(CSRF_FIELD, "") or incoming.fields.get("x-csrf-token", "")
        if sender.session is not None and not token:
            raise RequestRejected(
                403,
                "csrf",
                "you signed in after this form was shown, so nothing was recorded",
                "check the values below and send them once more",
            )
        if sender.session is not None and not sender.session.accepts_csrf(token):
            raise RequestRejected(
                403,
                "csrf",
                "the form does not belong to this session",
                "open the page again, or check the values below and send them again",
            )
        return RouteRequest({}, form, incoming.path, is_part, origin=incoming.origin)

    def _allowed_methods(self, path: str) -> list[str]:
        """List the allowed methods of a path, for the `Allow` header."""
        gets = (path, "GET") in self._routes or path in self._streams
        gets = gets or self._find_public_endpoint(path, "GET") is not None
        posts = (path, "POST") in self._routes
        posts = posts or self._find_public_endpoint(path, "POST") is not None
        return [*(("GET", "HEAD") if gets else ()), *(("POST",) if posts else ())]

    def _open_stream(
        self,
        stream: StreamRoute,
        incoming: IncomingRequest,
        sender: AuthenticatedSender,
        visitor: Visitor,
    ) -> Response:
        """Open a server-sent event stream for a route."""
        query = parse_fields(incoming.query, stream.parameters)
        last_event_id = incoming.fields.get("last-event-id", "")
        request = RouteRequest(
            query,
            {},
            build_permalink(incoming.path, query),
            last_event_id=last_event_id,
        )
        self.open.check_capacity(sender.key)
        is_alive = partial(self._authenticator.is_alive, sender)
        events = stream.event_source(self.desk, visitor, request)
        fields = {"cache-control": "no-store", "x-accel-buffering": "no"}
        chunks = self.open.stream_events(events, sender.key, is_alive)
        return StreamingResponse(chunks, 200, fields, EVENT_STREAM_TYPE)

    def _build_error_response(
        self, error: Exception, visitor: Visitor, path: str, request: Request
    ) -> Response:
        """Map an exception to an error page or problem document."""
        match error:
            case RequestRejected():
                refusal = error
            case Forbidden():
                refusal = build_not_found_error()
            case AnswerableError():
                refusal = convert_use_case_error(error)
            case ClientDisconnect():
                return Response(status_code=400)  # the client is gone
            case _:
                error_id = self._report_error(error)
                hint = f"the log contains it under the id {error_id}"
                refusal = RequestRejected(500, "failed", "internal error", hint)
        self.counted.count_refusal(refusal.why)
        try:
            part = request.headers.get("hx-request") == "true"
            form = find_refused_form(self._routes, request, refusal.status)
            answer = error_response(
                refusal, visitor, RouteRequest(url=path, part=part), path, form
            )
            if refusal.status == 405:  # RFC 9110 15.5.6
                answer.headers["allow"] = ", ".join(self._allowed_methods(path))
            return answer
        except Exception as render_error:  # noqa: BLE001 - the error page failed
            self._report_error(render_error)
            return Response(
                f"{refusal.says}\n", refusal.status, media_type="text/plain"
            )


def _get_request_target(incoming: IncomingRequest) -> str:
    """Return path and query of a request."""
    query = incoming.query.decode("latin-1")
    return f"{incoming.path}?{query}" if query else incoming.path


def _get_shown_stamp(cache: StoreCache) -> str:
    """Return the stamp of the shown data; empty if the store cannot be read."""
    try:
        return cache.get_shown_stamp()
    except AnswerableError:
        return ""


def _add_confirmation_message(request: RouteRequest, message: str) -> RouteRequest:
    """Return the request with a confirmation to show on the page."""
    return replace(request, said=message)


def _matches_path(path: str, public_path: str) -> bool:
    """Return whether a path is a public path, or below one that ends with a slash."""
    return path == public_path or (
        public_path.endswith("/")
        and public_path != "/"
        and path.startswith(public_path)
    )

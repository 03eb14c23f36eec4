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
from answerable.server.connection_info import Link
from answerable.web.auth.visitors import NOBODY
from answerable.web.http import request_checks
from answerable.web.http.authentication import Entrance, Known
from answerable.web.http.errors import Refused, nothing_here, refused_by
from answerable.web.http.event_streams import MEDIA, Streams
from answerable.web.http.incoming_request import CSRF, Come, Endpoint, body_of
from answerable.web.http.request_metrics import Counted
from answerable.web.http.request_parsing import (
    LONGEST_TARGET,
    permalink,
    read_fields,
    read_versions,
)
from answerable.web.http.responses import API, answered, moved, refused
from answerable.web.http.worker_pool import Pool
from answerable.web.routing import Asked, Forbidden, Moved, Route, Stream
from answerable.web.store_cache import Desk
from answerable.web.visitor import Visit

OTHER = "other"  # for counting: any path that is none of ours


class Door:
    """ASGI application of the web interface.

    Args:
        desk: Cache over the store.
        own: Public endpoints: (path, method) -> endpoint; a path that ends with a slash
            covers everything below it.
        failed: Called with unexpected errors; returns an error id.
    """

    def __init__(
        self,
        desk: Desk,
        entrance: Entrance,
        routes: tuple[Route, ...],
        streams: tuple[Stream, ...],
        own: Mapping[tuple[str, str], Endpoint],
        failed: Callable[[Exception], str],
    ) -> None:
        self.desk = desk
        self._entrance, self._failed = entrance, failed
        self._routes = {(each.path, each.method): each for each in routes}
        self._streams = {each.path: each for each in streams}
        self._own = dict(own)
        self.counted, self.pool, self.open = Counted(), Pool(), Streams(failed)
        self.app = GZipMiddleware(self._asked, minimum_size=1000)

    async def _asked(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        request = Request(scope, receive)
        response = await self._response(request)
        link: Link = scope["state"]["link"]
        for name, value in request_checks.secured(link.url).items():
            response.headers.setdefault(name, value)
        path = scope["path"]
        known = self._known(path)
        self.counted.answered(known, response.status_code, time.perf_counter() - begun)
        await response(scope, receive, send)

    def _known(self, path: str) -> str:
        """Return the path for metrics: a known one, or `OTHER`."""
        if path in self._streams or any(path == each for each, _ in self._routes):
            return path
        return next((own for own, _ in self._own if _is_at(path, own)), OTHER)

    async def _response(self, request: Request) -> Response:
        visit, path = NOBODY, str(request.scope["path"])
        try:
            come = self._come(request)
            own = self._own_at(path, request.method)
            if own is not None:
                return await own(come)
            route, none = self._route(come)
            known = await self._entrance.known(come)
            if known is None:
                return self._unknown(come, none)
            request.scope["state"]["caller"] = known.key.hex()
            visit = await self.pool.run(partial(self._entrance.visit, known))
            if route is None or visit.may.isdisjoint(route.may):
                raise none
            if isinstance(route, Stream):
                return self._listening(route, come, known, visit)
            return await self._told(route, come, known, visit)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            return self._refusal(error, visit, path, request)

    def _come(self, request: Request) -> Come:
        scope = request.scope
        served, link = scope["state"]["served"], scope["state"]["link"]
        fields = request_checks.read_head(scope["headers"])
        request_checks.check(request.method, fields, served, link.url)
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_TARGET:
            raise Refused(414, "too-long", "the address is too long")
        return Come(request, fields, served, link)

    def _own_at(self, path: str, method: str) -> Endpoint | None:
        method = "GET" if method == "HEAD" else method
        for (own, by), endpoint in self._own.items():
            if by == method and _is_at(path, own):
                return endpoint
        return None

    def _route(self, come: Come) -> tuple[Route | Stream | None, Refused]:
        """Find the route, with the error if there is none."""
        method = "POST" if come.is_post else "GET"
        found: Route | Stream | None = self._routes.get((come.path, method))
        if found is None and not come.is_post:
            found = self._streams.get(come.path)
        other = (come.path, "GET" if come.is_post else "POST")
        if found is None and (
            other in self._routes or any(_is_at(come.path, p) for p, _ in self._own)
        ):
            says = f"nothing is served here by {method}"
            return None, Refused(405, "method", says)
        return found, nothing_here()

    def _unknown(self, come: Come, none: Refused) -> Response:
        """Redirect an anonymous visitor to sign in; raise `none` for unknown paths."""
        if self._known(come.path) == OTHER or none.status == 405:
            raise none
        if come.path.startswith(API):
            says = "sign in first"
            hint = "send a token of a pinned issuer, or the cookie of a session"
            raise Refused(401, "unknown-visitor", says, hint)
        here = "/" if come.is_post else _target(come)
        to = permalink("/sign-in", {"next": here} if here != "/" else {})
        if "hx-request" in come.fields:
            return Response(b"", 401, {"hx-redirect": to, "cache-control": "no-store"})
        return moved(to)

    async def _told(
        self, route: Route, come: Come, known: Known, visit: Visit
    ) -> Response:
        asked = await self._read(route, come, known)
        if not come.is_post and known.session is not None and not asked.part:
            asked, known.session.said = (
                _with_said(asked, known.session.said),
                "",
            )

        def work() -> Response:
            answer = route.handler(self.desk, visit, asked)
            if isinstance(answer, Moved) and known.session is not None:
                known.session.said = answer.said
            return answered(answer, visit, asked)

        return await self.pool.run(work)

    async def _read(self, route: Route, come: Come, known: Known) -> Asked:
        part = come.fields.get("hx-request", "") == "true" and (
            come.fields.get("hx-history-restore-request") != "true"
        )
        if not come.is_post:
            query = read_fields(come.query, route.takes, blanks=route.blanks)
            held = read_versions(come.fields.get("if-none-match", ""))
            url = permalink(come.path, query)
            return Asked(query, {}, url, part, held=held)
        if come.query:
            raise Refused(400, "query", "a form has its fields in its body")
        form = read_fields(await body_of(come), (*route.takes, CSRF))
        token = form.pop(CSRF, "") or come.fields.get("x-csrf-token", "")
        if known.session is not None and not known.session.wrote(token):
            raise Refused(
                403,
                "csrf",
                "the form is not one of this session",
                "open the page again, and send it from there",
            )
        return Asked({}, form, come.path, part)

    def _methods(self, path: str) -> list[str]:
        """List the methods of a path."""
        gets = (path, "GET") in self._routes or path in self._streams
        gets = gets or self._own_at(path, "GET") is not None
        posts = (path, "POST") in self._routes
        posts = posts or self._own_at(path, "POST") is not None
        return [*(("GET", "HEAD") if gets else ()), *(("POST",) if posts else ())]

    def _listening(
        self, stream: Stream, come: Come, known: Known, visit: Visit
    ) -> Response:
        query = read_fields(come.query, stream.takes)
        heard = come.fields.get("last-event-id", "")
        asked = Asked(query, {}, permalink(come.path, query), heard=heard)
        self.open.check(known.key)
        lives = partial(self._entrance.lives, known)
        events = stream.tell(self.desk, visit, asked)
        fields = {"cache-control": "no-store", "x-accel-buffering": "no"}
        told = self.open.told(events, known.key, lives)
        return StreamingResponse(told, 200, fields, MEDIA)

    def _refusal(
        self, error: Exception, visit: Visit, path: str, request: Request
    ) -> Response:
        match error:
            case Refused():
                refusal = error
            case Forbidden():
                refusal = nothing_here()
            case AnswerableError():
                refusal = refused_by(error)
            case ClientDisconnect():
                return Response(status_code=400)  # the client is gone
            case _:
                number = self._failed(error)
                hint = f"the log has it as {number}"
                refusal = Refused(500, "failed", "this went wrong in here", hint)
        self.counted.refused(refusal.why)
        try:
            part = request.headers.get("hx-request") == "true"
            answer = refused(refusal, visit, Asked(url=path, part=part), path)
            if refusal.status == 405:  # RFC 9110 15.5.6
                answer.headers["allow"] = ", ".join(self._methods(path))
            return answer
        except Exception as second:  # noqa: BLE001 - the page that tells it fails too
            self._failed(second)
            return Response(
                f"{refusal.says}\n", refusal.status, media_type="text/plain"
            )


def _target(come: Come) -> str:
    query = come.query.decode("latin-1")
    return f"{come.path}?{query}" if query else come.path


def _with_said(asked: Asked, said: str) -> Asked:
    return replace(asked, said=said)


def _is_at(path: str, own: str) -> bool:
    return path == own or (own.endswith("/") and own != "/" and path.startswith(own))

"""HTTP application that publishes the log of the store as tiles (C2SP tlog-tiles).

The log has digests, counts and times, so reading it requires no sign-in. A verifier checks
the signature of the checkpoint and the hashes.

Source: https://c2sp.org/tlog-tiles
"""

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from answerable.model.errors import AnswerableError
from answerable.server.asgi import check_request_host
from answerable.server.wire.refusals import RequestRefused
from answerable.store.published_tiles import read_published_file
from answerable.store.store_layout import StoreLayout

_TILE_TYPE = "application/octet-stream"
_NEVER_CHANGES = {"cache-control": "public, max-age=604800, immutable"}
_CHANGES = {"cache-control": "no-cache"}


class LogPublisher:
    """Application that serves `checkpoint` and `tile/...`.

    Args:
        layout: Files of the store.
        failed: Called with the error of a file that cannot be read.
    """

    def __init__(
        self, layout: StoreLayout, failed: Callable[[Exception], None]
    ) -> None:
        self._layout, self._failed = layout, failed

    def build_app(self) -> Starlette:
        """Build the ASGI application."""
        paths = ("/checkpoint", "/tile/{path:path}")
        return Starlette(routes=[Route(each, self._serve_file) for each in paths])

    async def _serve_file(self, request: Request) -> Response:
        """Answer with a file of the log."""
        try:
            check_request_host(request)
        except RequestRefused as refused:
            return PlainTextResponse(refused.wire.says, refused.wire.status)
        path = request.scope["path"].removeprefix("/")
        try:
            data = await asyncio.to_thread(read_published_file, self._layout, path)
        except AnswerableError as error:
            self._failed(error)
            return PlainTextResponse("the log cannot be read", 503, _CHANGES)
        if data is None:
            return PlainTextResponse("the log has no such file", 404, _CHANGES)
        if path == "checkpoint":
            return PlainTextResponse(data, headers=_CHANGES)
        return Response(data, headers=_NEVER_CHANGES, media_type=_TILE_TYPE)

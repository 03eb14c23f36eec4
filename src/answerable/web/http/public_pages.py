"""Public endpoints: static files, health and metrics."""

from collections.abc import Callable

import msgspec
from starlette.responses import Response

from answerable.web.http.errors import not_found
from answerable.web.http.incoming_request import Endpoint, IncomingRequest
from answerable.web.http.request_parsing import parse_etags, parse_fields
from answerable.web.static_assets import ASSETS_PATH, packaged_assets

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_YEAR = 365 * 86_400


async def serve_asset(come: IncomingRequest) -> Response:
    """Serve a static file by its listed name."""
    found = packaged_assets().get(come.path.removeprefix(ASSETS_PATH))
    if found is None:
        raise not_found()
    version = parse_fields(come.query, ("v",)).get("v", "")
    kept = f"public, max-age={_YEAR}, immutable"
    tag = f'W/"{found.version}"'  # weak: it may be packed on the way
    fields = {
        "cache-control": kept if version == found.version else "no-cache",
        "etag": tag,
        "vary": "Accept-Encoding",
    }
    if found.version in parse_etags(come.fields.get("if-none-match", "")):
        return Response(b"", 304, fields)
    return Response(found.body, 200, fields, found.media)


def public_endpoints(
    ready: Callable[[], dict[str, object]], numbers: Callable[[], bytes]
) -> dict[tuple[str, str], Endpoint]:
    """Return the public endpoints by path and method.

    Args:
        ready: Returns readiness with reasons.
    """

    async def healthz(_: IncomingRequest) -> Response:
        return Response(b"ok\n", media_type="text/plain")

    async def readyz(_: IncomingRequest) -> Response:
        said = ready()
        return Response(
            msgspec.json.encode(said),
            200 if said["ready"] else 503,
            {"cache-control": "no-store"},
            "application/json",
        )

    async def metrics(_: IncomingRequest) -> Response:
        return Response(
            numbers(), 200, {"content-type": METRICS_TYPE, "cache-control": "no-store"}
        )

    return {
        (ASSETS_PATH, "GET"): serve_asset,
        ("/healthz", "GET"): healthz,
        ("/readyz", "GET"): readyz,
        ("/metrics", "GET"): metrics,
    }

"""Serve the endpoints without sign-in: static files, health, readiness, metrics."""

from collections.abc import Callable

import msgspec
from starlette.responses import Response

from answerable.web.http.errors import not_found
from answerable.web.http.incoming_request import Endpoint, IncomingRequest
from answerable.web.http.request_parsing import parse_etags, parse_fields
from answerable.web.static_assets import ASSETS_PATH, packaged_assets

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_YEAR = 365 * 86_400


async def serve_asset(incoming: IncomingRequest) -> Response:
    """Serve a static file; a versioned URL is cached for a year."""
    asset = packaged_assets().get(incoming.path.removeprefix(ASSETS_PATH))
    if asset is None:
        raise not_found()
    version = parse_fields(incoming.query, ("v",)).get("v", "")
    immutable = f"public, max-age={_YEAR}, immutable"
    etag = f'W/"{asset.version}"'  # weak: compression may change the bytes
    fields = {
        "cache-control": immutable if version == asset.version else "no-cache",
        "etag": etag,
        "vary": "Accept-Encoding",
    }
    if asset.version in parse_etags(incoming.fields.get("if-none-match", "")):
        return Response(b"", 304, fields)
    return Response(asset.body, 200, fields, asset.media)


def public_endpoints(
    read_readiness: Callable[[], dict[str, object]], render_metrics: Callable[[], bytes]
) -> dict[tuple[str, str], Endpoint]:
    """Return the handlers of assets, `/healthz`, `/readyz` and `/metrics`.

    Args:
        read_readiness: Returns readiness with reasons.
    """

    async def healthz(_: IncomingRequest) -> Response:
        return Response(b"ok\n", media_type="text/plain")

    async def readyz(_: IncomingRequest) -> Response:
        readiness = read_readiness()
        return Response(
            msgspec.json.encode(readiness),
            200 if readiness["ready"] else 503,
            {"cache-control": "no-store"},
            "application/json",
        )

    async def metrics(_: IncomingRequest) -> Response:
        return Response(
            render_metrics(),
            200,
            {"content-type": METRICS_TYPE, "cache-control": "no-store"},
        )

    return {
        (ASSETS_PATH, "GET"): serve_asset,
        ("/healthz", "GET"): healthz,
        ("/readyz", "GET"): readyz,
        ("/metrics", "GET"): metrics,
    }

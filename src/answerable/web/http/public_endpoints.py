"""Serve the endpoints without sign-in: static files, health, readiness, metrics."""

from starlette.responses import Response

from answerable.server.asgi import build_page_endpoint
from answerable.server.status_listener import StatusPages
from answerable.web.http.errors import build_not_found_error
from answerable.web.http.incoming_request import Endpoint, IncomingRequest
from answerable.web.http.request_parsing import parse_etags, parse_fields
from answerable.web.static_assets import ASSETS_PATH, packaged_assets

_YEAR = 365 * 86_400


async def serve_asset(incoming: IncomingRequest) -> Response:
    """Serve a static file; a versioned URL is cached for a year."""
    asset = packaged_assets().get(incoming.path.removeprefix(ASSETS_PATH))
    if asset is None:
        raise build_not_found_error()
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


def public_endpoints(health_pages: StatusPages) -> dict[tuple[str, str], Endpoint]:
    """Return the handlers of assets, and of health, readiness and metrics.

    Args:
        health_pages: Pages of health, readiness and metrics by path.
    """
    return {
        (ASSETS_PATH, "GET"): serve_asset,
        **{
            (path, "GET"): build_page_endpoint(build)
            for path, build in health_pages.items()
        },
    }

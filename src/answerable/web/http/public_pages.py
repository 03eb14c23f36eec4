"""Public endpoints: static files, health and metrics."""

from collections.abc import Callable

import msgspec
from starlette.responses import Response

from answerable.web.http.errors import nothing_here
from answerable.web.http.incoming_request import Come, Endpoint
from answerable.web.http.request_parsing import read_fields, read_versions
from answerable.web.static_assets import BASE, assets

TEXT = "text/plain; version=0.0.4; charset=utf-8"
_YEAR = 365 * 86_400


async def asset(come: Come) -> Response:
    """Serve a static file by its listed name."""
    found = assets().get(come.path.removeprefix(BASE))
    if found is None:
        raise nothing_here()
    version = read_fields(come.query, ("v",)).get("v", "")
    kept = f"public, max-age={_YEAR}, immutable"
    tag = f'W/"{found.version}"'  # weak: it may be packed on the way
    fields = {
        "cache-control": kept if version == found.version else "no-cache",
        "etag": tag,
        "vary": "Accept-Encoding",
    }
    if found.version in read_versions(come.fields.get("if-none-match", "")):
        return Response(b"", 304, fields)
    return Response(found.body, 200, fields, found.media)


def public(
    ready: Callable[[], dict[str, object]], numbers: Callable[[], bytes]
) -> dict[tuple[str, str], Endpoint]:
    """Return the public endpoints by path and method.

    Args:
        ready: Returns readiness with reasons.
    """

    async def healthz(_: Come) -> Response:
        return Response(b"ok\n", media_type="text/plain")

    async def readyz(_: Come) -> Response:
        said = ready()
        return Response(
            msgspec.json.encode(said),
            200 if said["ready"] else 503,
            {"cache-control": "no-store"},
            "application/json",
        )

    async def metrics(_: Come) -> Response:
        return Response(
            numbers(), 200, {"content-type": TEXT, "cache-control": "no-store"}
        )

    return {
        (BASE, "GET"): asset,
        ("/healthz", "GET"): healthz,
        ("/readyz", "GET"): readyz,
        ("/metrics", "GET"): metrics,
    }

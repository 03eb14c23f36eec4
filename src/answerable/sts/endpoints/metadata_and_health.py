"""Serve the public endpoints: server metadata, keys, health and metrics."""

from collections.abc import Awaitable, Callable

from answerable.federation.key_rotation import CACHE_MAX_AGE
from answerable.model.token_request import OAuthError
from answerable.server.status_listener import StatusPage, StatusPages
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import (
    StsResponse,
    cacheable_response,
    error_response,
)
from answerable.sts.http.server import EndpointHandler
from answerable.sts.http.server_metadata import (
    OAUTH_METADATA_PATH,
    OPENID_METADATA_PATH,
    base_path,
    build_metadata,
)

_METADATA_MAX_AGE = 300  # seconds that clients may keep it


class PublicEndpoints:
    """Public pages of the service.

    Args:
        url: The service's `iss`.
        keys: Returns the JWK set.
        health_pages: Pages of health, readiness and metrics by path.
    """

    def __init__(
        self,
        url: str,
        keys: Callable[[], bytes],
        health_pages: StatusPages,
    ) -> None:
        self._url = url
        self._metadata = build_metadata(url)
        self._keys, self._health_pages = keys, health_pages

    def handlers(self) -> dict[tuple[str, str], EndpointHandler]:
        """Return the handlers by method and path."""
        base = base_path(self._url)
        return {
            ("GET", "/jwks"): self._handle_jwks,
            # RFC 8414 3.1 puts the issuer's path behind, OpenID Connect before.
            ("GET", OAUTH_METADATA_PATH + base): self._handle_metadata,
            ("GET", OAUTH_METADATA_PATH): self._handle_metadata,
            ("GET", OPENID_METADATA_PATH): self._handle_metadata,
            ("GET", "/authorize"): self._handle_authorize,
            **{
                ("GET", path): _build_page_handler(build)
                for path, build in self._health_pages.items()
            },
        }

    async def _handle_jwks(self, _: StsRequest) -> StsResponse:
        """Serve the JSON Web Key Set."""
        return cacheable_response(self._keys(), CACHE_MAX_AGE)

    async def _handle_metadata(self, _: StsRequest) -> StsResponse:
        """Serve the authorization server metadata."""
        return cacheable_response(self._metadata, _METADATA_MAX_AGE)

    async def _handle_authorize(self, _: StsRequest) -> StsResponse:
        """Refuse authorization requests, as the service has no such grant."""
        return error_response(OAuthError.UNAUTHORIZED_CLIENT)


def _build_page_handler(
    build_page: Callable[[], Awaitable[StatusPage]],
) -> EndpointHandler:
    """Return the endpoint of a page of health, readiness or metrics."""

    async def handle(_: StsRequest) -> StsResponse:
        page = await build_page()
        return StsResponse(page.status, page.body, page.header_fields)

    return handle

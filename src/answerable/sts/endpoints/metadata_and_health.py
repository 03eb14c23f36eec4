"""Serve the public endpoints: server metadata, keys, health and metrics."""

from collections.abc import Callable, Mapping

from answerable.federation.key_rotation import CACHE_MAX_AGE
from answerable.model.token_request import OAuthError
from answerable.sts.http.request import StsRequest
from answerable.sts.http.responses import (
    METRICS_TYPE,
    TEXT_TYPE,
    StsResponse,
    cacheable_response,
    error_response,
    json_response,
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
        reasons: Returns why the service is not ready; empty if it is.
        told: Returns additional state for operators.
    """

    def __init__(
        self,
        url: str,
        keys: Callable[[], bytes],
        reasons: Callable[[], list[str]],
        told: Callable[[], Mapping[str, object]],
        metrics: Callable[[], bytes],
    ) -> None:
        self._url = url
        self._metadata = build_metadata(url)
        self._keys, self._reasons, self._told = keys, reasons, told
        self._metrics = metrics

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
            ("GET", "/healthz"): self._handle_healthz,
            ("GET", "/readyz"): self._handle_readyz,
            ("GET", "/metrics"): self._handle_metrics,
        }

    async def _handle_jwks(self, _: StsRequest) -> StsResponse:
        return cacheable_response(self._keys(), CACHE_MAX_AGE)

    async def _handle_metadata(self, _: StsRequest) -> StsResponse:
        return cacheable_response(self._metadata, _METADATA_MAX_AGE)

    async def _handle_authorize(self, _: StsRequest) -> StsResponse:
        return error_response(OAuthError.UNAUTHORIZED_CLIENT)

    async def _handle_healthz(self, _: StsRequest) -> StsResponse:
        """Answer that the process is alive."""
        return StsResponse(
            200, b"ok\n", {"content-type": TEXT_TYPE, "cache-control": "no-store"}
        )

    async def _handle_readyz(self, _: StsRequest) -> StsResponse:
        """Answer whether the service is ready, with the reasons if not."""
        reasons = self._reasons()
        said = {"ready": not reasons, "reasons": reasons, **self._told()}
        return json_response(said, 503 if reasons else 200)

    async def _handle_metrics(self, _: StsRequest) -> StsResponse:
        fields = {"content-type": METRICS_TYPE, "cache-control": "no-store"}
        return StsResponse(200, self._metrics(), fields)

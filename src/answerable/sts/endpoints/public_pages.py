"""Public pages: metadata, keys, health and metrics."""

from collections.abc import Callable, Mapping

from answerable.federation.key_rotation import CACHED
from answerable.model.exchange import OAuthError
from answerable.sts.http.request import Asked
from answerable.sts.http.responses import (
    METRICS,
    TEXT,
    Answer,
    error_answer,
    json_answer,
    public_answer,
)
from answerable.sts.http.server import Handler
from answerable.sts.http.server_metadata import OAUTH, OPENID, base_of, metadata

_METADATA = 300  # seconds that clients may keep it


class Public:
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
        self._metadata = metadata(url)
        self._keys, self._reasons, self._told = keys, reasons, told
        self._metrics = metrics

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """Return the handlers by method and path."""
        base = base_of(self._url)
        return {
            ("GET", "/jwks"): self._jwks,
            # RFC 8414 3.1 puts the issuer's path behind, OpenID Connect before.
            ("GET", OAUTH + base): self._about,
            ("GET", OAUTH): self._about,
            ("GET", OPENID): self._about,
            ("GET", "/authorize"): self._authorize,
            ("GET", "/healthz"): self._healthz,
            ("GET", "/readyz"): self._readyz,
            ("GET", "/metrics"): self._numbers,
        }

    async def _jwks(self, _: Asked) -> Answer:
        return public_answer(self._keys(), CACHED)

    async def _about(self, _: Asked) -> Answer:
        return public_answer(self._metadata, _METADATA)

    async def _authorize(self, _: Asked) -> Answer:
        return error_answer(OAuthError.UNAUTHORIZED_CLIENT)

    async def _healthz(self, _: Asked) -> Answer:
        return Answer(200, b"ok\n", {"content-type": TEXT, "cache-control": "no-store"})

    async def _readyz(self, _: Asked) -> Answer:
        reasons = self._reasons()
        said = {"ready": not reasons, "reasons": reasons, **self._told()}
        return json_answer(said, 503 if reasons else 200)

    async def _numbers(self, _: Asked) -> Answer:
        fields = {"content-type": METRICS, "cache-control": "no-store"}
        return Answer(200, self._metrics(), fields)

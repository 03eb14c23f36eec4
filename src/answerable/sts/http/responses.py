"""Build responses of the token service: JSON, not cacheable, errors of RFC 6749.

A response names an error but no reason; the reason is in the evidence.
"""

from collections.abc import Mapping

import msgspec

from answerable.model.token_request import OAuthError

JSON_TYPE = "application/json"
CONTINUE_LINE = b"HTTP/1.1 100 Continue\r\n\r\n"

# RFC 6749 5.2: 400, except 401 for a failed client authentication, and 5xx for our own
# failures (codes from RFC 6749 4.1.2.1, statuses from RFC 9110 15.6).
_STATUS = {
    OAuthError.INVALID_CLIENT: 401,
    OAuthError.SERVER_ERROR: 500,
    OAuthError.TEMPORARILY_UNAVAILABLE: 503,
}
_NO_STORE = {"content-type": JSON_TYPE, "cache-control": "no-store"}


class StsResponse(msgspec.Struct, frozen=True, gc=False):
    """One HTTP response.

    Attributes:
        body: May contain a token.
        fields: Header fields, except the length.
    """

    status: int
    body: bytes = b""
    fields: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        """Show no body: it may contain a token."""
        return f"Answer({self.status})"


def json_response(
    content: object, status: int = 200, fields: Mapping[str, str] | None = None
) -> StsResponse:
    """Build a JSON response that must not be cached (RFC 6749 5.1)."""
    body = msgspec.json.encode(content)
    return StsResponse(status, body, {**_NO_STORE, **fields} if fields else _NO_STORE)


def cacheable_response(body: bytes, seconds: int) -> StsResponse:
    """Build a JSON response that may be cached for some seconds."""
    kept = f"public, max-age={seconds}"
    return StsResponse(200, body, {"content-type": JSON_TYPE, "cache-control": kept})


def error_response(
    error: OAuthError, fields: Mapping[str, str] | None = None
) -> StsResponse:
    """Build an OAuth error response (RFC 6749 5.2)."""
    status = _STATUS.get(error, 400)
    return json_response({"error": error.value}, status, fields)


def empty_response(status: int) -> StsResponse:
    """Build a response without a body."""
    return StsResponse(status, b"", {"cache-control": "no-store"})

"""Parse responses of an OpenID provider: redirects, tokens, device codes, errors."""

import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl

from answerable.federation.jws_parsing import is_identifier
from answerable.federation.oidc_login.errors import LoginFailed
from answerable.federation.oidc_login.provider_metadata import (
    ProviderMetadata,
    is_safe_url,
)
from answerable.federation.oidc_login.requests import LoginSecrets
from answerable.federation.strict_json import (
    AmbiguousInput,
    JsonObject,
    decode_json_object,
)
from answerable.model.token_claims import SignedClaims

MAX_RESPONSE = 64 * 1024  # of an answer of the token endpoint
_MAX_PARAMETERS = 20
_MAX_ERROR = 64
_MAX_USER_CODE = 32
# RFC 6749 4.1.2.1: what an error code may be made of; fewer are shown than may be sent.
_ERROR_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz_0123456789-")


class DevicePending(StrEnum):
    """Errors that ask a device to poll again (RFC 8628 3.5)."""

    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """Device authorization response (RFC 8628 3.2).

    Attributes:
        user_code: The code that the person types at `page`.
        page: `verification_uri`.
        whole: `verification_uri_complete`, empty if absent.
    """

    device_code: str = field(repr=False)
    user_code: str
    page: str
    whole: str
    expires_in: int
    interval: int


def parse_redirect(
    query: str, login_secrets: LoginSecrets, provider: ProviderMetadata
) -> str:
    """Read the authorization code from a redirect query.

    State is checked first: a response to another request is not believed, not even its
    error.

    Raises:
        LoginFailed: It answers another request, comes from another provider, or is
            malformed; or the provider refused.
    """
    answered = _parse_query(query)
    if not hmac.compare_digest(
        answered.get("state", "").encode(), login_secrets.state.encode()
    ):
        raise LoginFailed(
            "the response does not belong to this sign-in (state does not match)",
            "run answerable login again and open the link that it prints",
        )
    iss = answered.get("iss")
    # RFC 9207 2.4: byte for byte, and missing counts where it was announced.
    if (iss is None and provider.says_iss) or iss not in (None, provider.iss):
        raise LoginFailed(
            "the response comes from another provider (iss does not match the "
            "pinned issuer)"
        )
    if "error" in answered:
        raise _build_provider_error(answered["error"])
    code = answered.get("code", "")
    if not is_identifier(code):
        raise LoginFailed("the response contains no code")
    return code


def _parse_query(query: str) -> dict[str, str]:
    """Parse a query string; each parameter may occur once."""
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        raise LoginFailed("the response cannot be read") from None
    answered = dict(pairs)
    # RFC 6749 3.1: no parameter more than once.
    if len(answered) != len(pairs):
        raise LoginFailed("the response has a duplicate parameter")
    return answered


def parse_id_token(status: int, body: bytes) -> str:
    """Read the ID token from a token response; other tokens are dropped.

    Raises:
        LoginFailed: It is missing, or the provider refused.
    """
    members = _parse_json_body(body)
    if status != 200:
        raise _build_provider_error(members.get("error"))
    token = members.get("id_token")
    if not isinstance(token, str) or not token or not token.isascii():
        raise LoginFailed(
            "the provider returned no id_token",
            "register the client for OpenID Connect: the scope openid was requested",
        )
    return token


def parse_polling_error(status: int, body: bytes) -> DevicePending | None:
    """Return the polling error of a token response; None if it is final."""
    if status == 200:
        return None
    error = _parse_json_body(body).get("error")
    return next((each for each in DevicePending if each == error), None)


def parse_device_code(status: int, body: bytes, iss: str) -> DeviceCode:
    """Parse a device authorization response (RFC 8628 3.2).

    Args:
        body: Its JSON.
        iss: The pinned issuer; see `is_safe_url`.

    Raises:
        LoginFailed: It cannot be used, or the provider refused.
    """
    members = _parse_json_body(body)
    if status != 200:
        raise _build_provider_error(members.get("error"))
    code, shown = members.get("device_code"), members.get("user_code")
    page = members.get("verification_uri")
    whole = members.get("verification_uri_complete", "")
    if (
        not is_identifier(code)
        or not is_identifier(shown)
        or len(shown) > _MAX_USER_CODE
    ):
        raise LoginFailed("the provider returned no usable device code")
    if not isinstance(page, str) or not is_safe_url(page, iss):
        raise LoginFailed(
            "the provider's verification page for devices is not an https URL"
        )
    return DeviceCode(
        device_code=code,
        user_code=shown,
        page=page,
        whole=whole if isinstance(whole, str) and is_safe_url(whole, iss) else "",
        expires_in=_read_seconds(members, "expires_in", 300),
        interval=_read_seconds(members, "interval", 5),
    )


def check_nonce(
    claims: SignedClaims, login_secrets: LoginSecrets, *, required: bool
) -> None:
    """Check the nonce of a verified ID token.

    Args:
        login_secrets: Secrets of this sign-in.
        required: Whether it must be present (OpenID Connect Core 3.1.3.7). A device
            code has no nonce (RFC 8628 3.1), so there it only must not differ.

    Raises:
        LoginFailed: The token belongs to another sign-in.
    """
    nonce = claims.find_claim_at_path("nonce")
    if nonce is None and not required:
        return
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), login_secrets.nonce.encode()
    ):
        raise LoginFailed(
            "the id_token does not belong to this sign-in (nonce does not match)"
        )


def _parse_json_body(body: bytes) -> JsonObject:
    """Decode a response body that is a JSON object of bounded size."""
    if len(body) > MAX_RESPONSE:
        raise LoginFailed(
            f"the provider's response is larger than {MAX_RESPONSE} bytes"
        )
    try:
        return decode_json_object(body)
    except AmbiguousInput as unread:
        raise LoginFailed(
            f"the provider's response cannot be read: {unread.message}"
        ) from None


def _read_seconds(members: JsonObject, name: str, default: int) -> int:
    """Return a number of seconds; the default if it is absent or 0."""
    value = members.get(name, default)
    if type(value) is not int or value < 0:
        raise LoginFailed(f"the provider's {name} is not a number of seconds")
    return value or default


def _build_provider_error(error: object) -> LoginFailed:
    """Build the error for a refusal; quote its code only if that is printable."""
    known = isinstance(error, str) and 0 < len(error) <= _MAX_ERROR
    plain = known and _ERROR_LETTERS.issuperset(str(error))
    return LoginFailed(
        f"the provider refused ({error})" if plain else "the provider refused"
    )

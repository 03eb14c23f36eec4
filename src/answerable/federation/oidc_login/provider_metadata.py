"""Parse OpenID provider metadata (OpenID Connect Discovery 3, RFC 8414 2)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from answerable.federation.oidc_login.errors import LoginFailed
from answerable.federation.strict_json import (
    AmbiguousInput,
    JsonObject,
    decode_json_object,
)

MAX_METADATA = 256 * 1024
WELL_KNOWN = "/.well-known/openid-configuration"

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """Provider metadata, as far as a sign-in uses it.

    Attributes:
        authorization: Authorization endpoint, empty if absent.
        device: Device authorization endpoint (RFC 8628 4), empty if absent.
        jwks: URL of its keys.
        says_iss: It sends `iss` in authorization responses (RFC 9207 3).
        takes_claims: It supports the `claims` parameter (OpenID Connect Core 5.5).
        takes_secret_in_form: It takes a client secret in the form only, not in the
            Authorization field that RFC 6749 2.3.1 prefers.
    """

    iss: str
    authorization: str
    token: str
    device: str
    jwks: str
    says_iss: bool
    takes_claims: bool
    takes_secret_in_form: bool = False


def metadata_url(iss: str) -> str:
    """Return the URL of a provider's metadata (OpenID Connect Discovery 4)."""
    return iss.removesuffix("/") + WELL_KNOWN


def parse_metadata(document: bytes, iss: str) -> ProviderMetadata:
    """Parse an OpenID provider's discovery document.

    Args:
        document: As fetched from `metadata_url(iss)`.
        iss: The pinned issuer; the metadata must name it byte for byte.

    Raises:
        LoginFailed: It names another issuer, or lacks an endpoint.
    """
    try:
        members = decode_json_object(document)
    except AmbiguousInput as unread:
        raise _metadata_error(unread.message) from None
    # OpenID Connect Discovery 4.3: else one provider could speak for another.
    if members.get("issuer") != iss:
        raise _metadata_error(
            "expected `issuer` in the provider metadata to match the configured issuer"
        )
    methods = members.get("code_challenge_methods_supported", ["S256"])
    if not isinstance(methods, list) or "S256" not in methods:
        raise _metadata_error("expected the provider to support the PKCE method S256")
    secrets = members.get("token_endpoint_auth_methods_supported")
    return ProviderMetadata(
        iss=iss,
        authorization=_read_endpoint(members, "authorization_endpoint", iss),
        token=_read_endpoint(members, "token_endpoint", iss, required=True),
        device=_read_endpoint(members, "device_authorization_endpoint", iss),
        jwks=_read_endpoint(members, "jwks_uri", iss, required=True),
        says_iss=(
            members.get("authorization_response_iss_parameter_supported") is True
        ),
        takes_claims=members.get("claims_parameter_supported") is True,
        takes_secret_in_form=isinstance(secrets, list)
        and "client_secret_post" in secrets
        and "client_secret_basic" not in secrets,
    )


def is_safe_url(url: object, iss: str) -> bool:
    """Return whether a provider URL is printable and https; http only on loopback.

    A provider at a loopback address may speak plain http, and then only from there.
    """
    if not isinstance(url, str) or not url.isascii() or not url.isprintable():
        return False
    if " " in url or "#" in url or len(url) > 2048:
        return False
    try:
        parts, own = urlsplit(url), urlsplit(iss)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc:
        return False
    plain = own.scheme == "http" and host in _LOOPBACK
    return parts.scheme == "https" or (parts.scheme == "http" and plain)


def _read_endpoint(
    members: JsonObject, name: str, iss: str, *, required: bool = False
) -> str:
    """Return an endpoint URL, checked for https; empty if absent and optional."""
    url = members.get(name, "")
    if url == "" and not required:
        return ""
    if not isinstance(url, str) or not is_safe_url(url, iss):
        raise _metadata_error(f"expected {name} as an https URL")
    return url


def _metadata_error(message: str) -> LoginFailed:
    """Build the error for provider metadata that cannot be used."""
    return LoginFailed(f"the provider's metadata cannot be used: {message}")

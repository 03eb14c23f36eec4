"""Build requests to an OpenID provider: authorization code with PKCE, device code.

Sources: RFC 6749 4.1, RFC 7636 4.2, OpenID Connect Core 3.1.2.1, RFC 8252 7.3, RFC 8628
3.1. On a person's machine this is a public client without a secret; a web server may be
a confidential one (`basic_authorization`). No refresh token is requested (`offline_access`).
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote_plus, urlencode

from answerable.federation.oidc_login.provider_metadata import ProviderMetadata
from answerable.federation.person_claim import EMAIL_CLAIM, EMAIL_VERIFIED_CLAIM
from answerable.federation.strict_json import encode_base64url

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

# Claims by the scope that asks for them (OpenID Connect Core 5.4).
_EMAIL = {EMAIL_CLAIM, EMAIL_VERIFIED_CLAIM}
_PROFILE = {"name", "nickname", "preferred_username", "profile", "website"}
# In every ID token, or set by the provider alone.
_UNSCOPED_CLAIMS = {"sub", "oid", "upn", "hd"}


@dataclass(frozen=True, slots=True)
class LoginSecrets:
    """Fresh secrets of one sign-in.

    Attributes:
        state: Returned with the redirect (RFC 6749 10.12).
        nonce: Returned in the ID token (OpenID Connect Core 3.1.2.1).
        verifier: PKCE code verifier (RFC 7636 4.1).
    """

    state: str
    nonce: str
    verifier: str = field(repr=False)

    @property
    def challenge(self) -> str:
        """Return the PKCE code challenge (RFC 7636 4.2, S256)."""
        return encode_base64url(hashlib.sha256(self.verifier.encode("ascii")).digest())


@dataclass(frozen=True, slots=True)
class OidcClient:
    """Registration of this client at the provider.

    Attributes:
        id: `client_id`, which is the audience of the ID token.
        person: Claim that names the person, e.g. `email`.
        claims: Additional claims for the ID token.
    """

    id: str
    person: str
    claims: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """Return the scope that requests the claims; `openid` requests the ID token."""
        scopes = ["openid"]
        if self.person in _EMAIL:
            scopes.append("email")
        elif self.person in _PROFILE:
            scopes.append("profile")
        elif self.person not in _UNSCOPED_CLAIMS:
            scopes += ["profile", "email"]
        scopes += [each for each in self.scopes if each not in scopes]
        return " ".join(scopes)


def build_authorization_url(
    provider: ProviderMetadata,
    client: OidcClient,
    redirect_uri: str,
    login_secrets: LoginSecrets,
    extra_parameters: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Build the authorization URL to which a browser is redirected.

    Args:
        redirect_uri: Address of the answer.
        login_secrets: Secrets of this sign-in.
        extra_parameters: Further ones, e.g. `max_age` (OpenID Connect Core 3.1.2.1).
    """
    asked = _build_common_parameters(provider, client, login_secrets) | {
        **extra_parameters,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "state": login_secrets.state,
        "code_challenge": login_secrets.challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in provider.authorization else "?"
    return provider.authorization + joint + urlencode(asked)


def build_code_exchange_form(
    client: OidcClient, redirect_uri: str, code: str, login_secrets: LoginSecrets
) -> Mapping[str, str]:
    """Build the token request for a code (RFC 6749 4.1.3, RFC 7636 4.5)."""
    return {
        "grant_type": "authorization_code",
        "client_id": client.id,
        "redirect_uri": redirect_uri,
        "code": code,
        "code_verifier": login_secrets.verifier,
    }


def basic_authorization(client_id: str, secret: str) -> str:
    """Build a Basic Authorization value of client id and secret (RFC 6749 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + b64encode(pair.encode("ascii")).decode("ascii")


def build_device_authorization_form(
    provider: ProviderMetadata, client: OidcClient, login_secrets: LoginSecrets
) -> Mapping[str, str]:
    """Build the device authorization request (RFC 8628 3.1).

    The nonce is no standard parameter; a provider that knows it returns it.
    """
    return _build_common_parameters(provider, client, login_secrets)


def build_device_polling_form(
    client: OidcClient, device_code: str
) -> Mapping[str, str]:
    """Build the polling request of a device (RFC 8628 3.4)."""
    return {
        "grant_type": DEVICE_GRANT,
        "client_id": client.id,
        "device_code": device_code,
    }


def _build_common_parameters(
    provider: ProviderMetadata, client: OidcClient, login_secrets: LoginSecrets
) -> dict[str, str]:
    """Build the parameters that all authorization requests share."""
    asked = {
        "client_id": client.id,
        "scope": client.scope,
        "nonce": login_secrets.nonce,
    }
    # A scope alone may bring a claim to the UserInfo endpoint, which signs nothing
    # (OpenID Connect Core 5.4).
    wanted: dict[str, object] = dict.fromkeys(client.claims)
    if client.person != "sub":
        wanted[client.person] = {"essential": True}
    if client.person == EMAIL_CLAIM:
        wanted[EMAIL_VERIFIED_CLAIM] = {"essential": True}
    if provider.takes_claims and wanted:
        asked["claims"] = json.dumps({"id_token": wanted}, separators=(",", ":"))
    return asked

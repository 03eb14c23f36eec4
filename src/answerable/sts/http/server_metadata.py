"""Build authorization server metadata (RFC 8414), also for OpenID clients.

There is no real `authorize` endpoint: people sign in at their own identity provider.
The metadata still names one, because clients refuse metadata without it.
"""

from urllib.parse import urlsplit

import msgspec

from answerable.federation.algorithms import KEY_TYPES
from answerable.federation.dpop import PROOF_ALGORITHMS
from answerable.model.token_request import GrantType

OAUTH_METADATA_PATH = "/.well-known/oauth-authorization-server"
OPENID_METADATA_PATH = "/.well-known/openid-configuration"
# draft-ietf-oauth-identity-assertion-authz-grant 6
_ID_JAG_PROFILE = "urn:ietf:params:oauth:grant-profile:id-jag"


def base_path(url: str) -> str:
    """Return the path of the service's URL, without a trailing slash."""
    return urlsplit(url).path.rstrip("/")


def build_metadata(url: str) -> bytes:
    """Build the metadata document of the token service.

    Args:
        url: The service's `iss`.
    """
    at = url.rstrip("/")
    return msgspec.json.encode(
        {
            "issuer": url,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "introspection_endpoint": f"{at}/introspect",
            "revocation_endpoint": f"{at}/revoke",
            "jwks_uri": f"{at}/jwks",
            "grant_types_supported": [each.value for each in GrantType],
            "authorization_grant_profiles_supported": [_ID_JAG_PROFILE],
            # RFC 8414 requires it, and we have no authorization endpoint.
            "response_types_supported": [],
            # RFC 8693 asks no client to authenticate; RFC 7523 2.2 does, by a JWT that
            # its platform signed.
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(KEY_TYPES),
            "introspection_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "dpop_signing_alg_values_supported": list(PROOF_ALGORITHMS),
            "tls_client_certificate_bound_access_tokens": True,
            # Required by OpenID clients; no id_token is issued.
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }
    )

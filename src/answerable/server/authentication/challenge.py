"""Build the challenge that tells an unauthenticated client how to get a token.

RFC 6750 3 (Bearer), RFC 9449 7.1 (DPoP) and RFC 9728 5.1 (`resource_metadata`); the
metadata document is that of RFC 9728 3.2. Nothing here depends on the request.
"""

import msgspec

from answerable.federation.dpop import PROOF_ALGORITHMS
from answerable.model.config import Config

WELL_KNOWN = "/.well-known/oauth-protected-resource"
_ALGS = " ".join(PROOF_ALGORITHMS)


def build_www_authenticate(resource: str, *, scheme: str = "", error: str = "") -> str:
    """Build the value of WWW-Authenticate (RFC 6750 3, RFC 9449 7.1, RFC 9728 5.1).

    Bearer is first: some MCP clients read only the first scheme.

    Args:
        resource: URL of the metadata document, empty where there is none.
        scheme: Scheme that the client used, empty where it sent no credential.
        error: Code of RFC 6750 3.1 or RFC 9449; none where it sent no credential.
    """
    shared = [f'resource_metadata="{resource}"'] if resource else []
    said = [f'error="{error}"'] if error else []
    proven = scheme.lower() == "dpop"
    bearer = shared + ([] if proven else said)
    dpop = [f'algs="{_ALGS}"', *shared, *(said if proven else [])]
    return f"{' '.join(['Bearer', ', '.join(bearer)]).strip()}, DPoP {', '.join(dpop)}"


def resource_metadata_url(url: str, target: str) -> str:
    """Return the metadata URL of a target (RFC 9728 3.1); empty without a URL."""
    return f"{url}{WELL_KNOWN}{target}" if url else ""


def build_resource_metadata(
    url: str, target: str, config: Config, *, tls: bool
) -> bytes:
    """Build the protected resource metadata of one MCP server (RFC 9728 2).

    Args:
        url: Scheme and authority of the listener for clients.
        target: `/mcp/SERVER`.
        config: Its issuers are the authorization servers.
        tls: Clients can send a certificate, so tokens can be bound to one.
    """
    issuers = config.issuers
    return msgspec.json.encode(
        {
            "resource": _resource_identifier(url + target, config),
            "authorization_servers": [each.pin.iss for each in issuers],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": PROOF_ALGORITHMS,
            "tls_client_certificate_bound_access_tokens": tls,
        }
    )


def _resource_identifier(url: str, config: Config) -> str:
    """Return the resource identifier that a client has to request a token for.

    That is our audience, where all issuers share one, and it is a parent of this URL;
    else this URL (MCP "Resource Parameter").
    """
    audiences = {each.audience.removesuffix("/") for each in config.issuers}
    if len(audiences) == 1 and url.startswith(f"{min(audiences)}/"):
        return config.issuers[0].audience
    return url

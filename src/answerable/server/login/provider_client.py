"""Send requests to an OpenID provider, with limits, and fetch its signing keys.

No redirect is followed.
"""

import asyncio
import http.client
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from answerable.federation.jwk_set import IssuerKeySet, parse_key_set
from answerable.federation.oidc_login.provider_metadata import (
    MAX_METADATA,
    ProviderMetadata,
)
from answerable.model.config import IssuerConfig
from answerable.model.errors import EnvironmentFailure
from answerable.server.issuers.discovery import DISCOVERY
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.tls import build_client_context

REQUEST_TIMEOUT = 10  # seconds, from the connection to the last byte


class ProviderClient:
    """HTTP client of one provider.

    Args:
        ca: File of its certificate authorities; empty for the system's.

    Raises:
        EnvironmentFailure: The file cannot be used.
    """

    def __init__(self, ca: str) -> None:
        try:
            self._tls = build_client_context(ca)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or "unexpected content"
            raise EnvironmentFailure(
                f"cannot use {ca} for TLS ({why})",
                "name a readable PEM file with the CA of the provider's certificate",
            ) from None

    def __call__(
        self, url: str, form: Mapping[str, str] | None, authorization: str = ""
    ) -> tuple[int, bytes]:
        """GET an address, or POST a form to it; return status and body.

        Args:
            url: The address.
            form: Form to send; None for a GET.
            authorization: Value of Authorization, empty for none.

        Raises:
            EnvironmentFailure: No complete answer came within the limits.
        """
        host = urlsplit(url).netloc
        try:
            return self._send_request(url, form, authorization)
        except ssl.SSLCertVerificationError as error:
            why = f"its certificate is invalid ({error.reason})"
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
        raise EnvironmentFailure(
            f"no response from {host} ({why})", "check that this machine can reach it"
        )

    def _send_request(
        self, url: str, form: Mapping[str, str] | None, authorization_field: str
    ) -> tuple[int, bytes]:
        """Send a GET, or a POST of a form; return the status and the body."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(
                host, parts.port, timeout=REQUEST_TIMEOUT, context=self._tls
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=REQUEST_TIMEOUT)
        )
        until = time.monotonic() + REQUEST_TIMEOUT
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if form is not None:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        if authorization_field:
            fields["Authorization"] = authorization_field
        try:
            connection.request(
                "GET" if form is None else "POST",
                target,
                body=None if form is None else urlencode(form),
                headers=fields,
            )
            answer = connection.getresponse()
            return answer.status, _read_body(answer, until)
        finally:
            connection.close()


def _read_body(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read a body, up to one byte above the limit."""
    body = bytearray()
    while len(body) <= MAX_METADATA:
        if time.monotonic() > deadline:
            raise TimeoutError(0, "the response took too long")
        part = response.read1(16 * 1024)
        if not part:
            if response.length:
                raise http.client.IncompleteRead(b"")
            return bytes(body)
        body += part
    raise OSError(0, f"the provider's response has more than {MAX_METADATA} bytes")


def load_provider_keys(
    provider_client: ProviderClient, issuer: IssuerConfig, provider: ProviderMetadata
) -> IssuerKeySet:
    """Return the keys of a pinned issuer as the token service would.

    A provider at a loopback address with plain http is for trials: its metadata alone
    has the address of its keys.

    Raises:
        EnvironmentFailure: They cannot be fetched.
        UsageError: Its file has no usable keys.
        KeySetRejected: They are not acceptable.
    """
    if issuer.keys == DISCOVERY and urlsplit(provider.iss).scheme == "http":
        _, document = provider_client(provider.jwks, None)
        return parse_key_set(document, issuer.pin.algs)
    name, now = issuer.pin.name, time.time()
    keys = IssuerKeyCache([issuer])
    if keys.can_fetch_keys(name, now) and (
        why := asyncio.run(keys.fetch_issuer_keys(name, now))
    ):
        raise EnvironmentFailure(
            f"the keys of issuer {name} cannot be fetched: {why}",
            "check `keys` of the issuer, and that this machine can reach it",
        )
    found = keys.issuers(now).find_issuer(issuer.pin.iss)
    return found.keys if found else IssuerKeySet({}, ())

"""One request to an OpenID provider, within bounds; and the keys that it signs with.

No redirect is followed: whoever answers at the address is who was asked.
"""

import http.client
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from answerable.federate.key_set import KeySet, read_key_set
from answerable.federate.login.errors import LoginRefused
from answerable.federate.login.provider import MAX_BYTES, Provider
from answerable.model.config import PinnedIssuer
from answerable.model.errors import EnvironmentRefused

WITHIN = 10  # seconds, from the connection to the last byte
DISCOVERY = "discovery"


class AskProvider:
    """Asks one provider.

    Args:
        ca: File of who signs its certificate; empty for the system's authorities.

    Raises:
        EnvironmentRefused: The file cannot be used.
    """

    def __init__(self, ca: str) -> None:
        try:
            self._tls = ssl.create_default_context(cafile=ca or None)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or "it holds something else"
            raise EnvironmentRefused(f"cannot use {ca} for TLS ({why})") from None

    def __call__(self, url: str, form: Mapping[str, str] | None) -> tuple[int, bytes]:
        """GET an address, or POST a form to it; give status and body.

        Raises:
            EnvironmentRefused: No whole answer came within bounds.
        """
        host = urlsplit(url).netloc
        try:
            return self._ask(url, form)
        except ssl.SSLCertVerificationError as error:
            why = f"its certificate does not hold ({error.reason})"
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
        raise EnvironmentRefused(
            f"no answer from {host} ({why})", "see that this machine reaches it"
        )

    def _ask(self, url: str, form: Mapping[str, str] | None) -> tuple[int, bytes]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(
                host, parts.port, timeout=WITHIN, context=self._tls
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=WITHIN)
        )
        until = time.monotonic() + WITHIN
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if form is not None:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(
                "GET" if form is None else "POST",
                target,
                body=None if form is None else urlencode(form),
                headers=fields,
            )
            answer = connection.getresponse()
            return answer.status, _read(answer, until)
        finally:
            connection.close()


def _read(answer: http.client.HTTPResponse, until: float) -> bytes:
    """Read a body, of which one byte too many is enough to refuse it."""
    body = bytearray()
    while len(body) <= MAX_BYTES:
        if time.monotonic() > until:
            raise TimeoutError(0, "it took too long")
        part = answer.read1(16 * 1024)
        if not part:
            if answer.length:
                raise http.client.IncompleteRead(b"")
            return bytes(body)
        body += part
    raise OSError(0, f"more than {MAX_BYTES} bytes")


def keys_of(ask: AskProvider, pinned: PinnedIssuer, provider: Provider) -> KeySet:
    """Give the keys of a pinned issuer: of its file, or fetched now.

    Raises:
        EnvironmentRefused: They cannot be had.
        KeySetRefused: They are not to be used.
        LoginRefused: There are none at their address.
    """
    where = provider.jwks if pinned.keys == DISCOVERY else pinned.keys
    if "://" not in where:
        try:
            document = Path(where).read_bytes()
        except OSError as error:
            raise EnvironmentRefused(
                f"cannot read {where} ({error.strerror})"
            ) from None
        return read_key_set(document, pinned.pin.algs)
    status, document = ask(where, None)
    if status != 200:
        raise LoginRefused(f"the issuer shows no keys (status {status}, expected 200)")
    return read_key_set(document, pinned.pin.algs)

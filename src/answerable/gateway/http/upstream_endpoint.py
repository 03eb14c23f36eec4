"""Parse the URL of an upstream server, and load its TLS settings."""

import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from answerable.connectors.regular_file import check_regular_file
from answerable.model.config import UpstreamServer
from answerable.server.tls import build_client_context

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class UpstreamEndpoint:
    """Endpoint of an upstream server.

    Attributes:
        host: Host name or address.
        target: Path and query of its URL.
        tls: SSL context for its certificate; None for plain text.
    """

    host: str
    port: int
    authority: str
    target: str
    tls: ssl.SSLContext | None
    url: str = ""


def parse_endpoint(server: UpstreamServer) -> UpstreamEndpoint:
    """Parse the URL of a server, and load its TLS files.

    Raises:
        OSError: A certificate or key cannot be read.
    """
    parts = urlsplit(server.url)
    tls = None
    if parts.scheme == "https":
        tls = build_client_context(server.ca)
        if server.certificate:
            check_regular_file(server.certificate)
            check_regular_file(server.key)
            tls.load_cert_chain(server.certificate, server.key)
    query = f"?{parts.query}" if parts.query else ""
    return UpstreamEndpoint(
        host=parts.hostname or "",
        port=parts.port or DEFAULT_PORTS[parts.scheme],
        authority=parts.netloc.rpartition("@")[2],
        target=(parts.path or "/") + query,
        tls=tls,
        url=server.url,
    )

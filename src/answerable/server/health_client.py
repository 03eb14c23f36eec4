"""Ask a running server for its health, as probes do."""

import http.client
import socket
import ssl
from urllib.parse import urlsplit

import msgspec

from answerable.model.errors import UsageError

TIMEOUT = 5.0  # seconds


class _UnixConnection(http.client.HTTPConnection):
    """HTTP connection to a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def check_health(url: str, page: str, ca: str = "") -> str:
    """Ask a server for a status page.

    Args:
        url: `http(s)://HOST:PORT` or `unix:PATH`.
        page: `/readyz` or `/healthz`.
        ca: File with CA certificates; empty for those of the system.

    Returns:
        The reason that it is not healthy; empty if it is.

    Raises:
        UsageError: The URL is invalid.
    """
    status, body = fetch_page(url, page, ca)
    if status == 200:
        return ""
    if not status:
        return body
    try:
        reasons = msgspec.json.decode(body, type=dict[str, object]).get("reasons")
    except msgspec.DecodeError:
        reasons = None
    if isinstance(reasons, list) and reasons:
        return "; ".join(map(str, reasons))
    return f"HTTP status {status}"


def fetch_page(url: str, page: str, ca: str = "") -> tuple[int, str]:
    """Fetch a page.

    Returns:
        Status and body; 0 and the reason if there was no answer.

    Raises:
        UsageError: The URL is invalid.
    """
    connection = _build_connection(url, ca)
    try:
        connection.request("GET", page)
        answer = connection.getresponse()
        return answer.status, answer.read(1 << 20).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, TimeoutError):
            return 0, f"no answer within {TIMEOUT:g} seconds"
        return 0, getattr(error, "strerror", "") or type(error).__name__
    finally:
        connection.close()


def _build_connection(url: str, ca: str) -> http.client.HTTPConnection:
    """Build the connection for a URL."""
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:"))
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(
            f"invalid URL (got {url!r}, expected http://HOST:PORT)",
            "answerable health http://127.0.0.1:8470",
        )
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    context = ssl.create_default_context(cafile=ca or None)
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)

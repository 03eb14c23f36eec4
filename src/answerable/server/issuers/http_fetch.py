"""Fetch one small document by HTTPS from a configured address, with limits.

No redirect is followed, no content coding is accepted, and the whole request has five
seconds. `addresses` has the allowed addresses.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

from answerable.server.issuers.allowed_addresses import (
    FetchFailed,
    is_allowed_address,
    parse_https_url,
    resolve_allowed_addresses,
)

FETCH_TIMEOUT = 5  # seconds, from the name to the last byte
MIN_FRESH = 5 * 60  # seconds that a document is fresh
MAX_FRESH = 3600
DEFAULT_FRESH = 3600  # where the answer does not say

_MAX_HEAD = 32 * 1024
_OK = (200,)


@dataclass(frozen=True, slots=True)
class FetchLocation:
    """Location of a document.

    Attributes:
        tls: SSL context; the system's authorities where None.
        private: Private and loopback addresses are allowed.
        unix: Path of a unix socket, empty for an address; without TLS.
    """

    url: str
    tls: ssl.SSLContext | None = None
    private: bool = False
    unix: str = ""


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """Fetched document.

    Attributes:
        document: Its bytes.
        fresh: Seconds until it should be fetched again, by its Cache-Control.
    """

    document: bytes
    fresh: int


@dataclass(slots=True)
class _ResponseCollector:
    """Collector of the parser's callbacks."""

    body: bytearray = field(default_factory=bytearray)
    fields: dict[str, str] = field(default_factory=dict)
    whole: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header field of the response; a parser callback."""
        self.fields[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        """Collect a piece of the response body; a parser callback."""
        self.body += data

    def on_message_complete(self) -> None:
        """Note the end of the response; a parser callback."""
        self.whole = True


async def fetch_document(location: FetchLocation, max_bytes: int) -> FetchedDocument:
    """Fetch a document by GET.

    Args:
        location: Its location.
        max_bytes: Maximum bytes of the document.

    Raises:
        Unfetched: It cannot be fetched, or is not acceptable.
    """
    return await send_https_request(
        location, max_bytes, "GET", (("Accept", "application/json"),)
    )


async def send_https_request(
    location: FetchLocation,
    max_bytes: int,
    method: str,
    fields: tuple[tuple[str, str], ...],
    body: bytes = b"",
    statuses: tuple[int, ...] = _OK,
) -> FetchedDocument:
    """Send a request with any method, and return the response body.

    Args:
        location: Its location.
        max_bytes: Maximum bytes of the answer.
        method: HTTP method, e.g. `POST`.
        fields: Further fields of the request, ASCII; they may contain a credential.
        body: Body of the request.
        statuses: Accepted statuses of the answer.

    Raises:
        Unfetched: The answer cannot be fetched, or is not acceptable.
    """
    try:
        async with asyncio.timeout(FETCH_TIMEOUT):
            asked = _build_request(location, method, fields, body)
            async with _connect_to_checked_address(location) as (reader, writer):
                writer.write(asked)
                return await _read_response(reader, max_bytes, statuses)
    except TimeoutError:
        raise FetchFailed(
            f"no complete response within {FETCH_TIMEOUT} seconds"
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise FetchFailed(f"its certificate is invalid ({error.reason})") from None
    except (OSError, UnicodeError) as error:
        # A name that cannot be encoded for DNS is no OSError, and several failed
        # addresses have no common `strerror`.
        why = getattr(error, "strerror", None) or type(error).__name__
        raise FetchFailed(f"no connection ({why})") from None
    except httptools.HttpParserError:
        raise FetchFailed("the response is not HTTP") from None


def _build_request(
    location: FetchLocation,
    method: str,
    fields: tuple[tuple[str, str], ...],
    body: bytes,
) -> bytes:
    """Build the bytes of an HTTP request to an issuer."""
    if not location.unix:
        parse_https_url(location.url)
    parts = urlsplit(location.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in fields]
    lines += ["Accept-Encoding: identity", "Connection: close"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


@asynccontextmanager
async def _connect_to_checked_address(
    location: FetchLocation,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to an address that the DNS check allowed, against rebinding."""
    if location.unix:
        reader, writer = await asyncio.open_unix_connection(location.unix)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
        return
    host, port = parse_https_url(location.url)
    addresses = await resolve_allowed_addresses(
        host, port, allow_private=location.private
    )
    tls = location.tls or ssl.create_default_context()
    failed: OSError = OSError("no address")
    for address in addresses:
        try:
            reader, writer = await asyncio.open_connection(
                address, port, ssl=tls, server_hostname=host
            )
        except ssl.SSLCertVerificationError:
            raise
        except OSError as error:
            failed = error
            continue
        try:
            there = writer.get_extra_info("peername")[0]
            if not is_allowed_address(there, allow_private=location.private):
                raise FetchFailed("the connection reached another address")
            yield reader, writer
        finally:
            writer.transport.abort()
        return
    raise failed


async def _read_response(
    reader: asyncio.StreamReader, max_bytes: int, statuses: tuple[int, ...]
) -> FetchedDocument:
    """Read a response of bounded size and expected status."""
    answer = _ResponseCollector()
    parser = httptools.HttpResponseParser(answer)
    came = 0
    while not answer.whole:
        part = await reader.read(16 * 1024)
        if not part:
            raise FetchFailed("the response is incomplete")
        parser.feed_data(part)
        came += len(part)
        # Chunk framing at most doubles the size of a body.
        if len(answer.body) > max_bytes or came > 2 * max_bytes + _MAX_HEAD:
            raise FetchFailed(f"the response is larger than {max_bytes} bytes")
    status = parser.get_status_code()
    if status not in statuses:
        raise FetchFailed(f"the response has status {status} (expected {statuses[0]})")
    if answer.fields.get("content-encoding", "identity") != "identity":
        raise FetchFailed("the response has a content encoding")
    return FetchedDocument(
        bytes(answer.body), freshness_seconds(answer.fields.get("cache-control", ""))
    )


def freshness_seconds(cache_control: str) -> int:
    """Return the freshness of a document in seconds (RFC 9111 5.2.2), within limits."""
    said = [part.strip().lower() for part in cache_control.split(",")]
    if "no-store" in said or "no-cache" in said:
        return MIN_FRESH
    ages = [part.removeprefix("max-age=") for part in said if "max-age=" in part]
    if not ages or not (ages[0].isascii() and ages[0].isdigit()):
        return DEFAULT_FRESH
    # Of a number of any length nine digits are enough.
    return min(max(int(ages[0][:9]), MIN_FRESH), MAX_FRESH)

"""One small document over https, within bounds, at an address an operator wrote.

No redirect is followed, no coding but plain is taken, and the whole is over within
five seconds, however slowly it drips. Where it may be is said in `addresses`.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

from answerable.serving.issuers.addresses import (
    Unfetched,
    check_url,
    find_addresses,
    is_fit,
)

WITHIN = 5  # seconds, from the name to the last byte
SHORTEST = 5 * 60  # seconds that a document is fresh
LONGEST = 3600
USUAL = 3600  # where the answer does not say

_MAX_HEAD = 32 * 1024
_OK = (200,)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is.

    Attributes:
        url: https.
        tls: Whom to trust; the system's authorities where None.
        private: It may be at a private or loopback address.
        unix: Path of the socket that leads there, empty for an address; what goes over
            it needs no TLS.
    """

    url: str
    tls: ssl.SSLContext | None = None
    private: bool = False
    unix: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document.

    Attributes:
        document: Its bytes.
        fresh: Seconds until it is worth asking again, by its Cache-Control.
    """

    document: bytes
    fresh: int


@dataclass(slots=True)
class _Answer:
    """What the parser calls out."""

    body: bytearray = field(default_factory=bytearray)
    fields: dict[str, str] = field(default_factory=dict)
    whole: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.whole = True


async def fetch_document(place: Place, most: int) -> Fetched:
    """Fetch a document.

    Args:
        place: Where it is.
        most: Bytes that it may have.

    Raises:
        Unfetched: It cannot be had, or is not to be taken.
    """
    return await ask(place, most, "GET", (("Accept", "application/json"),))


async def ask(
    place: Place,
    most: int,
    method: str,
    fields: tuple[tuple[str, str], ...],
    body: bytes = b"",
    statuses: tuple[int, ...] = _OK,
) -> Fetched:
    """Ask for a document with any method.

    Args:
        place: Where.
        most: Bytes that the answer may have.
        method: E.g. `POST`.
        fields: More fields of the request, ASCII; they may hold a credential.
        body: Of the request.
        statuses: Those of an answer that is taken.

    Raises:
        Unfetched: The answer cannot be had, or is not to be taken.
    """
    try:
        async with asyncio.timeout(WITHIN):
            asked = _request(place, method, fields, body)
            async with _connected(place) as (reader, writer):
                writer.write(asked)
                return await _read(reader, most, statuses)
    except TimeoutError:
        raise Unfetched(f"no whole answer within {WITHIN} seconds") from None
    except ssl.SSLCertVerificationError as error:
        raise Unfetched(f"its certificate does not hold ({error.reason})") from None
    except (OSError, UnicodeError) as error:
        # A name that cannot be spelled for DNS is no OSError, and several addresses
        # that all fail have no one word for it.
        why = getattr(error, "strerror", None) or type(error).__name__
        raise Unfetched(f"no connection ({why})") from None
    except httptools.HttpParserError:
        raise Unfetched("the answer is no HTTP") from None


def _request(
    place: Place, method: str, fields: tuple[tuple[str, str], ...], body: bytes
) -> bytes:
    if not place.unix:
        check_url(place.url)
    parts = urlsplit(place.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in fields]
    lines += ["Accept-Encoding: identity", "Connection: close"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


@asynccontextmanager
async def _connected(
    place: Place,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to one of the addresses that were judged, and to no other."""
    if place.unix:
        reader, writer = await asyncio.open_unix_connection(place.unix)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
        return
    host, port = check_url(place.url)
    addresses = await find_addresses(host, port, private=place.private)
    tls = place.tls or ssl.create_default_context()
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
            if not is_fit(there, private=place.private):
                raise Unfetched("the connection went somewhere else")
            yield reader, writer
        finally:
            writer.transport.abort()
        return
    raise failed


async def _read(
    reader: asyncio.StreamReader, most: int, statuses: tuple[int, ...]
) -> Fetched:
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    came = 0
    while not answer.whole:
        part = await reader.read(16 * 1024)
        if not part:
            raise Unfetched("the answer ended early")
        parser.feed_data(part)
        came += len(part)
        # What lies around a body, chunk by chunk, is at most as much again.
        if len(answer.body) > most or came > 2 * most + _MAX_HEAD:
            raise Unfetched(f"the answer is larger than {most} bytes")
    status = parser.get_status_code()
    if status not in statuses:
        raise Unfetched(f"the answer has the status {status}, not {statuses[0]}")
    if answer.fields.get("content-encoding", "identity") != "identity":
        raise Unfetched("the answer is encoded")
    return Fetched(bytes(answer.body), fresh(answer.fields.get("cache-control", "")))


def fresh(cache_control: str) -> int:
    """Give the seconds that a document is fresh (RFC 9111 5.2.2), within our bounds."""
    said = [part.strip().lower() for part in cache_control.split(",")]
    if "no-store" in said or "no-cache" in said:
        return SHORTEST
    ages = [part.removeprefix("max-age=") for part in said if "max-age=" in part]
    if not ages or not (ages[0].isascii() and ages[0].isdigit()):
        return USUAL
    # A number of any length; all that matters of a long one is that it is long.
    return min(max(int(ages[0][:9]), SHORTEST), LONGEST)

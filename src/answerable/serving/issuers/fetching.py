"""One small document over https, within bounds, at an address an operator wrote.

No redirect is followed, no coding but plain is taken, and the whole is over within
five seconds, however slowly it drips.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools

from answerable.model.errors import AnswerableError

WITHIN = 5  # seconds, from the name to the last byte
SHORTEST = 5 * 60  # seconds that a document is fresh
LONGEST = 24 * 3600
USUAL = 3600  # where the answer does not say

_MAX_HEAD = 32 * 1024


class Unfetched(AnswerableError):  # noqa: N818 - an outcome
    """The document cannot be had now; the message says why, without any of it."""


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
    head: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    whole: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.head += len(name) + len(value)
        self.fields[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.whole = True


async def fetch_document(url: str, most: int, tls: ssl.SSLContext | None) -> Fetched:
    """Fetch a document.

    Args:
        url: https.
        most: Bytes that it may have.
        tls: Whom to trust; the system's authorities where None.

    Raises:
        Unfetched: It cannot be had, or is not to be taken.
    """
    try:
        async with asyncio.timeout(WITHIN):
            return await _fetch(url, most, tls or ssl.create_default_context())
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


async def _fetch(url: str, most: int, tls: ssl.SSLContext) -> Fetched:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    asked = (
        f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        "Accept: application/jwk-set+json, application/json\r\n"
        "Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or 443, ssl=tls
    )
    try:
        writer.write(asked.encode("ascii"))
        return await _read(reader, most)
    finally:
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader, most: int) -> Fetched:
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    while not answer.whole:
        part = await reader.read(16 * 1024)
        if not part:
            raise Unfetched("the answer ended early")
        parser.feed_data(part)
        if answer.head > _MAX_HEAD or len(answer.body) > most:
            raise Unfetched(f"the answer is larger than {most} bytes")
    if parser.get_status_code() != 200:
        raise Unfetched(
            f"the answer has the status {parser.get_status_code()}, not 200"
        )
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

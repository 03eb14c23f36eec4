"""Parse the head of an HTTP/1.1 request with two parsers that must agree.

httptools (llhttp) parses the bytes; the rules here refuse what it lets through: other
versions of HTTP, absolute and authority forms, a missing or second Host, codings other
than one `chunked`, fields that may stand once and stand twice, names and values that
another reader could take for something else. How long the body is, is worked out here
from the fields alone (`request_body_length`), and never asked of the parser.

Sources: RFC 9112 (3.2 request target, 6 body length, 11.2 smuggling), RFC 9110 (5.3
repeated fields, 7.2 Host, 8.6 Content-Length, 10.1.1 Expect).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import httptools
import msgspec

from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_HEAD = 32 * 1024
MAX_TARGET = 2 * 1024
MAX_FIELDS = 64
MAX_BODY = 4 * 1024 * 1024

METHODS = frozenset({b"POST", b"GET", b"DELETE"})
REQUEST_LINE = re.compile(rb"[A-Z]{1,16} [!-~]+ HTTP/1\.1")
ANY_VERSION = re.compile(rb"[A-Z]{1,16} [!-~]+(?: HTTP/\d\.\d)?")
# Printable ASCII that is not `"`, `#`, `<`, `>`, `\`, `^`, `` ` ``, `{`, `|` or `}`.
TARGET = re.compile(rb"/[!$-;=?-\[\]_a-z~]*")
LENGTH = re.compile(rb"0|[1-9][0-9]{0,9}")
# A reg-name, IPv4 or IPv6 address with an optional port (RFC 9110 7.2).
HOST = re.compile(
    rb"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)

# Fields that we or a server behind us read: one value each.
SINGLE_FIELDS = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-length",
        "content-type",
        "dpop",
        "expect",
        "host",
        "last-event-id",
        "origin",
        "transfer-encoding",
    }
)
MCP_PREFIX = "mcp-"
CONNECTION_OPTIONS = frozenset(
    {"close", "http2-settings", "keep-alive", "te", "upgrade"}
)


class HttpRequestHead(msgspec.Struct, frozen=True):
    """Parsed head of a request, unambiguous and not yet trusted.

    Attributes:
        method: `POST`, `GET` or `DELETE`.
        target: Path and query as sent, not decoded.
        fields: Lower-case name -> value; repeated list fields joined with `, `.
        length: Bytes of the body, -1 where it is chunked.
        expects: The client waits for `100 Continue`.
        closes: The client closes the connection after this request.
    """

    method: str
    target: str
    fields: Mapping[str, str]
    length: int
    expects: bool
    closes: bool

    def __repr__(self) -> str:
        """Show no field: some are credentials."""
        return f"Head({self.method} {self.target})"


@dataclass(slots=True)
class HeadCollector:
    """Collector of llhttp's callbacks for one head."""

    target: bytes = b""
    pairs: list[tuple[bytes, bytes]] = field(default_factory=list)

    def on_url(self, data: bytes) -> None:
        """Append a piece of the request target; a parser callback."""
        self.target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add one header field; a parser callback."""
        self.pairs.append((name, value))


def parse_head(data: bytes) -> HttpRequestHead:
    r"""Parse one request head; refuse it if the parsers disagree.

    Args:
        data: Complete head, from the request line to the empty line.

    Raises:
        Refused: It is malformed or ambiguous.
    """
    line = data[: data.find(b"\r\n")]
    method, target = _parse_request_line(line)
    heard = HeadCollector()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # an upgrade may be ignored (RFC 9110 7.8), and always is
    except httptools.HttpParserError:
        raise RequestRefused(RefusalReason.MALFORMED_HEAD) from None
    if heard.target != target or parser.get_method() != method:
        raise RequestRefused(RefusalReason.MALFORMED_HEAD)
    return build_head(method, target.decode("ascii"), heard.pairs)


def build_head(
    method: bytes, target: str, field_pairs: list[tuple[bytes, bytes]]
) -> HttpRequestHead:
    """Build a head from parsed fields.

    Args:
        method: One of `METHODS`.
        target: Path and query.
        field_pairs: Names and values, as received.

    Raises:
        Refused: It is ambiguous.
    """
    fields = collect_header_fields(field_pairs)
    _check_host_field(fields)
    options = parse_connection_options(fields.get("connection", ""))
    return HttpRequestHead(
        method=method.decode("ascii"),
        target=target,
        fields=fields,
        length=request_body_length(method, fields),
        expects=_parse_expect_field(fields),
        closes="close" in options,
    )


def _parse_request_line(line: bytes) -> tuple[bytes, bytes]:
    """Parse method and target of a request line."""
    if REQUEST_LINE.fullmatch(line) is None:
        old = ANY_VERSION.fullmatch(line) is not None
        raise RequestRefused(
            RefusalReason.VERSION_OF_HTTP if old else RefusalReason.MALFORMED_HEAD
        )
    method, target, _ = line.split(b" ")
    if method not in METHODS:
        raise RequestRefused(RefusalReason.METHOD_OF_HTTP)
    if len(target) > MAX_TARGET:
        raise RequestRefused(RefusalReason.TARGET_TOO_LONG)
    if TARGET.fullmatch(target) is None or target.startswith(b"//"):
        raise RequestRefused(RefusalReason.TARGET_FORM)
    return method, target


def collect_header_fields(field_pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Collect fields by name; a repeated one is joined, or refused.

    Raises:
        Refused: Too many fields, or a repeated field that must be single.
    """
    if len(field_pairs) > MAX_FIELDS:
        raise RequestRefused(RefusalReason.TOO_MANY_FIELDS)
    fields: dict[str, str] = {}
    for raw_name, raw_value in field_pairs:
        name, once = _parse_field_name(raw_name)
        # The parser refuses other invalid values.
        if once and not raw_value.isascii():
            raise RequestRefused(RefusalReason.FIELD_VALUE)
        value = raw_value.decode("latin-1").strip(" \t")
        if name in fields:
            if once:
                raise RequestRefused(RefusalReason.REPEATED_FIELD)
            value = f"{fields[name]}, {value}"
        fields[name] = value
    return fields


@lru_cache(maxsize=256)
def _parse_field_name(raw: bytes) -> tuple[str, bool]:
    """Return a field's name in lower case, and whether it must be single."""
    name = raw.decode("ascii").lower()
    if "_" in name and is_single_value_field(name.replace("_", "-")):
        # In CGI, Mcp_Name and Mcp-Name are one variable.
        raise RequestRefused(RefusalReason.FIELD_LOOKALIKE)
    return name, is_single_value_field(name)


def is_single_value_field(name: str) -> bool:
    """Return whether a field, in lower case, may occur only once."""
    return name in SINGLE_FIELDS or name.startswith(MCP_PREFIX)


def _check_host_field(fields: Mapping[str, str]) -> None:
    """Refuse a request without a valid Host."""
    if HOST.fullmatch(fields.get("host", "").encode("latin-1")) is None:
        raise RequestRefused(RefusalReason.NO_HOST)


@lru_cache(maxsize=64)
def parse_connection_options(value: str) -> frozenset[str]:
    """Parse the options of the Connection field; refuse an unknown option.

    Raises:
        Refused: There is such an option.
    """
    options = {part.strip(" \t").lower() for part in value.split(",")} - {""}
    if not options <= CONNECTION_OPTIONS:
        raise RequestRefused(RefusalReason.CONNECTION_OPTION)
    return frozenset(options)


def _parse_expect_field(fields: Mapping[str, str]) -> bool:
    """Return whether a request expects 100 Continue; refuse another value."""
    value = fields.get("expect")
    if value is not None and value.lower() != "100-continue":
        raise RequestRefused(RefusalReason.EXPECTATION)
    return value is not None


def request_body_length(method: bytes, fields: Mapping[str, str]) -> int:
    """Return the length of the body, -1 for a chunked one (RFC 9112 6.3).

    Raises:
        Refused: Both lengths are given, either is malformed, or a body is not allowed.
    """
    length = fields.get("content-length")
    coding = fields.get("transfer-encoding")
    if coding is not None:
        if length is not None or coding.lower() != "chunked":
            raise RequestRefused(RefusalReason.TRANSFER_CODING)
        size = -1
    elif length is None:
        size = 0
    elif LENGTH.fullmatch(length.encode("latin-1")) is None:
        raise RequestRefused(RefusalReason.LENGTH)
    else:
        size = int(length)
    if size > MAX_BODY:
        raise RequestRefused(RefusalReason.BODY_TOO_LARGE)
    if size and method != b"POST":
        raise RequestRefused(RefusalReason.BODY_NOT_EXPECTED)
    return size

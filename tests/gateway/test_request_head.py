"""A head is taken when two readers agree on it, and refused for a named reason."""

import httptools
import pytest

from answerable.server.wire import request_head as rules
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import parse_head
from tests.gateway.request_builders import head_bytes

LONG = "x" * 5000

# Request lines (RFC 9112 3), each with what it is refused for.
LINES = [
    (
        "POST http://gateway.example/mcp/a HTTP/1.1",
        RefusalReason.TARGET_FORM,
    ),  # 3.2.2 absolute
    (
        "CONNECT gateway.example:443 HTTP/1.1",
        RefusalReason.METHOD_OF_HTTP,
    ),  # 3.2.3 authority
    ("OPTIONS * HTTP/1.1", RefusalReason.METHOD_OF_HTTP),  # 3.2.4 asterisk
    ("GET * HTTP/1.1", RefusalReason.TARGET_FORM),
    ("GET gateway.example:443 HTTP/1.1", RefusalReason.TARGET_FORM),
    ("GET //gateway.example/mcp/a HTTP/1.1", RefusalReason.TARGET_FORM),
    ("GET /mcp/a#b HTTP/1.1", RefusalReason.TARGET_FORM),  # llhttp takes a fragment
    ("GET /mcp/a\\b HTTP/1.1", RefusalReason.TARGET_FORM),
    ("GET /mcp/\x80 HTTP/1.1", RefusalReason.MALFORMED_HEAD),
    ("GET /mcp/a HTTP/1.0", RefusalReason.VERSION_OF_HTTP),  # llhttp takes them all
    ("GET /mcp/a HTTP/2.0", RefusalReason.VERSION_OF_HTTP),
    ("GET /mcp/a HTTP/0.9", RefusalReason.VERSION_OF_HTTP),
    ("GET /mcp/a", RefusalReason.VERSION_OF_HTTP),
    ("PRI * HTTP/2.0", RefusalReason.VERSION_OF_HTTP),
    ("GET  /mcp/a HTTP/1.1", RefusalReason.MALFORMED_HEAD),  # llhttp takes two spaces
    ("GET /mcp/a HTTP/1.1 ", RefusalReason.MALFORMED_HEAD),
    ("GET\t/mcp/a HTTP/1.1", RefusalReason.MALFORMED_HEAD),
    ("get /mcp/a HTTP/1.1", RefusalReason.MALFORMED_HEAD),
    ("FOO /mcp/a HTTP/1.1", RefusalReason.METHOD_OF_HTTP),
    ("TRACE /mcp/a HTTP/1.1", RefusalReason.METHOD_OF_HTTP),
    (f"GET /{LONG} HTTP/1.1", RefusalReason.TARGET_TOO_LONG),
    ("", RefusalReason.MALFORMED_HEAD),
]

# Fields, beside a Host that is right.
FIELDS: list[tuple[list[tuple[str, str | bytes]], RefusalReason]] = [
    # RFC 9112 6.1 and 6.3, 11.2: lengths that two readers read differently.
    (
        [("Content-Length", "3"), ("Transfer-Encoding", "chunked")],
        RefusalReason.MALFORMED_HEAD,
    ),
    (
        [("Transfer-Encoding", "chunked"), ("Content-Length", "3")],
        RefusalReason.MALFORMED_HEAD,
    ),
    ([("Content-Length", "3"), ("Content-Length", "3")], RefusalReason.MALFORMED_HEAD),
    ([("Content-Length", "3, 3")], RefusalReason.MALFORMED_HEAD),
    ([("Content-Length", "+3")], RefusalReason.MALFORMED_HEAD),
    ([("Content-Length", "-3")], RefusalReason.MALFORMED_HEAD),
    ([("Content-Length", "0x3")], RefusalReason.MALFORMED_HEAD),
    ([("Content-Length", "03")], RefusalReason.LENGTH),
    ([("Content-Length", "4194305")], RefusalReason.BODY_TOO_LARGE),
    ([("Content-Length", "9999999999")], RefusalReason.BODY_TOO_LARGE),
    ([("Content-Length", "99999999999")], RefusalReason.LENGTH),
    ([("Transfer-Encoding", "gzip, chunked")], RefusalReason.TRANSFER_CODING),
    ([("Transfer-Encoding", "chunked, chunked")], RefusalReason.MALFORMED_HEAD),
    ([("Transfer-Encoding", "identity")], RefusalReason.MALFORMED_HEAD),
    ([("Transfer-Encoding", "xchunked")], RefusalReason.MALFORMED_HEAD),
    ([("Transfer-Encoding", "\x0bchunked")], RefusalReason.MALFORMED_HEAD),
    ([("Transfer_Encoding", "chunked")], RefusalReason.FIELD_LOOKALIKE),
    ([("Content_Length", "3")], RefusalReason.FIELD_LOOKALIKE),
    # RFC 9110 5.6.2: names are tokens; RFC 9112 5.1: no space before the colon.
    ([("Content-Length ", "3")], RefusalReason.MALFORMED_HEAD),
    ([("X Y", "1")], RefusalReason.MALFORMED_HEAD),
    ([("X(Y", "1")], RefusalReason.MALFORMED_HEAD),
    ([("X\x80", "1")], RefusalReason.MALFORMED_HEAD),
    ([("", "1")], RefusalReason.MALFORMED_HEAD),
    # RFC 9112 5.2: folded lines; RFC 9110 5.5: what a value never holds.
    ([("X", "1\r\n 2")], RefusalReason.MALFORMED_HEAD),
    ([(" X", "1")], RefusalReason.MALFORMED_HEAD),
    ([("X", "1\n2")], RefusalReason.MALFORMED_HEAD),
    ([("X", "1\r2")], RefusalReason.MALFORMED_HEAD),
    ([("X", "1\x002")], RefusalReason.MALFORMED_HEAD),
    ([("X", "1\x7f")], RefusalReason.MALFORMED_HEAD),
    ([("Mcp-Name", b"caf\xc3\xa9")], RefusalReason.FIELD_VALUE),
    ([("Authorization", b"Bearer \xff")], RefusalReason.FIELD_VALUE),
    # RFC 9110 5.3: fields that are no lists.
    ([("Host", "gateway.example")], RefusalReason.REPEATED_FIELD),
    ([("Mcp-Name", "a"), ("Mcp-Name", "a")], RefusalReason.REPEATED_FIELD),
    ([("Mcp-Method", "a"), ("MCP-METHOD", "b")], RefusalReason.REPEATED_FIELD),
    (
        [("Mcp-Param-Region", "a"), ("mcp-param-region", "b")],
        RefusalReason.REPEATED_FIELD,
    ),
    ([("Authorization", "a"), ("authorization", "b")], RefusalReason.REPEATED_FIELD),
    ([("Origin", "a"), ("Origin", "a")], RefusalReason.REPEATED_FIELD),
    ([("Content-Type", "a"), ("Content-Type", "a")], RefusalReason.REPEATED_FIELD),
    ([("DPoP", "a"), ("DPoP", "a")], RefusalReason.REPEATED_FIELD),
    ([("Mcp_Name", "a")], RefusalReason.FIELD_LOOKALIKE),
    ([("Mcp_Session-Id", "a")], RefusalReason.FIELD_LOOKALIKE),
    # RFC 9110 7.6.1: an option names a field that the next reader must drop.
    ([("Connection", "close, Mcp-Name")], RefusalReason.CONNECTION_OPTION),
    ([("Connection", "Authorization")], RefusalReason.CONNECTION_OPTION),
    # RFC 9110 10.1.1
    ([("Expect", "200-ok")], RefusalReason.EXPECTATION),
    ([(f"X-{number}", "1") for number in range(64)], RefusalReason.TOO_MANY_FIELDS),
]

HOSTS = [
    None,
    "",
    "a b",
    "a/b",
    "a@b",
    "user:1@a",
    "a:",
    "a:b",
    "[::1",
    "a:123456",
    "a,b",
]


def refused(data: bytes) -> RefusalReason:
    with pytest.raises(RequestRefused) as caught:
        parse_head(data)
    return caught.value.why


@pytest.mark.parametrize(("line", "why"), LINES)
def test_a_request_line_is_refused(line: str, why: RefusalReason) -> None:
    assert refused(head_bytes(line=line)) is why


@pytest.mark.parametrize(("fields", "why"), FIELDS)
def test_fields_are_refused(
    fields: list[tuple[str, str | bytes]], why: RefusalReason
) -> None:
    assert refused(head_bytes(fields)) is why


@pytest.mark.parametrize("host", HOSTS)
def test_exactly_one_valid_host_is_required(host: str | None) -> None:
    # RFC 9112 3.2: a server MUST respond 400 to a request that lacks Host.
    assert refused(head_bytes(host=host)) is RefusalReason.NO_HOST


@pytest.mark.parametrize("host", ["a", "a.b:80", "127.0.0.1:8471", "[::1]:8471", "A-1"])
def test_a_host_with_or_without_a_port_is_read(host: str) -> None:
    assert parse_head(head_bytes(host=host)).fields["host"] == host


@pytest.mark.parametrize("line", ["GET /mcp/a HTTP/1.1", "DELETE /mcp/a HTTP/1.1"])
def test_only_post_has_a_body(line: str) -> None:
    assert (
        refused(head_bytes([("Content-Length", "1")], line))
        is RefusalReason.BODY_NOT_EXPECTED
    )
    chunked = head_bytes([("Transfer-Encoding", "chunked")], line)
    assert refused(chunked) is RefusalReason.BODY_NOT_EXPECTED
    assert parse_head(head_bytes([("Content-Length", "0")], line)).length == 0


def test_bare_line_feeds_are_refused() -> None:
    # RFC 9112 2.2 lets a recipient take one for a line end; we do not.
    data = head_bytes([("X", "1")])
    assert refused(data.replace(b"1.1\r\n", b"1.1\n")) is RefusalReason.MALFORMED_HEAD
    assert refused(data.replace(b"8471\r\n", b"8471\n")) is RefusalReason.MALFORMED_HEAD


def test_a_head_says_what_stands_in_it() -> None:
    fields: list[tuple[str, str | bytes]] = [
        ("Content-Length", "4194304"),
        ("Expect", "100-Continue"),
        ("Connection", "keep-alive, Close"),
        ("Accept", "application/json"),
        ("accept", "text/event-stream"),
        ("Mcp-Name", " \t get weather \t "),
        ("User-Agent", b"caf\xe9"),
    ]
    head = parse_head(head_bytes(fields))
    assert (head.method, head.target) == ("POST", "/mcp/weather")
    assert (head.length, head.expects, head.closes) == (4194304, True, True)
    assert head.fields["accept"] == "application/json, text/event-stream"
    assert head.fields["mcp-name"] == "get weather"
    assert head.fields["user-agent"] == "caf\xe9"


def test_a_chunked_body_has_no_length() -> None:
    assert parse_head(head_bytes([("Transfer-Encoding", "Chunked")])).length == -1


def test_an_upgrade_is_ignored() -> None:
    # RFC 9110 7.8: a server MAY ignore it. Java's client asks for h2c this way.
    fields: list[tuple[str, str | bytes]] = [
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"),
        ("Content-Length", "2"),
    ]
    assert parse_head(head_bytes(fields)).length == 2


def test_a_head_shows_no_field_when_it_is_printed() -> None:
    head = parse_head(head_bytes([("Authorization", "Bearer s3cr3t")]))
    assert "s3cr3t" not in repr(head)


def test_the_two_readers_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    # Were the parser to see another target than the line has, nobody would be right.
    true = httptools.HttpRequestParser

    class Other:
        def __init__(self, heard: rules.HeadCollector) -> None:
            self.parser = true(heard)
            self.get_method = self.parser.get_method

        def feed_data(self, data: bytes) -> None:
            self.parser.feed_data(data.replace(b"weather", b"another"))

    monkeypatch.setattr(rules.httptools, "HttpRequestParser", Other)
    assert refused(head_bytes()) is RefusalReason.MALFORMED_HEAD

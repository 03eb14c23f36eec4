"""Requests made to be read in two ways: nobody behind the gateway gets to read them."""

import base64
from pathlib import Path

import pytest

from tests.gateway.http.backend_scripts import always
from tests.gateway.http.gateway_fixture import gateway, stage
from tests.gateway.http.message_builders import (
    HOST,
    call,
    modern,
    reply,
    request,
    result,
    token,
)
from tests.gateway.request_builders import body

OK = result(content=[])
HEAD = (
    f"POST /mcp/files HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token('ana')}\r\n"
    "Accept: application/json, text/event-stream\r\n"
    "Content-Type: application/json\r\n"
    + "\r\n".join(modern("tools/call", "read_file"))
).encode()
BODY = body("tools/call", {"name": "read_file"})
LENGTH = b"\r\nContent-Length: %d" % len(BODY)
CHUNKED = b"\r\nTransfer-Encoding: chunked"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
END = b"\r\n\r\n"
EVIL = call("rm")

FRAMING = {
    "both lengths": HEAD + LENGTH + CHUNKED + END + CHUNKS,
    "chunked, then a length": HEAD + CHUNKED + LENGTH + END + CHUNKS,
    "two lengths": HEAD + LENGTH + LENGTH + END + BODY,
    "two different lengths": HEAD + LENGTH + b"\r\nContent-Length: 3" + END + BODY,
    "a list of lengths": HEAD + b"\r\nContent-Length: 3, 3" + END + BODY,
    "a signed length": HEAD + b"\r\nContent-Length: +%d" % len(BODY) + END + BODY,
    "a hex length": HEAD + b"\r\nContent-Length: 0x10" + END + BODY,
    "a folded line": HEAD + b"\r\nX: a\r\n b" + LENGTH + END + BODY,
    "a folded coding": HEAD + b"\r\nTransfer-Encoding:\r\n chunked" + END + CHUNKS,
    "a bare line feed": HEAD + b"\nX: a" + LENGTH + END + BODY,
    "a bare carriage return": HEAD + b"\r\nX: a\rY: b" + LENGTH + END + BODY,
    "white space before a colon": HEAD + b"\r\nContent-Length : 3" + END + BODY,
    "another coding": HEAD + b"\r\nTransfer-Encoding: xchunked" + END + CHUNKS,
    "two codings": HEAD + b"\r\nTransfer-Encoding: gzip, chunked" + END + CHUNKS,
    "chunked twice": HEAD + CHUNKED + CHUNKED + END + CHUNKS,
    "a tab in a coding": HEAD + b"\r\nTransfer-Encoding: \x0bchunked" + END + CHUNKS,
    "a chunk extension": HEAD + CHUNKED + END + CHUNKS.replace(b"\r\n{", b";a=b\r\n{"),
    "a chunk of another size": HEAD
    + CHUNKED
    + END
    + b"5\r\n"
    + BODY
    + b"\r\n0\r\n\r\n",
    "chunks that end with line feeds": HEAD
    + CHUNKED
    + END
    + CHUNKS.replace(b"\r\n", b"\n"),
    "a trailer": HEAD + CHUNKED + END + CHUNKS[:-2] + b"Host: evil\r\n\r\n",
    "a second host": HEAD + b"\r\nHost: evil" + LENGTH + END + BODY,
    "an absolute target": HEAD.replace(b"/mcp/files", b"http://e/mcp/files", 1)
    + LENGTH
    + END
    + BODY,
    "HTTP/1.0": HEAD.replace(b"HTTP/1.1", b"HTTP/1.0", 1) + LENGTH + END + BODY,
    "two tokens": HEAD + b"\r\nAuthorization: Bearer x" + LENGTH + END + BODY,
    "another name for a header": HEAD + b"\r\nMcp_Name: rm" + LENGTH + END + BODY,
    "a header removed by another": HEAD
    + b"\r\nConnection: mcp-name"
    + LENGTH
    + END
    + BODY,
}


@pytest.mark.parametrize("sent", FRAMING.values(), ids=FRAMING)
def test_what_frames_in_two_ways_is_refused_and_nothing_after_it_is_read(
    tmp_path: Path, sent: bytes
) -> None:
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(sent + EVIL + call())
            assert client.answer().status in (400, 421, 501, 505)
            assert client.is_closed()
        assert backend.requests == []
        assert len(gateway.refusals()) == 1


def test_a_request_within_a_body_stays_in_it(tmp_path: Path) -> None:
    inside = body("tools/call", {"name": "read_file", "arguments": {"x": "\r\n\r\n"}})
    smuggled = inside[:-1] + b" " * 8 + b"}"
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(request(smuggled, *modern("tools/call", "read_file")) + EVIL)
            assert client.answer().status == 200
            assert client.answer().status == 200
        assert [data for _, data in backend.requests] == [smuggled]


def encoded(name: str) -> str:
    return "=?base64?" + base64.b64encode(name.encode()).decode() + "?="


MIRRORS = {
    "another name": ("tools/call", "rm"),
    "another method": ("tools/list", "read_file"),
    "no name": ("tools/call", None),
    "another name in base64": ("tools/call", encoded("rm")),
    "base64 of another spelling": ("tools/call", "=?base64?cmVhZF9maWxl=?="),
}


@pytest.mark.parametrize(("method", "name"), MIRRORS.values(), ids=MIRRORS)
def test_a_header_that_is_not_the_bodys_is_refused(
    tmp_path: Path, method: str, name: str | None
) -> None:
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(request(BODY, *modern(method, name)))
            answered = client.answer()
        assert answered.status == 400
        assert b"-32020" in answered.body
        assert backend.requests == []
        assert gateway.refusals() == ["header-mismatch"]


def test_a_name_in_base64_is_the_name(tmp_path: Path) -> None:
    with stage(tmp_path, always(reply(OK))) as (gateway, _), gateway.client() as client:
        client.send(request(BODY, *modern("tools/call", encoded("read_file"))))
        assert client.answer().status == 200


META = BODY[BODY.index(b'"_meta"') : -2]
BODIES = {
    "a name twice": BODY.replace(b'"name"', b'"name": "rm", "name"'),
    "a name twice, escaped": BODY.replace(b'"name"', b'"n\\u0061me": "rm", "name"'),
    "params twice": BODY.replace(b'"params"', b'"params": {"name": "rm"}, "params"'),
    "a method twice": BODY.replace(b'"method"', b'"method": "ping", "method"'),
    "a name in capitals": BODY.replace(b'"name"', b'"Name": "rm", "name"'),
    "a batch": b"[" + BODY + b"]",
    "an unknown method": BODY.replace(b"tools/call", b"tools/run"),
    "no JSON": BODY[:-1],
    "two messages": BODY + BODY,
    "a null id": BODY.replace(b'"id": 1', b'"id": null'),
    "too deep": BODY.replace(b'"name"', b'"x": ' + b"[" * 99 + b"]" * 99 + b', "name"'),
}


@pytest.mark.parametrize("data", BODIES.values(), ids=BODIES)
def test_a_body_that_reads_in_two_ways_is_refused(tmp_path: Path, data: bytes) -> None:
    method = "tools/run" if b"tools/run" in data else "tools/call"
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(request(data, *modern(method, "read_file")))
            assert client.answer().status in (400, 404)
            client.send(call())  # the connection is none the worse
            assert client.answer().status == 200
        assert [sent for _, sent in backend.requests] != [data]
        assert len(backend.requests) == 1
        assert len(gateway.refusals()) == 1


def test_a_body_that_is_too_large_is_refused_by_its_length(tmp_path: Path) -> None:
    head = HEAD + b"\r\nContent-Length: 4194305" + END
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(head)
            assert client.answer().status == 413
            assert client.is_closed()
        assert backend.requests == []


@pytest.mark.parametrize(
    ("before", "after"), [(HOST, "evil.example"), ("/mcp/files", "/mcp/%66iles")]
)
def test_another_host_or_spelling_of_a_place_is_refused(
    tmp_path: Path, before: str, after: str
) -> None:
    sent = call().replace(before.encode(), after.encode(), 1)
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        with gateway.client() as client:
            client.send(sent)
            assert client.answer().status in (400, 404, 421)
        assert backend.requests == []


def test_a_page_in_a_browser_may_not_call(tmp_path: Path) -> None:
    with gateway(tmp_path, 1) as running, running.client() as client:
        client.send(
            request(BODY, *modern("tools/call", "read_file"), "Origin: http://evil")
        )
        assert client.answer().status == 403

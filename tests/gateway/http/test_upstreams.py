"""Servers that answer wrongly, late, partly or not at all."""

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.http.backend_scripts import always, in_turn
from tests.gateway.http.gateway_fixture import Peer, gateway, stage
from tests.gateway.http.message_builders import ask, call, events, reply, result

OK = result(content=[])
LENGTH = b"Content-Length: %d" % len(OK)
JSON = b"Content-Type: application/json\r\n"

MALFORMED = {
    "both lengths": b"HTTP/1.1 200 OK\r\n"
    + JSON
    + LENGTH
    + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    + OK,
    "two lengths": b"HTTP/1.1 200 OK\r\n"
    + JSON
    + LENGTH
    + b"\r\n"
    + LENGTH
    + b"\r\n\r\n"
    + OK,
    "a folded line": b"HTTP/1.1 200 OK\r\n"
    + JSON
    + b"X: a\r\n b\r\n"
    + LENGTH
    + b"\r\n\r\n"
    + OK,
    "a bare line feed": b"HTTP/1.1 200 OK\n" + JSON + LENGTH + b"\r\n\r\n" + OK,
    "no HTTP": b"hello\r\n\r\n",
    "a switch of protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "a body that goes on": reply(OK) + b"x",
    "a second answer": reply(OK) * 2,
    "an encoded body": reply(OK, "200 OK", "Content-Encoding: gzip"),
    "a body of another type": reply(b"<html>", kind="text/html"),
    "a redirect": reply(b"", "307 Temporary Redirect", "Location: http://evil/"),
    "a challenge": reply(b"{}", "401 Unauthorized", "WWW-Authenticate: Bearer"),
    "no JSON": reply(OK[:-1]),
    "no message": reply(b"{}"),
    "an answer to another request": reply(result(id=2)),
    "a result twice": reply(OK.replace(b'"result"', b'"result":{},"result"')),
    "a result too deep": reply(result(content=[json.loads("[" * 300 + "]" * 300)])),
    "cut short": reply(OK)[:-3],
    "chunks cut short": events(OK, end=False).replace(
        b"text/event-stream", b"application/json"
    ),
    "nothing": b"",
    "a head too large": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 40_000,
}


@pytest.mark.parametrize("said", MALFORMED.values(), ids=MALFORMED)
def test_what_a_server_says_wrongly_is_not_passed_on(
    tmp_path: Path, said: bytes
) -> None:
    with stage(tmp_path, in_turn([said])) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            answered = client.answer()
            assert answered.status == 502
            assert json.loads(answered.body)["error"]["code"] == -32603
            client.send(call("rm"))  # the client's connection is none the worse
            assert client.answer().status == 200
        assert len(backend.requests) == 1
        assert gateway.outcomes()[0] in ("unknown", "upstream-error")


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.0 200 OK\r\n" + JSON + LENGTH + b"\r\n\r\n" + OK,
        b"HTTP/1.0 200 OK\r\n" + JSON + b"\r\n" + OK,
        b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\n" + OK,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        + reply(OK),
        b"HTTP/1.1 200\r\n"
        + JSON
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(OK), OK),
    ],
)
def test_simple_and_old_servers_are_understood(tmp_path: Path, said: bytes) -> None:
    with stage(tmp_path, in_turn([said])) as (gateway, _), gateway.client() as client:
        client.send(call())
        assert client.answer().body == OK


def test_a_server_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with gateway(tmp_path, port) as running:
        with running.client() as client:
            client.send(call())
            assert client.answer().status == 502
        assert running.outcomes() == ["upstream-error"]


def test_an_answer_that_does_not_begin_is_not_waited_for(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.gone(20)

    with stage(tmp_path, script, "limits: {first_byte: 1}") as (gateway, _):
        with gateway.client() as client:
            client.send(call())
            assert client.answer().status == 504
        assert gateway.outcomes() == ["unknown"]


def kept_once(peer: Peer) -> None:
    """Answer one request, and close when the second one comes."""
    peer.request()
    peer.send(reply(OK))
    peer.request()


def test_a_read_is_sent_again_when_its_kept_connection_was_closed(
    tmp_path: Path,
) -> None:
    with stage(tmp_path, kept_once) as (gateway, backend):
        with gateway.client() as client:
            for _ in range(2):
                client.send(ask("resources/read", uri="file:///srv/a"))
                assert client.answer().status == 200
        assert (backend.connections, len(backend.requests)) == (2, 3)


def test_a_tool_is_never_called_twice_for_one_call(tmp_path: Path) -> None:
    with stage(tmp_path, kept_once) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            assert client.answer().status == 200
            client.send(call())
            assert client.answer().status == 502
        assert (backend.connections, len(backend.requests)) == (1, 2)
        assert gateway.outcomes() == ["completed", "unknown"]


def test_a_read_that_was_begun_to_be_answered_is_not_sent_again(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.request()
        peer.send(reply(OK))
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n")

    with stage(tmp_path, script) as (gateway, backend):
        with gateway.client() as client:
            client.send(ask("resources/read", uri="file:///srv/a"))
            assert client.answer().status == 200
            client.send(ask("resources/read", uri="file:///srv/a"))
            assert client.answer().status == 502
        assert (backend.connections, len(backend.requests)) == (1, 2)


def test_a_connection_that_closed_while_it_was_kept_is_not_used(tmp_path: Path) -> None:
    with stage(tmp_path, in_turn([reply(OK)])) as (gateway, backend):
        pool: Any = gateway.http_server.exchange.servers["files"]
        with gateway.client() as client:
            for _ in range(3):
                client.send(call())
                assert client.answer().status == 200
                while gateway.run(lambda: bool(pool._idle)):
                    time.sleep(0.01)
        assert backend.connections == 3


def test_an_answer_nobody_asked_for_closes_its_connection(tmp_path: Path) -> None:
    closed: list[bool] = []
    answered = threading.Event()

    def script(peer: Peer) -> None:
        peer.request()
        peer.send(reply(OK))
        if closed:
            return
        assert answered.wait(60)
        peer.send(reply(result(content=["for somebody else"])))
        closed.append(peer.gone())

    with stage(tmp_path, script) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            assert client.answer().body == OK
            answered.set()
            while not closed:
                time.sleep(0.01)
            client.send(call())
            assert client.answer().body == OK
        assert backend.connections == 2
    assert closed[0]


def test_connections_are_kept_for_the_next_caller(tmp_path: Path) -> None:
    with stage(tmp_path, always(reply(OK))) as (gateway, backend):
        for _ in range(5):
            with gateway.client() as client:
                client.send(call())
                assert client.answer().status == 200
        assert backend.connections == 1
